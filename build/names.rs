//! From proto names to the Rust names prost and tonic give them.

/// Whether a package is turned into Rust code. Options and foreign services are
/// only described.
pub fn has_code(package: &str) -> bool {
    let ours = package.starts_with("apex.") && package != "apex.options.v1";
    ours || package == "google.api"
}

/// Rust path of a message, such as `crate::api::apex::metrics::v1::Event`.
pub fn message(full_name: &str) -> String {
    if let Some(name) = full_name.strip_prefix("google.protobuf.") {
        return format!("::prost_types::{name}");
    }
    format!("crate::api::{}", full_name.replace('.', "::"))
}

/// `SendEvent` as `send_event`; a run of capitals is not split.
pub fn snake(name: &str) -> String {
    let mut text = String::new();
    let mut before = '_';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before != '_' && !before.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
        before = c;
    }
    text
}

/// A field's Rust name; keywords are raw identifiers, as prost writes them.
pub fn field(name: &str) -> String {
    match name {
        "type" | "match" | "ref" | "use" | "mod" | "move" | "in" | "as" | "where" => {
            format!("r#{name}")
        }
        name => name.to_owned(),
    }
}

/// A comment as doc lines.
pub fn doc(comment: Option<&str>, indent: &str) -> String {
    comment
        .unwrap_or("As declared in the `.proto`.")
        .trim()
        .lines()
        .map(|line| format!("{indent}/// {}\n", line.trim()))
        .collect()
}
