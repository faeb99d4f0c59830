//! Our options as they stand on descriptors: where they are found, and their
//! members read as plain values. They are read with prost-reflect because typed
//! descriptors drop custom options.

use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Value};

/// The extensions that carry our options, as far as the pool knows them.
#[derive(Debug)]
pub struct Options {
    pub(super) service: Option<ExtensionDescriptor>,
    pub(super) method: Option<ExtensionDescriptor>,
    field: Option<ExtensionDescriptor>,
    word: Option<ExtensionDescriptor>,
    pub(super) http: Option<ExtensionDescriptor>,
}

impl Options {
    /// Looks the extensions up.
    pub fn new(pool: &DescriptorPool) -> Self {
        let find = |name: &str| pool.get_extension_by_name(name);
        Self {
            service: find("apex.options.v1.service"),
            method: find("apex.options.v1.method"),
            field: find("apex.options.v1.field"),
            word: find("apex.options.v1.word"),
            http: find("google.api.http"),
        }
    }

    /// The field options of a field, if it has any.
    pub fn field(&self, field: &FieldDescriptor) -> Option<DynamicMessage> {
        self.of(&field.options(), self.field.as_ref())
    }

    /// The JSON word of an enum value, if it has one.
    pub fn word(&self, value: &prost_reflect::EnumValueDescriptor) -> Option<String> {
        let extension = self.word.as_ref()?;
        let options = value.options();
        let set = options.has_extension(extension);
        set.then(|| options.get_extension(extension).as_str().map(str::to_owned))?
    }

    /// An option message, if it is set.
    pub(super) fn of(
        &self,
        options: &DynamicMessage,
        extension: Option<&ExtensionDescriptor>,
    ) -> Option<DynamicMessage> {
        let extension = extension?;
        if !options.has_extension(extension) {
            return None;
        }
        options.get_extension(extension).as_message().cloned()
    }
}

/// The text of a field of an option message.
pub fn text(message: &DynamicMessage, name: &str) -> String {
    let value = message.get_field_by_name(name);
    let text = value.as_ref().and_then(|v| v.as_str());
    text.unwrap_or_default().to_owned()
}

pub(super) fn optional_text(message: &DynamicMessage, name: &str) -> Option<&'static str> {
    let text = text(message, name);
    (!text.is_empty()).then(|| leak(&text))
}

/// The flag of an option message.
pub fn flag(message: &DynamicMessage, name: &str) -> bool {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_bool()).unwrap_or_default()
}

/// The number of an enum field of an option message.
pub fn number(message: &DynamicMessage, name: &str) -> i32 {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_enum_number()).unwrap_or_default()
}

/// A number of an option message that is not zero.
pub fn positive(message: &DynamicMessage, name: &str) -> Option<u32> {
    let value = message.get_field_by_name(name);
    value.and_then(|v| v.as_u32()).filter(|n| *n > 0)
}

pub(super) fn list(message: &DynamicMessage, name: &str) -> Vec<Value> {
    let value = message.get_field_by_name(name);
    let values = value.as_ref().and_then(|v| v.as_list());
    values.map(<[Value]>::to_vec).unwrap_or_default()
}

/// Policy is read once and lives as long as the process.
pub(super) fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}
