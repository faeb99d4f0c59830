//! The handler that answers what it understood: the method, the path template
//! that matched, and the request as canonical JSON.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use serde_json::json;

use super::endpoint::{Exchange, Handler};
use crate::api;
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::policy::{MethodSpec, Profile};
use crate::transcode::json::{Rules, encode};
use crate::transcode::schema::Schema;

const HTTP_BODY: &str = "google.api.HttpBody";

/// Adds the type of what REST answers, where the descriptors lack it.
pub(super) fn add_http_body(pool: &mut DescriptorPool) -> Result<()> {
    let own = api::pool();
    for name in ["google/protobuf/any.proto", "google/api/httpbody.proto"] {
        let Some(file) = own.get_file_by_name(name) else {
            continue;
        };
        if pool.get_file_by_name(name).is_none() {
            pool.add_file_descriptor_proto(file.file_descriptor_proto().clone())
                .map_err(Error::internal)?;
        }
    }
    Ok(())
}

/// The same methods, each answering one `HttpBody` over REST.
pub(super) fn answering_http_bodies(methods: &[MethodSpec]) -> Vec<MethodSpec> {
    let answering = |spec: &MethodSpec| {
        let bindings = spec.bindings.iter().map(|binding| crate::policy::Binding {
            response_body: None,
            ..*binding
        });
        MethodSpec {
            output: HTTP_BODY,
            server_streaming: false,
            bindings: bindings.collect::<Vec<_>>().leak(),
            ..*spec
        }
    };
    methods.iter().map(answering).collect()
}

/// Answers what was understood. gRPC answers messages of the declared type: the
/// request itself where that is its type, else an empty one.
pub(super) fn handler(schema: Schema, declared: &'static [MethodSpec]) -> Handler {
    let schema = Arc::new(schema);
    Arc::new(move |exchange| {
        let answer = match exchange.template {
            Some(template) => understood(&schema, &exchange, template),
            None => Ok(same(&declared[exchange.spec.index], exchange.request)),
        };
        std::future::ready(vec![answer]).boxed()
    })
}

fn same(declared: &MethodSpec, request: Bytes) -> Bytes {
    match declared.input == declared.output {
        true => request,
        false => Bytes::new(),
    }
}

fn understood(schema: &Schema, exchange: &Exchange, template: &str) -> Result<Bytes> {
    let spec = exchange.spec;
    let unreadable = || Error::internal("the request cannot be written as JSON");
    let input = schema.find(spec.input).ok_or_else(unreadable)?;
    let mut request = Vec::new();
    let rules = Rules::of(Profile::Canonical);
    encode::message(schema, rules, input, &exchange.request, &mut request)
        .map_err(|_| unreadable())?;
    let request = String::from_utf8(request).map_err(Error::internal)?;
    let (method, template) = (json!(spec.path), json!(template));
    let text = format!(r#"{{"method":{method},"template":{template},"request":{request}}}"#);
    let body = HttpBody {
        content_type: "application/json".to_owned(),
        data: text.into(),
        extensions: Vec::new(),
    };
    Ok(body.encode_to_vec().into())
}
