//! Types of values: the protobuf types, and the well-known messages that have a
//! JSON form of their own.

use std::collections::HashMap;

use prost_reflect::FieldDescriptor;

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
        use prost_reflect::Kind as K;
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
