//! Writes the validation of messages from their field options, and `Debug` for
//! messages that hold a secret.

use std::collections::HashSet;
use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

use crate::names;
use crate::policy::options::{Options, flag, number, positive, text};

/// Messages with a secret field; prost derives no `Debug` for them.
pub fn secret_messages(pool: &DescriptorPool) -> Vec<String> {
    let options = Options::new(pool);
    let secret = |field: FieldDescriptor| options.field(&field).is_some_and(|o| flag(&o, "secret"));
    pool.all_messages()
        .filter(|message| message.fields().any(secret))
        .map(|message| format!(".{}", message.full_name()))
        .collect()
}

/// The source of all `Check` and redacted `Debug` implementations.
pub fn emit(pool: &DescriptorPool) -> String {
    let options = Options::new(pool);
    let secret: HashSet<String> = secret_messages(pool).into_iter().collect();
    let mut out = String::new();
    for message in pool.all_messages() {
        if !names::has_code(message.package_name()) || message.is_map_entry() {
            continue;
        }
        put_check(&mut out, &message, &options);
        if secret.contains(&format!(".{}", message.full_name())) {
            put_debug(&mut out, &message, &options);
        }
    }
    out
}

fn put_check(out: &mut String, message: &MessageDescriptor, options: &Options) {
    let rules: Vec<String> = message
        .fields()
        .filter(|field| field.containing_oneof().is_none_or(|o| o.is_synthetic()))
        .filter_map(|field| rule(&field, options))
        .collect();
    let path = names::message(message.full_name());
    let found = if rules.is_empty() { "_found" } else { "found" };
    let _ = writeln!(out, "impl Check for {path} {{");
    let _ = writeln!(out, "    fn check(&self, {found}: &mut Violations) {{");
    for rule in rules {
        let _ = writeln!(out, "        {rule}");
    }
    let _ = writeln!(out, "    }}");
    if is_mask(message.get_field_by_name("update_mask")) {
        let _ = writeln!(
            out,
            "\n    fn update_mask(&self) -> &[String] {{\n        \
             self.update_mask.as_ref().map_or(&[], |mask| &mask.paths)\n    }}"
        );
    }
    let _ = writeln!(out, "}}\n");
}

fn is_mask(field: Option<FieldDescriptor>) -> bool {
    field.is_some_and(|field| {
        let kind = field.kind();
        let message = kind.as_message().map(MessageDescriptor::full_name);
        !field.is_list() && message == Some("google.protobuf.FieldMask")
    })
}

fn rule(field: &FieldDescriptor, options: &Options) -> Option<String> {
    let own = options.field(field);
    let own = own.as_ref();
    let value = format!("self.{}", names::field(field.name()));
    let json = field.json_name();
    if field.is_map() {
        let max = own.and_then(|own| positive(own, "max_items"))?;
        let label = label(field, own);
        return Some(format!(
            "found.items({json:?}, {label:?}, false, Some({max}), {value}.len());"
        ));
    }
    if field.is_list() {
        return list_rule(field, own, options, &value);
    }
    match field.kind() {
        Kind::String if own.is_some_and(|own| number(own, "raw_json") > 0) => {
            let kind = if own.map_or(0, |own| number(own, "raw_json")) == 1 {
                "Object"
            } else {
                "Any"
            };
            Some(format!(
                "found.raw({json:?}, RawJson::{kind}, text_of(&{value}));"
            ))
        }
        Kind::String => {
            let rule = text_rule(field, own);
            Some(format!("found.text({json:?}, &{rule}, text_of(&{value}));"))
        }
        Kind::Message(inner) if is_self_checked(&inner, options) => None,
        Kind::Message(inner) => {
            let required = own.is_some_and(|own| flag(own, "required"));
            let mut rule = String::new();
            if required {
                let label = label(field, own);
                let _ = write!(
                    rule,
                    "found.present({json:?}, {label:?}, {value}.is_some()); "
                );
            }
            if names::has_code(inner.package_name()) {
                let _ = write!(
                    rule,
                    "if let Some(inner) = &{value} {{ found.within({json:?}, inner); }}"
                );
            }
            (!rule.is_empty()).then_some(rule)
        }
        Kind::Bool | Kind::Bytes | Kind::Enum(_) => None,
        _ => number_rule(field, own?, &value),
    }
}

fn list_rule(
    field: &FieldDescriptor,
    own: Option<&DynamicMessage>,
    options: &Options,
    value: &str,
) -> Option<String> {
    let json = field.json_name();
    let mut rule = String::new();
    let required = own.is_some_and(|own| flag(own, "required"));
    let max = own.and_then(|own| positive(own, "max_items"));
    if required || max.is_some() {
        let label = label(field, own);
        let _ = write!(
            rule,
            "found.items({json:?}, {label:?}, {required}, {max:?}, {value}.len()); "
        );
    }
    // Of a list that is too long nothing else is said, or looked at.
    let (fits, end) = match max {
        Some(max) => (format!("if {value}.len() <= {max} {{ "), "}"),
        None => (String::new(), ""),
    };
    match field.kind() {
        Kind::Message(_) if own.is_some_and(|own| flag(own, "each_alone")) => {}
        Kind::Message(inner)
            if names::has_code(inner.package_name()) && !is_self_checked(&inner, options) =>
        {
            let _ = write!(rule, "{fits}found.each({json:?}, &{value}); {end}");
        }
        Kind::String => {
            let text = text_rule(field, own);
            let _ = write!(
                rule,
                "{fits}found.texts({json:?}, &{text}, &{value}); {end}"
            );
        }
        _ => {}
    }
    (!rule.is_empty()).then_some(rule)
}

/// An item that takes its own parse error is checked by its product.
fn is_self_checked(message: &MessageDescriptor, options: &Options) -> bool {
    message.fields().any(|field| {
        options
            .field(&field)
            .is_some_and(|own| flag(&own, "parse_error"))
    })
}

fn text_rule(field: &FieldDescriptor, own: Option<&DynamicMessage>) -> String {
    // Of a list, the elements are checked; that it is not empty is its own rule.
    let required = own.is_some_and(|own| flag(own, "required")) && !field.is_list();
    let min = own.and_then(|own| positive(own, "min_length")).unwrap_or(0);
    let max = own.and_then(|own| positive(own, "max_length"));
    let pattern = own
        .map(|own| text(own, "pattern"))
        .filter(|p| !p.is_empty());
    let pattern = match pattern {
        Some(pattern) => format!(
            "Some({{ static PATTERN: std::sync::LazyLock<regex::Regex> = \
             std::sync::LazyLock::new(|| pattern({pattern:?})); &PATTERN }})"
        ),
        None => "None".to_owned(),
    };
    let label = label(field, own);
    format!(
        "TextRule {{ label: {label:?}, required: {required}, min: {min}, max: {max:?}, \
         pattern: {pattern} }}"
    )
}

fn number_rule(field: &FieldDescriptor, own: &DynamicMessage, value: &str) -> Option<String> {
    let bound = |name: &str| {
        let set = own.has_field_by_name(name);
        let value = own.get_field_by_name(name).and_then(|v| v.as_f64());
        value.filter(|_| set)
    };
    let required = flag(own, "required");
    let (min, max) = (bound("min"), bound("max"));
    if !required && min.is_none() && max.is_none() {
        return None;
    }
    let (json, label) = (field.json_name(), label(field, Some(own)));
    let value = if field.supports_presence() {
        format!("{value}.map(|n| n as f64)")
    } else {
        format!("Some({value} as f64)")
    };
    Some(format!(
        "found.number({json:?}, {label:?}, {required}, {min:?}, {max:?}, {value});"
    ))
}

fn label(field: &FieldDescriptor, own: Option<&DynamicMessage>) -> String {
    let label = own.map(|own| text(own, "label")).unwrap_or_default();
    if label.is_empty() {
        field.json_name().to_owned()
    } else {
        label
    }
}

fn put_debug(out: &mut String, message: &MessageDescriptor, options: &Options) {
    let path = names::message(message.full_name());
    let _ = writeln!(out, "impl std::fmt::Debug for {path} {{");
    let _ = writeln!(
        out,
        "    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {{"
    );
    let _ = writeln!(out, "        f.debug_struct({:?})", message.name());
    for field in message.fields() {
        let name = names::field(field.name());
        let secret = options
            .field(&field)
            .is_some_and(|own| flag(&own, "secret"));
        let value = if secret {
            "&format_args!(\"[redacted]\")".to_owned()
        } else {
            format!("&self.{name}")
        };
        let _ = writeln!(out, "            .field({:?}, {value})", field.name());
    }
    let _ = writeln!(out, "            .finish()\n    }}\n}}\n");
}
