//! Types of values: the protobuf types, and the well-known messages that have a
//! JSON form of their own.

use std::collections::HashMap;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as K};

use super::{EnumId, MessageId};
use crate::policy::fields::is_wrapper;
use crate::transcode::wire::WireType;

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the protobuf types by their own names
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
}

/// Well-known types with a JSON form of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // the well-known types by their own names
pub enum Known {
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// A scalar wrapper; its value is field 1.
    Wrapper,
}

impl Kind {
    pub(super) fn of_value(
        field: &FieldDescriptor,
        messages: &HashMap<String, MessageId>,
        enums: &HashMap<String, EnumId>,
    ) -> Self {
        match field.kind().as_message() {
            Some(entry) if field.is_map() => {
                Self::of(&entry.map_entry_value_field(), messages, enums)
            }
            Some(_) | None => Self::of(field, messages, enums),
        }
    }

    pub(super) fn of(
        field: &FieldDescriptor,
        messages: &HashMap<String, MessageId>,
        enums: &HashMap<String, EnumId>,
    ) -> Self {
        match field.kind() {
            K::Double => Self::Double,
            K::Float => Self::Float,
            K::Int32 => Self::Int32,
            K::Int64 => Self::Int64,
            K::Uint32 => Self::Uint32,
            K::Uint64 => Self::Uint64,
            K::Sint32 => Self::Sint32,
            K::Sint64 => Self::Sint64,
            K::Fixed32 => Self::Fixed32,
            K::Fixed64 => Self::Fixed64,
            K::Sfixed32 => Self::Sfixed32,
            K::Sfixed64 => Self::Sfixed64,
            K::Bool => Self::Bool,
            K::String => Self::String,
            K::Bytes => Self::Bytes,
            K::Enum(e) => Self::Enum(enums[e.full_name()]),
            K::Message(m) => Self::Message(messages[m.full_name()]),
        }
    }

    /// Whether lists of it may be packed on the wire.
    pub fn is_packable(self) -> bool {
        !matches!(self, Self::String | Self::Bytes | Self::Message(_))
    }

    /// What follows the tag of a value that stands alone.
    pub(in crate::transcode) fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::Fixed64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::Fixed32,
            Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64
            | Self::Bool
            | Self::Enum(_) => WireType::Varint,
            Self::String | Self::Bytes | Self::Message(_) => WireType::Delimited,
        }
    }
}

impl Known {
    pub(super) fn of(name: &str) -> Option<Self> {
        let name = name.strip_prefix("google.protobuf.")?;
        Some(match name {
            "Any" => Self::Any,
            "Timestamp" => Self::Timestamp,
            "Duration" => Self::Duration,
            "FieldMask" => Self::FieldMask,
            "Struct" => Self::Struct,
            "Value" => Self::Value,
            "ListValue" => Self::ListValue,
            name if is_wrapper(name) => Self::Wrapper,
            _ => return None,
        })
    }
}

/// Within what a whole number must be, by its field's options and its type. None of
/// its own means those of the type, or that it is no whole number.
pub(super) fn bounds(field: &FieldDescriptor, options: &DynamicMessage) -> Option<(i128, i128)> {
    let bound = |name: &str| {
        let set = options.has_field_by_name(name);
        let value = options.get_field_by_name(name)?.as_f64()?;
        set.then_some(value)
    };
    let (least, most) = match field.kind() {
        K::Int32 | K::Sint32 | K::Sfixed32 => (i32::MIN.into(), i32::MAX.into()),
        K::Int64 | K::Sint64 | K::Sfixed64 => (i64::MIN.into(), i64::MAX.into()),
        K::Uint32 | K::Fixed32 => (0, u32::MAX.into()),
        K::Uint64 | K::Fixed64 => (0, u64::MAX.into()),
        _ => return None,
    };
    let (min, max) = (bound("min"), bound("max"));
    if min.is_none() && max.is_none() {
        return None;
    }
    let least = min.map_or(least, |min| (min.ceil() as i128).max(least));
    let most = max.map_or(most, |max| (max.floor() as i128).min(most));
    Some((least, most))
}
