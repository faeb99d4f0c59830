//! The OpenAPI 3.1 document, made from the descriptors the server itself runs on.

mod errors;
mod headers;
mod keywords;
mod parameters;
mod responses;
mod schema;

use std::collections::{BTreeMap, HashSet};

use prost_reflect::{DescriptorPool, FieldDescriptor, MessageDescriptor};
use serde_json::{Map, Value, json};

use self::errors::{error_name, error_schema};
use self::responses::HTTP_BODY;
pub(super) use self::responses::{failures, takes_idempotency_key};
use self::schema::Side;
use super::guide;
use super::page::{self, Documented, about_method, plain_path};
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
    let mut methods = page::methods(&pool);
    // A route that methods share is its owner's; the others are forms of it.
    methods.sort_by_key(|method| !method.spec.when.is_empty());
    for method in methods {
        for (at, binding) in method.spec.bindings.iter().enumerate() {
            let path = paths
                .entry(plain_path(binding.template))
                .or_insert_with(|| json!({}));
            let verb = binding.verb.to_lowercase();
            let Some(path) = path.as_object_mut() else {
                continue;
            };
            match path.get_mut(&verb) {
                None => {
                    path.insert(verb, writer.operation(&method, binding, at));
                }
                Some(owner) => writer.form(owner, &method),
            }
        }
    }
    let schemas = writer.schemas.into_iter();
    let mut schemas: Map<String, Value> = schemas.map(|(name, (_, own))| (name, own)).collect();
    for dialect in [
        Dialect::Flat,
        Dialect::Feathers,
        Dialect::Nested,
        Dialect::Envelope,
        Dialect::Ofrep,
    ] {
        schemas.insert(error_name(dialect).to_owned(), error_schema(dialect));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Apex",
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!(
                "The REST routes of Apex. Every route is also a gRPC and gRPC-Web method, named in \
                 its description.\n\n{}",
                guide::markdown()
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags(&pool),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": headers::all(),
            "securitySchemes": {
                "bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key, apex_key_….",
                },
                "apiKey": {
                    "type": "apiKey", "in": "header", "name": "x-api-key",
                    "description": "An API key, apex_key_….",
                },
                "session": {
                    "type": "apiKey", "in": "cookie", "name": "apex_session",
                    "description": "Set by POST /api/auth/sign-in.",
                },
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
    schemas: BTreeMap<String, (Side, Value)>,
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
            "responses": self.responses(spec, descriptor, binding),
        });
        let parameters = self.parameters(&descriptor.input(), spec, binding);
        if !parameters.is_empty() {
            operation["parameters"] = Value::Array(parameters);
        }
        if let Some(body) = self.request_body(&descriptor.input(), spec, binding) {
            operation["requestBody"] = body;
        }
        operation
    }

    /// Tells of a form in the words of the operation it is a form of, which has one
    /// schema for its body.
    fn form(&mut self, owner: &mut Value, method: &Documented) {
        let Documented { spec, descriptor } = method;
        let members = spec.when.iter().filter_map(|when| when.body_member);
        let members: Vec<String> = members.map(|name| format!("`{name}`")).collect();
        let mut named = spec.when.iter().filter_map(|when| when.service_method);
        let query = spec.when.iter().find_map(|when| when.query);
        let accept = spec.when.iter().find_map(|when| when.accept);
        let circumstance = match (members.is_empty(), named.next(), query) {
            (false, ..) => format!("A body with {} is", members.join(" or ")),
            (true, Some(name), _) => format!("With `X-Service-Method: {name}` it is"),
            (true, None, Some(pair)) => format!("With `{pair}` in the query it is"),
            (true, None, None) => match accept {
                Some(kind) => format!("With `Accept: {kind}` it is"),
                None => return,
            },
        };
        let output = descriptor.output();
        let status = spec.success_status.to_string();
        if spec.server_streaming {
            let schema = self.message(&output, Side::answer(spec.profile));
            let content = &mut owner["responses"][&status]["content"];
            content["application/x-ndjson"] = json!({"schema": schema});
            content["text/event-stream"] = json!({});
        }
        let shape = if output.full_name() == HTTP_BODY {
            owner["responses"][status]["content"]["*/*"] = json!({});
            String::new()
        } else {
            let body = self.message(&descriptor.input(), Side::request(spec.profile));
            let answer = self.message(&output, Side::answer(spec.profile));
            let name = |schema: &Value| schema["$ref"].as_str().unwrap_or_default().to_owned();
            format!(
                "Its body is `{}`, its answer `{}`. ",
                name(&body),
                name(&answer)
            )
        };
        let told = owner["description"].as_str().unwrap_or_default();
        owner["description"] = json!(format!(
            "{told}\n\n{circumstance} another call: {}\n\n{shape}gRPC: `{}`. Callers: {}. Rate \
             group: `{}`.",
            about_method(descriptor),
            spec.path,
            page::who(spec),
            spec.rate_group
        ));
    }

    /// A record that is made or replaced, with the members it cannot do without.
    fn record(
        &self,
        field: &FieldDescriptor,
        schema: Value,
        spec: &MethodSpec,
        binding: &Binding,
    ) -> Value {
        let kind = field.kind();
        let fields = kind.as_message().map(MessageDescriptor::fields);
        let needed = fields.into_iter().flatten().filter(|field| {
            self.options.field(field).is_some_and(|own| {
                flag(&own, "needed") && !(binding.verb == "PUT" && flag(&own, "once"))
            })
        });
        let names: Vec<String> = needed.map(|field| field.json_name().to_owned()).collect();
        if names.is_empty() || spec.update_mask_from_body {
            return schema;
        }
        json!({"allOf": [schema, {"required": names}]})
    }

    /// One of the items of a list, or the list.
    fn one_or_many(&mut self, list: &FieldDescriptor, side: Side) -> Value {
        let several = self.field(list, side);
        json!({"anyOf": [several["items"].clone(), several]})
    }

    fn request_body(
        &mut self,
        input: &MessageDescriptor,
        spec: &MethodSpec,
        binding: &Binding,
    ) -> Option<Value> {
        let side = Side::request(spec.profile);
        let template = Template::parse(binding.template).ok()?;
        let variables = template.variables.iter();
        let bound: Vec<&str> = variables.map(|v| v.field.as_str()).collect();
        let schema = match binding.body {
            Body::None => return None,
            Body::Whole if let Some(name) = spec.one_or_many => {
                let list = input.get_field_by_name(name)?;
                let mut several = self.field(&list, side);
                let one = self.record(&list, several["items"].clone(), spec, binding);
                several["items"] = one.clone();
                json!({"anyOf": [one, several]})
            }
            Body::Whole if bound.is_empty() => self.message(input, side),
            Body::Whole => self.properties(input, side, &bound),
            Body::Field(name) => {
                let field = input.get_field_by_name(name)?;
                let kind = field.kind();
                let raw = kind.as_message().filter(|own| own.full_name() == HTTP_BODY);
                if raw.is_some() {
                    // Bytes of any kind.
                    return Some(json!({"content": {"*/*": {}}}));
                }
                let schema = self.field(&field, side);
                self.record(&field, schema, spec, binding)
            }
        };
        // No body is one without members.
        let mut filled = input.fields().filter(|field| match binding.body {
            Body::Field(name) => name == field.name(),
            Body::None | Body::Whole => !bound.contains(&field.name()),
        });
        let required = filled.any(|field| {
            let own = self.options.field(&field);
            own.is_some_and(|own| flag(&own, "required"))
        });
        Some(json!({
            "required": required,
            "content": {"application/json": {"schema": schema}},
        }))
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
