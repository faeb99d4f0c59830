//! Writes the policy table as Rust constants.

use std::fmt::Write as _;

use crate::policy::{Binding, Body, MethodSpec, Scope, ServiceSpec, When};

/// The source of `SERVICES` and `METHODS`.
pub fn emit(methods: &[MethodSpec]) -> String {
    let mut services: Vec<&ServiceSpec> = Vec::new();
    for method in methods {
        if !services
            .iter()
            .any(|known| known.name == method.service.name)
        {
            services.push(method.service);
        }
    }
    let mut out = String::new();
    let _ = writeln!(out, "/// Policy of every service.");
    let _ = writeln!(
        out,
        "pub static SERVICES: [ServiceSpec; {}] = [",
        services.len()
    );
    services
        .iter()
        .for_each(|service| put_service(&mut out, service));
    let _ = writeln!(out, "];\n");
    let _ = writeln!(
        out,
        "/// Policy of every method, in the order of the protos."
    );
    let _ = writeln!(
        out,
        "pub static METHODS: [MethodSpec; {}] = [",
        methods.len()
    );
    for method in methods {
        let at = services
            .iter()
            .position(|known| known.name == method.service.name);
        put_method(&mut out, method, at.unwrap_or_default());
    }
    let _ = writeln!(out, "];");
    out
}

fn put_service(out: &mut String, spec: &ServiceSpec) {
    let ServiceSpec {
        name,
        product,
        carriers,
        rate_headers,
        invalid_code,
        dialect,
        owns,
        plans,
        unknown_key,
    } = spec;
    let _ = writeln!(
        out,
        "    ServiceSpec {{ name: {name:?}, product: {product:?}, carriers: {carriers:?}, \
         rate_headers: {rate_headers}, invalid_code: {invalid_code:?}, \
         dialect: Dialect::{dialect:?}, owns: &{owns:?}, plans: {plans}, \
         unknown_key: {unknown_key:?} }},"
    );
}

fn put_method(out: &mut String, spec: &MethodSpec, service: usize) {
    let MethodSpec {
        index,
        service: _,
        name,
        path,
        input,
        output,
        client_streaming,
        server_streaming,
        auth,
        project_field,
        scope,
        role,
        rate_group,
        success_status,
        body_limit,
        timeout_ms,
        dialect,
        profile,
        when,
        update_mask_from_body,
        updatable,
        one_or_many,
        body_or_query,
        secret_answer,
        idempotency_window_s,
        any_origin,
        any_query,
        until_set_up,
        action,
        bindings,
    } = spec;
    let scope = match scope {
        Some(Scope { product, write }) => {
            format!("Some(Scope {{ product: {product:?}, write: {write} }})")
        }
        None => "None".to_owned(),
    };
    let when: String = when
        .iter()
        .map(|when| format!("{}, ", literal(when)))
        .collect();
    let updatable = match updatable {
        Some(names) => format!("Some(&{names:?})"),
        None => "None".to_owned(),
    };
    let bindings: String = bindings.iter().map(binding).collect();
    let _ = writeln!(
        out,
        "    MethodSpec {{ index: {index}, service: &SERVICES[{service}], name: {name:?}, \
         path: {path:?}, input: {input:?}, output: {output:?}, \
         client_streaming: {client_streaming}, server_streaming: {server_streaming}, \
         auth: Auth::{auth:?}, project_field: {project_field:?}, scope: {scope}, \
         role: Role::{role:?}, rate_group: {rate_group:?}, success_status: {success_status}, \
         body_limit: {body_limit:?}, timeout_ms: {timeout_ms:?}, dialect: Dialect::{dialect:?}, \
         profile: Profile::{profile:?}, when: &[{when}], \
         update_mask_from_body: {update_mask_from_body}, updatable: {updatable}, \
         one_or_many: {one_or_many:?}, \
         body_or_query: {body_or_query}, secret_answer: {secret_answer}, \
         idempotency_window_s: {idempotency_window_s}, any_origin: {any_origin}, \
         any_query: {any_query}, \
         until_set_up: {until_set_up}, action: {action:?}, bindings: &[{bindings}] }},"
    );
}

/// `When` holds only options and plain values, whose Debug form is Rust.
fn literal(when: &When) -> String {
    format!("{when:?}")
}

fn binding(binding: &Binding) -> String {
    let Binding {
        verb,
        template,
        body,
        response_body,
    } = binding;
    let body = match body {
        Body::None => "Body::None".to_owned(),
        Body::Whole => "Body::Whole".to_owned(),
        Body::Field(name) => format!("Body::Field({name:?})"),
    };
    format!(
        "Binding {{ verb: {verb:?}, template: {template:?}, body: {body}, \
         response_body: {response_body:?} }}, "
    )
}
