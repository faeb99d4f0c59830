//! What an update mask may name: the members of a request that its method changes.
//! Those are the members of what is updated, without what only says which one it is.

use prost_reflect::MethodDescriptor;

use super::fields::is_message;
use super::options::leak;
use super::template::Template;
use super::{Binding, Body};

/// The request field that holds the mask.
const MASK: &str = "update_mask";

/// The fields a mask of the method may name, by their names in the `.proto`; `None`
/// of a method that takes no mask.
pub(super) fn updatable(
    method: &MethodDescriptor,
    bindings: &[Binding],
) -> Option<&'static [&'static str]> {
    let request = method.input();
    let mask = request.get_field_by_name(MASK)?;
    if !is_message(&mask, "google.protobuf.FieldMask") {
        return None;
    }
    // With a field as the body, it is that field which is updated.
    let body = bindings.iter().find_map(|binding| match binding.body {
        Body::Field(name) => request.get_field_by_name(name),
        Body::Whole | Body::None => None,
    });
    let inner = body.as_ref().map(|field| (field.name(), field.kind()));
    let (prefix, target) = match &inner {
        Some((name, kind)) => (Some(*name), kind.as_message()?.clone()),
        None => (None, request.clone()),
    };
    let templates = bindings
        .iter()
        .filter_map(|binding| Template::parse(binding.template).ok());
    let named: Vec<String> = templates
        .flat_map(|template| template.variables)
        .filter_map(|variable| match prefix {
            None => Some(variable.field),
            Some(prefix) => {
                let own = variable.field.strip_prefix(prefix)?;
                own.strip_prefix('.').map(str::to_owned)
            }
        })
        .collect();
    let fields = target.fields().filter(|field| {
        let is_mask = prefix.is_none() && field.name() == MASK;
        !is_mask && !named.iter().any(|name| name == field.name())
    });
    let names: Vec<&str> = fields.map(|field| leak(field.name())).collect();
    Some(names.leak())
}
