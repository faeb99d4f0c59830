//! Writes, per service, the trait a product implements and the endpoint that
//! serves it: which method is called by which number.

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
    let _ = writeln!(out, "/// Serves a [`{name}`] over gRPC and REST.");
    let _ = writeln!(
        out,
        "#[derive(Debug)]\npub struct {name}Endpoint<S>(Arc<S>);\n"
    );
    let _ = writeln!(
        out,
        "impl<S: {name}> {name}Endpoint<S> {{\n    /// Wraps a service.\n    \
         pub fn new(service: S) -> Self {{ Self(Arc::new(service)) }}\n}}\n"
    );
    let mut arms = String::new();
    for (method, spec) in service.methods().zip(specs) {
        put_arm(&mut arms, &method, spec);
    }
    let _ = writeln!(
        out,
        "impl<S: {name}> Endpoint for {name}Endpoint<S> {{\n    \
         fn service(&self) -> &'static str {{ {:?} }}\n\n    \
         fn dispatch(&self, method: usize, asked: Asked) -> Dispatched {{\n        \
         let this = self.0.clone();\n        match method {{\n{arms}            \
         _ => dispatch::unknown(),\n        }}\n    }}\n}}\n",
        service.full_name()
    );
}

fn put_arm(out: &mut String, method: &MethodDescriptor, spec: &MethodSpec) {
    let guard = match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => "unary",
        (false, true) => "server_stream",
        (true, false) => "client_stream",
        (true, true) => "bidirectional",
    };
    let key = spec.project_field.and_then(|name| {
        let field = method.input().get_field_by_name(name)?;
        let (json, name) = (field.json_name(), names::field(name));
        let input = names::message(method.input().full_name());
        Some(format!(
            "Some(({json:?}, |request: &{input}| &request.{name})), "
        ))
    });
    let key = match guard {
        "unary" => key.unwrap_or_else(|| "None, ".to_owned()),
        _ => String::new(),
    };
    let _ = writeln!(
        out,
        "            {0} => guard::{guard}(&METHODS[{0}], asked, {key}move |call, request| \
         async move {{ this.{1}(call, request).await }}),",
        spec.index,
        names::snake(method.name())
    );
}
