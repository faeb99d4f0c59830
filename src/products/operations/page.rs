//! What the descriptors say about the API, gathered for the pages that show it.

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, Kind, MessageDescriptor,
    MethodDescriptor,
};
use prost_types::FileDescriptorProto;
use serde_json::{Value, json};

use crate::api::METHODS;
use crate::policy::options::{Options, number, text};
use crate::policy::{Auth, MethodSpec};

/// A method with its descriptor.
pub(super) struct Documented {
    pub(super) spec: &'static MethodSpec,
    pub(super) descriptor: MethodDescriptor,
}

/// Every method of ours, in the order of the protos.
pub(super) fn methods(pool: &DescriptorPool) -> Vec<Documented> {
    let ours = METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."));
    ours.filter_map(|spec| {
        let service = pool.get_service_by_name(spec.service.name)?;
        let descriptor = service
            .methods()
            .find(|method| method.name() == spec.name)?;
        Some(Documented { spec, descriptor })
    })
    .collect()
}

/// The comment above a method.
pub(super) fn about_method(method: &MethodDescriptor) -> String {
    comment(method.parent_file().file_descriptor_proto(), method.path())
}

/// The comment above a message.
pub(super) fn about_message(message: &MessageDescriptor) -> String {
    comment(message.parent_file_descriptor_proto(), message.path())
}

/// The comment above a field.
pub(super) fn about_field(field: &FieldDescriptor) -> String {
    comment(field.parent_file().file_descriptor_proto(), field.path())
}

/// The comment above an enum.
pub(super) fn about_enum(values: &EnumDescriptor) -> String {
    comment(values.parent_file_descriptor_proto(), values.path())
}

/// The comment above a value of an enum.
pub(super) fn about_value(value: &EnumValueDescriptor) -> String {
    let file = value.parent_enum().parent_file();
    comment(file.file_descriptor_proto(), value.path())
}

/// The example that stands in a field's options, as JSON; of a list, that of an element.
pub(super) fn example(field: &FieldDescriptor, options: &Options) -> Option<Value> {
    let own = options.field(field)?;
    let example = text(&own, "example");
    if example.is_empty() {
        return None;
    }
    let is_text = matches!(field.kind(), Kind::String | Kind::Enum(_) | Kind::Bytes);
    let is_text = is_text && number(&own, "raw_json") == 0;
    match serde_json::from_str(&example) {
        Ok(value) if !is_text => Some(value),
        Ok(_) | Err(_) => Some(json!(example)),
    }
}

/// A comment as running text.
fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.iter().flat_map(|info| &info.location);
    let hit = locations.into_iter().find(|location| location.path == path);
    let text = hit.and_then(|location| location.leading_comments.as_deref());
    text.unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

/// Who may call a method, in words.
pub(super) fn who(spec: &MethodSpec) -> String {
    let who = match spec.auth {
        Auth::Public => "anyone",
        Auth::ApiKey => "API key",
        Auth::Session => "signed-in user",
        Auth::SessionOrApiKey => "signed-in user or API key",
        Auth::ProjectKey => "page with a project key",
        Auth::Operator => "operator, over the socket in the data directory",
    };
    match spec.scope {
        Some(scope) => format!("{who} with {scope}"),
        None => who.to_owned(),
    }
}

/// A path template as OpenAPI writes it: `{name=shelves/*}` is `{name}`, and what has one
/// value is that value, `{kind=shelves}` is `shelves`.
pub(super) fn plain_path(template: &str) -> String {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, from)) = rest.split_once('{') {
        let (variable, after) = from.split_once('}').unwrap_or((from, ""));
        path.push_str(before);
        match variable.split_once('=') {
            Some((_, only)) if !only.contains('*') => path.push_str(only),
            Some((name, _)) => path.push_str(&format!("{{{name}}}")),
            None => path.push_str(&format!("{{{variable}}}")),
        }
        rest = after;
    }
    path + rest
}
