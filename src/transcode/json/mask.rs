//! Paths of a `google.protobuf.FieldMask`: snake_case in the message, lowerCamel
//! in JSON.

/// The snake_case form of a path.
pub fn snake(path: &str) -> String {
    let mut text = String::new();
    for c in path.chars() {
        if c.is_ascii_uppercase() {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

/// The lowerCamel form of a path; `None` when it could not be read back.
pub fn camel(path: &str) -> Option<String> {
    let mut text = String::new();
    let mut upper = false;
    for c in path.chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                text.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => text.push(c),
        }
    }
    (snake(&text) == path).then_some(text)
}
