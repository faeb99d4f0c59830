//! What the descriptors and the policy table say about the methods that are
//! served. The tests here are generated from it: a method that is new is tested,
//! or stops a test until somebody has said how.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use apex::api::{METHODS, pool};
use apex::policy::{Auth, MethodSpec};
use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};

use super::rest;

/// Every method of our own services.
pub fn served() -> impl Iterator<Item = &'static MethodSpec> {
    METHODS
        .iter()
        .filter(|spec| spec.service.name.starts_with("apex."))
}

/// The method with a name such as `apex.account.v1.ProjectService/ListProjects`.
pub fn find(name: &str) -> &'static MethodSpec {
    let found = METHODS.iter().find(|spec| &spec.path[1..] == name);
    found.unwrap_or_else(|| panic!("there is no method {name}"))
}

/// Whether an API key may call it.
pub fn takes_keys(spec: &MethodSpec) -> bool {
    matches!(spec.auth, Auth::ApiKey | Auth::SessionOrApiKey)
}

/// Whether a session may call it.
pub fn takes_sessions(spec: &MethodSpec) -> bool {
    matches!(spec.auth, Auth::Session | Auth::SessionOrApiKey)
}

/// Whether it may change something. What is not known to read changes.
pub fn writes(spec: &MethodSpec) -> bool {
    match spec.scope {
        Some(scope) => scope.write,
        None => spec.bindings.is_empty() || spec.bindings.iter().any(|b| b.verb != "GET"),
    }
}

/// A message by its full name. Reading all descriptors takes long, and is done once.
pub fn message(name: &str) -> MessageDescriptor {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(pool);
    let found = POOL.get_message_by_name(name);
    found.unwrap_or_else(|| panic!("there is no message {name}"))
}

/// Fields of a message and of the messages in it, as dotted paths of proto names.
pub fn fields(name: &str) -> Vec<(String, FieldDescriptor)> {
    let mut found = Vec::new();
    below(&message(name), "", &mut Vec::new(), &mut found);
    found
}

fn below(
    message: &MessageDescriptor,
    prefix: &str,
    inside: &mut Vec<String>,
    found: &mut Vec<(String, FieldDescriptor)>,
) {
    let name = message.full_name().to_owned();
    if name.starts_with("google.") || inside.contains(&name) {
        return;
    }
    inside.push(name);
    for field in message.fields() {
        let path = format!("{prefix}{}", field.name());
        if let Some(inner) = field.kind().as_message() {
            below(inner, &format!("{path}."), inside, found);
        }
        found.push((path, field));
    }
    inside.pop();
}

/// Fields of a request that look as if they named something: by their name, or
/// because a route takes them from its path.
pub fn id_fields(spec: &MethodSpec) -> BTreeSet<String> {
    let in_path = rest::variables(spec);
    let named = |(path, field): &(String, FieldDescriptor)| {
        let name = field.name();
        let is_id = matches!(name, "id" | "ids" | "key" | "keys" | "slug" | "token");
        let ends = ["_id", "_ids", "_key", "_keys", "_slug", "_token"];
        is_id || ends.iter().any(|end| name.ends_with(end)) || in_path.contains(path)
    };
    let fields = fields(spec.input).into_iter();
    fields.filter(named).map(|(path, _)| path).collect()
}
