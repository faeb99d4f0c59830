//! What FeathersJS says of a verb, or of a method of its own, that a path does not have.
//! Its clients show these words.

use crate::error::{Error, Kind, reason};

/// The refusal of a verb. `many` says that the path has it for single records alone.
pub fn wrong_verb(verb: &str, many: bool) -> Error {
    let method = match verb {
        "GET" | "HEAD" => "find",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "remove",
        other => return no_method(&other.to_lowercase()),
    };
    match (method, many) {
        ("update", true) => {
            Error::invalid("You can not replace multiple instances. Did you mean 'patch'?")
        }
        ("patch" | "remove", true) => not_allowed(format!("Can not {method} multiple entries")),
        _ => no_method(method),
    }
}

/// The refusal of a method that `X-Service-Method` names. What stands there is not
/// repeated, as with other headers.
pub fn no_service_method() -> Error {
    not_allowed("The method of X-Service-Method is not supported by this endpoint.".to_owned())
}

fn no_method(name: &str) -> Error {
    not_allowed(format!(
        "Method `{name}` is not supported by this endpoint."
    ))
}

fn not_allowed(message: String) -> Error {
    Error::new(Kind::Unimplemented, message).reason(reason::METHOD_NOT_ALLOWED)
}
