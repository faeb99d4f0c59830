//! The parameters of a route: what its path and its query bind, and the headers
//! that say whom a request is for and whether it was sent before.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Value, json};

use super::super::page::{about_field, example};
use super::Writer;
use super::responses::takes_idempotency_key;
use super::schema::Side;
use crate::policy::fields::is_text_like;
use crate::policy::options::{flag, text};
use crate::policy::template::{Template, Variable};
use crate::policy::{Auth, Binding, Body, MethodSpec};

impl Writer {
    pub(super) fn parameters(
        &mut self,
        input: &MessageDescriptor,
        spec: &MethodSpec,
        binding: &Binding,
    ) -> Vec<Value> {
        let side = Side::request(spec.profile);
        let template = Template::parse(binding.template);
        let fixed = |variable: &Variable| template.as_ref().is_ok_and(|t| t.is_fixed(variable));
        let variables = template.clone().map(|t| t.variables).unwrap_or_default();
        let mut parameters = Vec::new();
        for variable in variables.iter().filter(|variable| !fixed(variable)) {
            let field = input.get_field_by_name(variable.field.split('.').next().unwrap_or(""));
            let schema = field
                .as_ref()
                .map_or(json!({"type": "string"}), |f| self.field(f, side));
            parameters.push(json!({
                "name": variable.field, "in": "path", "required": true, "schema": schema,
            }));
        }
        let language = input.fields().find(|field| {
            let own = self.options.field(field);
            own.is_some_and(|own| flag(&own, "raw_query"))
        });
        if let Some(field) = language {
            // Read as a whole, in a language of its own.
            parameters.push(json!({
                "name": field.json_name(), "in": "query", "required": false,
                "description": about_field(&field), "style": "form", "explode": true,
                "schema": {"type": "object", "additionalProperties": {"type": "string"}},
            }));
        } else if binding.body != Body::Whole {
            for field in input.fields() {
                let is_body = match binding.body {
                    Body::Field(own) => own == field.name(),
                    Body::None | Body::Whole => false,
                };
                let bound = variables
                    .iter()
                    .any(|variable| variable.field == field.name());
                if bound || is_body || !is_parameter(&field) {
                    continue;
                }
                let own = self.options.field(&field);
                let required = own.as_ref().is_some_and(|own| flag(own, "required"));
                let header = own.as_ref().map(|own| text(own, "header"));
                let header = header.filter(|name| !name.is_empty());
                let mut schema = self.field(&field, side);
                if let Some(example) = example(&field, &self.options) {
                    schema["examples"] = json!([example]);
                }
                let place = if header.is_some() { "header" } else { "query" };
                parameters.push(json!({
                    "name": header.as_deref().unwrap_or(field.json_name()), "in": place,
                    "required": required,
                    "description": about_field(&field), "schema": schema,
                }));
            }
        }
        parameters.extend(headers(spec));
        parameters
    }
}

fn is_parameter(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => !field.is_map() && is_text_like(message.full_name()),
        _ => true,
    }
}

/// Headers that say whom a request is for, and whether it was sent before.
fn headers(spec: &MethodSpec) -> Vec<Value> {
    let mut headers = Vec::new();
    let mut add = |name: &str, about: &str, schema: Value| {
        headers.push(json!({
            "name": name, "in": "header", "required": false,
            "description": about, "schema": schema,
        }));
    };
    // A page names its project in what it sends.
    if !matches!(spec.auth, Auth::Public | Auth::ProjectKey) {
        add(
            "X-Organization",
            "Id of the organization to act in, of those the caller is in; the first when absent.",
            json!({"type": "integer", "format": "int64"}),
        );
        add(
            "X-Project",
            "Id or public key of the project to act on. Needed only where there are several and the \
             key was made for none. The query parameter `project` says the same.",
            json!({"type": "string"}),
        );
    }
    if takes_idempotency_key(spec) {
        let about = match spec.secret_answer {
            false => {
                "A repeat of the same request within the window is answered the same and changes \
                 nothing."
            }
            true => {
                "A repeat of the same request within the window changes nothing and is refused, \
                 for its answer shows a secret once."
            }
        };
        let schema = json!({"type": "string", "pattern": "^[!-~]{1,255}$"});
        add("Idempotency-Key", about, schema);
    }
    headers
}
