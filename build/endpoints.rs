//! Writes, per service, the trait a product implements and the endpoint that
//! serves it: tonic's server trait, and a dispatcher that calls the very same methods
//! with a message that has been read.

use std::fmt::Write as _;

use prost_reflect::{DescriptorPool, MethodDescriptor, ServiceDescriptor};

use crate::names;
use crate::policy::MethodSpec;

/// The source of all service traits and endpoints.
pub fn emit(pool: &DescriptorPool, methods: &[MethodSpec]) -> String {
    let mut out = String::new();
    for service in pool.services() {
        if !names::has_code(service.package_name()) {
            continue;
        }
        // The table lists a service's methods in the order of its proto.
        let own = methods
            .iter()
            .filter(|spec| spec.service.name == service.full_name());
        let specs: Vec<&MethodSpec> = own.collect();
        put_trait(&mut out, &service);
        put_endpoint(&mut out, &service, &specs);
    }
    out
}

fn comment(file_path: &[i32], method: &MethodDescriptor) -> Option<String> {
    find_comment(method.parent_file().file_descriptor_proto(), file_path)
}

fn find_comment(file: &prost_types::FileDescriptorProto, path: &[i32]) -> Option<String> {
    let info = file.source_code_info.as_ref()?;
    let hit = info
        .location
        .iter()
        .find(|location| location.path == path)?;
    hit.leading_comments.clone()
}

fn signature(method: &MethodDescriptor) -> String {
    let name = names::snake(method.name());
    let input = names::message(method.input().full_name());
    let output = names::message(method.output().full_name());
    let request = if method.is_client_streaming() {
        format!("requests: Requests<{input}>")
    } else {
        format!("request: {input}")
    };
    let answer = if method.is_server_streaming() {
        format!("Replies<{output}>")
    } else {
        format!("Reply<{output}>")
    };
    format!(
        "fn {name}(&self, call: Call, {request}) -> \
         impl Future<Output = Result<{answer}, Error>> + Send;"
    )
}

fn put_trait(out: &mut String, service: &ServiceDescriptor) {
    let about = find_comment(
        service.parent_file().file_descriptor_proto(),
        service.path(),
    );
    let _ = write!(out, "{}", names::doc(about.as_deref(), ""));
    let _ = writeln!(
        out,
        "pub trait {}: Send + Sync + 'static {{",
        service.name()
    );
    for method in service.methods() {
        let about = comment(method.path(), &method);
        let _ = write!(out, "{}", names::doc(about.as_deref(), "    "));
        let _ = writeln!(out, "    {}", signature(&method));
    }
    let _ = writeln!(out, "}}\n");
}

fn put_endpoint(out: &mut String, service: &ServiceDescriptor, specs: &[&MethodSpec]) {
    let name = service.name();
    let server = format!(
        "{}::{}_server",
        names::module(service.package_name()),
        names::snake(name)
    );
    let _ = writeln!(out, "/// Serves a [`{name}`] over gRPC and REST.");
    let _ = writeln!(
        out,
        "#[derive(Debug)]\npub struct {name}Endpoint<S>(Arc<S>);\n"
    );
    let _ = writeln!(
        out,
        "impl<S> Clone for {name}Endpoint<S> {{\n    fn clone(&self) -> Self {{ Self(self.0.clone()) }}\n}}\n"
    );
    let _ = writeln!(
        out,
        "impl<S: {name}> {name}Endpoint<S> {{\n    /// Wraps a service.\n    \
         pub fn new(service: S) -> Self {{ Self(Arc::new(service)) }}\n}}\n"
    );
    let _ = writeln!(
        out,
        "#[tonic::async_trait]\nimpl<S: {name}> {server}::{name} for {name}Endpoint<S> {{"
    );
    service
        .methods()
        .zip(specs)
        .for_each(|(method, spec)| put_method(out, &method, spec));
    let _ = writeln!(out, "}}\n");
    put_dispatch(out, service, &server, specs);
}

fn put_method(out: &mut String, method: &MethodDescriptor, spec: &MethodSpec) {
    let name = names::snake(method.name());
    let input = names::message(method.input().full_name());
    let output = names::message(method.output().full_name());
    let streamed = method.is_server_streaming();
    let key = spec.project_field.and_then(|name| {
        let field = method.input().get_field_by_name(name)?;
        let (json, name) = (field.json_name().to_owned(), names::field(name));
        Some(format!("({json:?}, |request| &request.{name}), "))
    });
    let (request, guard) = match (method.is_client_streaming(), streamed) {
        (false, false) if key.is_some() => (input, "page"),
        (false, false) => (input, "unary"),
        (false, true) => (input, "server_stream"),
        (true, false) => (format!("tonic::Streaming<{input}>"), "client_stream"),
        (true, true) => (format!("tonic::Streaming<{input}>"), "bidirectional"),
    };
    let answer = if streamed {
        let _ = writeln!(out, "    type {}Stream = Replies<{output}>;", method.name());
        format!("Replies<{output}>")
    } else {
        output
    };
    let _ = writeln!(
        out,
        "    async fn {name}(&self, request: tonic::Request<{request}>) -> \
         Result<tonic::Response<{answer}>, tonic::Status> {{\n        \
         guard::{guard}(&METHODS[{}], request, {}|call, request| \
         self.0.{name}(call, request)).await\n    }}",
        spec.index,
        key.unwrap_or_default()
    );
}

fn put_dispatch(
    out: &mut String,
    service: &ServiceDescriptor,
    server: &str,
    specs: &[&MethodSpec],
) {
    let name = service.name();
    let mut arms = String::new();
    let specs = service.methods().zip(specs);
    for (method, spec) in specs.filter(|(method, _)| !method.is_client_streaming()) {
        let snake = names::snake(method.name());
        let dispatch = if method.is_server_streaming() {
            "stream"
        } else {
            "unary"
        };
        let _ = writeln!(
            arms,
            "            {} => Box::pin(async move {{ dispatch::{dispatch}(request, \
             |request| {server}::{name}::{snake}(&this, request)).await }}),",
            spec.index
        );
    }
    let _ = writeln!(
        out,
        "impl<S: {name}> Endpoint for {name}Endpoint<S> {{\n    \
         fn service(&self) -> &'static str {{ {:?} }}\n\n    \
         fn grpc(&self, limits: MessageLimits) -> GrpcService {{\n        \
         dispatch::grpc({server}::{name}Server::new(self.clone())\n            \
         .max_decoding_message_size(limits.decoding)\n            \
         .max_encoding_message_size(limits.encoding)\n            \
         .accept_compressed(tonic::codec::CompressionEncoding::Gzip)\n            \
         .accept_compressed(tonic::codec::CompressionEncoding::Zstd)\n            \
         .send_compressed(tonic::codec::CompressionEncoding::Gzip)\n            \
         .send_compressed(tonic::codec::CompressionEncoding::Zstd))\n    }}\n",
        service.full_name()
    );
    let this = if arms.is_empty() {
        ""
    } else {
        "        let this = self.clone();\n"
    };
    let request = if arms.is_empty() {
        "_request"
    } else {
        "request"
    };
    let _ = writeln!(
        out,
        "    fn dispatch(&self, method: usize, {request}: tonic::Request<Bytes>) -> Dispatched {{\n\
         {this}        match method {{\n{arms}            \
         _ => dispatch::unknown(),\n        }}\n    }}\n}}\n"
    );
}
