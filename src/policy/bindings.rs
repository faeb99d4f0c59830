//! The REST routes of methods: `google.api.http` rules read and held against the
//! messages they bind, the circumstances that pick a method on a shared route,
//! and the rule that a route has one owner.

use std::collections::BTreeMap;

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor,
};

use super::fields::{is_text_like, top_level};
use super::options::{Options, flag, leak, list, optional_text, text};
use super::template::Template;
use super::{Binding, Body, MethodSpec, When};

pub(super) fn when(own: &DynamicMessage) -> When {
    let credential = own.has_field_by_name("credential");
    When {
        body_member: optional_text(own, "body_member"),
        body_array: flag(own, "body_array"),
        credential: credential.then(|| flag(own, "credential")),
        service_method: optional_text(own, "service_method"),
        accept: optional_text(own, "accept"),
        query: optional_text(own, "query"),
        scheme: optional_text(own, "scheme"),
    }
}

pub(super) fn bindings(
    method: &MethodDescriptor,
    options: &Options,
) -> Result<Vec<Binding>, String> {
    let Some(rule) = options.of(&method.options(), options.http.as_ref()) else {
        return Ok(Vec::new());
    };
    let mut found = vec![binding(method, &rule)?];
    for extra in list(&rule, "additional_bindings") {
        let extra = extra.as_message().ok_or("additional_bindings is no rule")?;
        if !list(extra, "additional_bindings").is_empty() {
            return Err("additional_bindings are one level deep".to_owned());
        }
        found.push(binding(method, extra)?);
    }
    Ok(found)
}

fn binding(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Binding, String> {
    const VERBS: [(&str, &str); 5] = [
        ("get", "GET"),
        ("put", "PUT"),
        ("post", "POST"),
        ("delete", "DELETE"),
        ("patch", "PATCH"),
    ];
    let plain = VERBS
        .iter()
        .find(|(name, _)| rule.has_field_by_name(name))
        .map(|(name, verb)| (*verb, text(rule, name)));
    let (verb, template) = match plain {
        Some(found) => found,
        None => {
            let custom = rule.get_field_by_name("custom");
            let custom = custom.as_ref().and_then(|v| v.as_message());
            let custom = custom.filter(|c| !text(c, "path").is_empty());
            let custom = custom.ok_or("its http rule names no path")?;
            (leak(&text(custom, "kind")), text(custom, "path"))
        }
    };
    let parsed = Template::parse(&template).map_err(|f| format!("path `{template}`: {f}"))?;
    for variable in &parsed.variables {
        path_field(&method.input(), &variable.field)
            .map_err(|fault| format!("path variable `{}` {fault}", variable.field))?;
    }
    let body = match text(rule, "body").as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        name => Body::Field(leak(top_level(&method.input(), name, "body")?.name())),
    };
    let response_body = optional_text(rule, "response_body");
    if let Some(name) = response_body {
        top_level(&method.output(), name, "response_body")?;
    }
    Ok(Binding {
        verb,
        template: leak(&template),
        body,
        response_body,
    })
}

/// The field a path variable names: singular and written as one JSON scalar.
fn path_field(message: &MessageDescriptor, path: &str) -> Result<FieldDescriptor, &'static str> {
    let mut message = message.clone();
    let mut names = path.split('.').peekable();
    loop {
        let name = names.next().ok_or("names no field")?;
        let field = message.get_field_by_name(name).ok_or("names no field")?;
        if field.cardinality() == Cardinality::Repeated {
            return Err("is no scalar field");
        }
        let kind = field.kind();
        match (kind.as_message(), names.peek()) {
            (None, None) => return Ok(field),
            (Some(inner), None) if is_text_like(inner.full_name()) => return Ok(field),
            (Some(inner), Some(_)) => message = inner.clone(),
            (None, Some(_)) | (Some(_), None) => return Err("is no scalar field"),
        }
    }
}

/// A shared route has one owner: the method without a circumstance, which answers
/// when no other one's circumstances hold. Two routes are equal when they have the
/// same verb and match the same paths.
pub(super) fn check_routes(methods: &[MethodSpec]) -> Vec<String> {
    let mut routes: BTreeMap<(&str, String), Vec<&MethodSpec>> = BTreeMap::new();
    for spec in methods {
        for binding in spec.bindings {
            if let Ok(template) = Template::parse(binding.template) {
                let route = (binding.verb, template.shape());
                routes.entry(route).or_default().push(spec);
            }
        }
    }
    let fault = |((verb, path), sharing): (&(&str, String), &Vec<&MethodSpec>)| {
        let owners: Vec<&str> = sharing
            .iter()
            .filter(|spec| spec.when.is_empty())
            .map(|spec| spec.path)
            .collect();
        match owners.as_slice() {
            [_] => None,
            // Shared with nobody, it is answered in any circumstance.
            [] if sharing.len() == 1 => None,
            [] => Some(format!(
                "{verb} {path}: every method has a `when`; none owns it"
            )),
            [first, second, ..] => Some(format!(
                "{verb} {path}: {first} and {second} are equal routes"
            )),
        }
    };
    routes.iter().filter_map(fault).collect()
}
