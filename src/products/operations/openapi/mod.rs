//! The OpenAPI 3.1 document, made from the descriptors the server itself runs on.

mod errors;
mod schema;

use std::collections::{BTreeMap, HashSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use self::errors::{error_name, error_schema};
use super::page::{self, Documented, about_field, about_method, plain_path};
use crate::policy::fields::is_text_like;
use crate::policy::options::{Options, flag};
use crate::policy::template::Template;
use crate::policy::{Auth, Binding, Body, Dialect, MethodSpec};

/// The document.
pub fn document() -> Value {
    let pool = crate::api::pool();
    let mut writer = Writer {
        options: Options::new(&pool),
        schemas: BTreeMap::new(),
    };
    let mut paths: Map<String, Value> = Map::new();
    for method in page::methods(&pool) {
        for (at, binding) in method.spec.bindings.iter().enumerate() {
            let path = paths
                .entry(plain_path(binding.template))
                .or_insert_with(|| json!({}));
            let verb = binding.verb.to_lowercase();
            if let Some(path) = path.as_object_mut()
                && !path.contains_key(&verb)
            {
                path.insert(verb, writer.operation(&method, binding, at));
            }
        }
    }
    let mut schemas: Map<String, Value> = writer.schemas.into_iter().collect();
    for dialect in [
        Dialect::Flat,
        Dialect::Feathers,
        Dialect::Nested,
        Dialect::Envelope,
    ] {
        schemas.insert(error_name(dialect).to_owned(), error_schema(dialect));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Apex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The REST routes of Apex. Every route is also a gRPC and gRPC-Web \
                            method, named in its description.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags(&pool),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "session": {"type": "apiKey", "in": "cookie", "name": "apex_session"},
            },
        },
    })
}

fn tags(pool: &DescriptorPool) -> Value {
    let mut seen = HashSet::new();
    let products = page::methods(pool)
        .into_iter()
        .map(|method| method.spec.service.product);
    let fresh = products.filter(|product| seen.insert(*product));
    fresh.map(|product| json!({"name": product})).collect()
}

struct Writer {
    options: Options,
    schemas: BTreeMap<String, Value>,
}

impl Writer {
    fn operation(&mut self, method: &Documented, binding: &Binding, at: usize) -> Value {
        let Documented { spec, descriptor } = method;
        let service = spec.service.name.rsplit('.').next().unwrap_or_default();
        let suffix = if at == 0 {
            String::new()
        } else {
            format!("_{at}")
        };
        let mut operation = json!({
            "operationId": format!("{service}_{}{suffix}", spec.name),
            "tags": [spec.service.product],
            "description": format!(
                "{}\n\ngRPC: `{}`. Callers: {}. Rate group: `{}`.",
                about_method(descriptor), spec.path, page::who(spec), spec.rate_group
            ),
            "security": security(spec),
            "responses": self.responses(method, binding),
        });
        let parameters = self.parameters(&descriptor.input(), spec, binding);
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(body) = self.request_body(&descriptor.input(), binding) {
            operation["requestBody"] = body;
        }
        operation
    }

    fn parameters(
        &mut self,
        input: &MessageDescriptor,
        spec: &MethodSpec,
        binding: &Binding,
    ) -> Vec<Value> {
        let template = Template::parse(binding.template);
        let variables = template.map(|t| t.variables).unwrap_or_default();
        let mut parameters = Vec::new();
        for variable in &variables {
            let field = input.get_field_by_name(variable.field.split('.').next().unwrap_or(""));
            let schema = field
                .as_ref()
                .map_or(json!({"type": "string"}), |f| self.field(f));
            parameters.push(json!({
                "name": variable.field, "in": "path", "required": true, "schema": schema,
            }));
        }
        if binding.body != Body::Whole {
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
                let schema = self.field(&field);
                parameters.push(json!({
                    "name": field.json_name(), "in": "query", "required": required,
                    "description": about_field(&field), "schema": schema,
                }));
            }
        }
        if spec.scope.is_some_and(|scope| scope.write) && !spec.secret_answer {
            parameters.push(json!({
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "A repeat of the same request within the window is answered the \
                                same and changes nothing.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            }));
        }
        parameters
    }

    fn request_body(&mut self, input: &MessageDescriptor, binding: &Binding) -> Option<Value> {
        let schema = match binding.body {
            Body::None => return None,
            Body::Whole => {
                let template = Template::parse(binding.template).ok()?;
                let bound: Vec<&str> = template
                    .variables
                    .iter()
                    .map(|v| v.field.as_str())
                    .collect();
                match bound.is_empty() {
                    true => self.message(input),
                    false => self.properties(input, &bound),
                }
            }
            Body::Field(name) => self.field(&input.get_field_by_name(name)?),
        };
        Some(json!({
            "required": true,
            "content": {"application/json": {"schema": schema}},
        }))
    }

    fn responses(&mut self, method: &Documented, binding: &Binding) -> Value {
        let spec = method.spec;
        let output = method.descriptor.output();
        let field = binding
            .response_body
            .and_then(|name| output.get_field_by_name(name));
        let content = match (field, output.full_name()) {
            (_, "google.api.HttpBody") => json!({"*/*": {}}),
            (Some(field), _) => json!({"application/json": {"schema": self.field(&field)}}),
            (None, _) if spec.server_streaming => {
                let schema = self.message(&output);
                json!({"application/x-ndjson": {"schema": schema}, "text/event-stream": {}})
            }
            (None, _) => json!({"application/json": {"schema": self.message(&output)}}),
        };
        let error = format!("#/components/schemas/{}", error_name(spec.dialect));
        let error = json!({"application/json": {"schema": {"$ref": error}}});
        let mut responses = Map::new();
        let success = spec.success_status.to_string();
        responses.insert(
            success,
            json!({"description": "Success.", "content": content}),
        );
        let mut fail = |status: &str, text: &str| {
            responses.insert(
                status.to_owned(),
                json!({"description": text, "content": error}),
            );
        };
        fail("400", "The request is not valid.");
        if spec.auth != Auth::Public {
            fail("401", "The credential is missing or wrong.");
            fail("403", "The caller may not do this.");
        }
        if !spec.bindings.iter().all(|b| !b.template.contains('{')) {
            fail("404", "There is no such thing.");
        }
        fail(
            "429",
            "Too many requests; `Retry-After` says how long to wait.",
        );
        fail("500", "Something failed inside.");
        Value::Object(responses)
    }
}

fn is_parameter(field: &FieldDescriptor) -> bool {
    match field.kind() {
        Kind::Message(message) => !field.is_map() && is_text_like(message.full_name()),
        _ => true,
    }
}

fn security(spec: &MethodSpec) -> Value {
    let carriers = spec.service.carriers;
    let mut ways = Vec::new();
    if matches!(spec.auth, Auth::ApiKey | Auth::SessionOrApiKey) {
        if carriers.bearer {
            ways.push(json!({"bearer": []}));
        }
        if carriers.x_api_key {
            ways.push(json!({"apiKey": []}));
        }
    }
    if matches!(spec.auth, Auth::Session | Auth::SessionOrApiKey) {
        ways.push(json!({"session": []}));
    }
    Value::Array(ways)
}
