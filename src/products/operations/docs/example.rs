//! A command to paste for every method, made of the examples that stand in the protos.

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::super::page::{Documented, example, plain_path};
use crate::policy::options::{Options, flag, positive, text};
use crate::policy::template::Template;
use crate::policy::{Auth, Binding, Body, When};

/// The command that calls a method, if a caller on another machine can.
pub(super) fn command(method: &Documented, options: &Options) -> Option<String> {
    match method.spec.bindings.first() {
        _ if method.spec.auth == Auth::Operator => None,
        Some(binding) => curl(method, binding, options),
        None => Some(grpc(method, options)),
    }
}

fn curl(method: &Documented, binding: &Binding, options: &Options) -> Option<String> {
    let input = method.descriptor.input();
    let template = Template::parse(binding.template).ok()?;
    let bound: Vec<&str> = template
        .variables
        .iter()
        .map(|v| v.field.as_str())
        .collect();
    let is_bound = |field: &FieldDescriptor| bound.contains(&field.name());
    let free = || input.fields().filter(|field| !is_bound(field));
    let is_body = |field: &FieldDescriptor| match binding.body {
        Body::Field(name) => field.name() == name,
        Body::None | Body::Whole => false,
    };
    let query: Vec<String> = match binding.body {
        _ if let Some(field) = language(&input, options) => {
            let question = value(&field, options);
            let question = question.map(|text| text.trim_matches('"').to_owned());
            question.into_iter().collect()
        }
        Body::Whole => Vec::new(),
        Body::None | Body::Field(_) => free()
            .filter(|field| !is_body(field) && header(field, options).is_none())
            .filter_map(|field| {
                let value = named(method, &field).or_else(|| value(&field, options))?;
                // Of a list, the one element there is.
                let one = match field.is_list() {
                    true => value.trim_start_matches('[').trim_end_matches(']'),
                    false => &value,
                };
                let plain = one.trim_matches('"');
                Some(format!("{}={plain}", field.json_name()))
            })
            .chain(picking(method, |when| when.query.map(str::to_owned)))
            .collect(),
    };
    let mut url = plain_path(binding.template);
    for field in &bound {
        let name = field.to_uppercase();
        url = url.replace(&format!("{{{field}}}"), &format!("${name}"));
    }
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    let body = match binding.body {
        Body::None => String::new(),
        Body::Whole if let Some(name) = method.spec.one_or_many => {
            let list = input.get_field_by_name(name)?;
            object(list.kind().as_message()?.fields(), options)
        }
        Body::Whole => members(free(), |field| {
            named(method, field).or_else(|| value(field, options))
        }),
        Body::Field(_) if upload(&input, binding, options).is_some() => String::new(),
        Body::Field(name) => {
            let field = input.get_field_by_name(name)?;
            match field.kind().as_message() {
                Some(record) if matches!(binding.verb, "PATCH" | "PUT") => object(
                    record.fields().filter(|own| is_changed(own, options)),
                    options,
                ),
                Some(_) | None => value(&field, options)?,
            }
        }
    };
    let is_empty = body.is_empty() || body == "{}";
    let verb = match (binding.verb, is_empty) {
        ("GET", true) | ("POST", false) => String::new(),
        (verb, _) => format!(" -X {verb}"),
    };
    let mut parts = vec![format!("curl{verb} \"$URL{url}\"")];
    parts.extend(credential(method));
    parts.extend(custom(method).map(|name| format!("-H 'X-Service-Method: {name}'")));
    parts.extend(picking(method, |when| {
        when.accept.map(|kind| format!("-H 'Accept: {kind}'"))
    }));
    parts.extend(picking(method, |when| {
        when.scheme.map(|_| "-u \"$EMAIL:$PASSWORD\"".to_owned())
    }));
    parts.extend(input.fields().filter_map(|field| {
        let (name, value) = (header(&field, options)?, example(&field, options)?);
        Some(format!("-H '{name}: {}'", value.as_str()?))
    }));
    if let Some(file) = upload(&input, binding, options) {
        parts.push(format!("--data-binary {}", quoted(&file)));
    } else if !is_empty {
        parts.push("-H 'Content-Type: application/json'".to_owned());
        parts.push(format!("-d {}", quoted(&body)));
    }
    Some(lines(&parts))
}

/// The header a field stands in, if it does.
fn header(field: &FieldDescriptor, options: &Options) -> Option<String> {
    let name = options.field(field).map(|own| text(&own, "header"));
    name.filter(|name| !name.is_empty())
}

/// What has this method answer, of those that share its route: of its first circumstance.
fn picking(method: &Documented, part: impl Fn(&When) -> Option<String>) -> Option<String> {
    method.spec.when.first().and_then(part)
}

/// Whether a member of a record that is there may be written.
fn is_changed(field: &FieldDescriptor, options: &Options) -> bool {
    !options.field(field).is_some_and(|own| flag(&own, "once"))
}

/// The bytes that are the body, where it is no JSON.
fn upload(input: &MessageDescriptor, binding: &Binding, options: &Options) -> Option<String> {
    let Body::Field(name) = binding.body else {
        return None;
    };
    let field = input.get_field_by_name(name)?;
    let kind = field.kind();
    kind.as_message()
        .filter(|own| own.full_name() == "google.api.HttpBody")?;
    let file = example(&field, options)?;
    file.as_str().map(str::to_owned)
}

/// The field of a query that is a language of its own.
fn language(input: &MessageDescriptor, options: &Options) -> Option<FieldDescriptor> {
    input.fields().find(|field| {
        let own = options.field(field);
        own.is_some_and(|own| flag(&own, "raw_query"))
    })
}

/// Streams of gRPC, by a client that finds out about them by itself.
fn grpc(method: &Documented, options: &Options) -> String {
    let body = object(method.descriptor.input().fields(), options);
    let mut parts = vec!["buf curl --protocol grpc --http2-prior-knowledge".to_owned()];
    parts.extend(credential(method));
    parts.push(format!("-d {} $URL{}", quoted(&body), method.spec.path));
    lines(&parts)
}

fn credential(method: &Documented) -> Option<String> {
    let spec = method.spec;
    match spec.auth {
        Auth::ApiKey | Auth::SessionOrApiKey if spec.service.carriers.bearer => {
            Some("-H \"Authorization: Bearer $KEY\"".to_owned())
        }
        Auth::ApiKey | Auth::SessionOrApiKey => Some("-H \"x-api-key: $KEY\"".to_owned()),
        Auth::Session => Some("-b jar".to_owned()),
        Auth::Public | Auth::ProjectKey | Auth::Operator => None,
    }
}

fn lines(parts: &[String]) -> String {
    parts.join(" \\\n    ")
}

/// What stands for the reader's own: the public key of a project, and a record.
const OWN: [&str; 2] = ["$PROJECT_KEY", "$ID"];

/// The reader's own, of the field a page names its project by, and of the one a custom
/// method names its record by.
fn named(method: &Documented, field: &FieldDescriptor) -> Option<String> {
    let [project, record] = OWN;
    if method.spec.project_field == Some(field.name()) {
        return Some(format!("\"{project}\""));
    }
    let names_record = custom(method).is_some() && field.name() == "id";
    names_record.then(|| record.to_owned())
}

/// The custom method it is, if it is one.
fn custom(method: &Documented) -> Option<&'static str> {
    let mut when = method.spec.when.iter();
    when.find_map(|when| when.service_method)
}

/// For a shell, which fills in what is the reader's own.
fn quoted(text: &str) -> String {
    let plain = text.replace('\'', "'\\''");
    let filled = OWN
        .iter()
        .fold(plain, |text, own| text.replace(own, &format!("'{own}'")));
    format!("'{filled}'")
}

fn object(fields: impl Iterator<Item = FieldDescriptor>, options: &Options) -> String {
    members(fields, |field| value(field, options))
}

fn members(
    fields: impl Iterator<Item = FieldDescriptor>,
    value: impl Fn(&FieldDescriptor) -> Option<String>,
) -> String {
    let member =
        |field: FieldDescriptor| Some(format!("\"{}\": {}", field.json_name(), value(&field)?));
    let members: Vec<String> = fields.filter_map(member).collect();
    format!("{{{}}}", members.join(", "))
}

/// A field's example as JSON, or, of messages, that of their fields. What has no
/// example is left out, unless it is required.
fn value(field: &FieldDescriptor, options: &Options) -> Option<String> {
    let own = options.field(field);
    let required = own.as_ref().is_some_and(|own| flag(own, "required"));
    let kind = field.kind();
    let single = match (example(field, options), kind.as_message()) {
        (Some(example), _) => example.to_string(),
        (None, Some(message)) => {
            let whole = object(message.fields(), options);
            Some(whole).filter(|whole| required || whole != "{}")?
        }
        (None, None) if required => format!("\"{}\"", field.json_name()),
        (None, None) => return None,
    };
    Some(match field.is_list() {
        true => {
            let fewest = own.as_ref().and_then(|own| positive(own, "min_items"));
            let items = vec![single; fewest.map_or(1, |fewest| fewest as usize)];
            format!("[{}]", items.join(", "))
        }
        false => single,
    })
}
