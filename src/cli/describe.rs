//! `apex routes` and `apex openapi`.

use serde_json::{Value, json};

use super::Outcome;
use super::output::{Output, table};
use crate::policy::{Auth, MethodSpec};
use crate::products::operations::openapi;

/// Prints a table of every route.
pub(super) fn routes(output: Output) -> Outcome {
    let mut rows = Vec::new();
    for spec in crate::app::methods() {
        if spec.bindings.is_empty() {
            rows.push(row(spec, "", ""));
        }
        rows.extend(
            spec.bindings
                .iter()
                .map(|binding| row(spec, binding.verb, binding.template)),
        );
    }
    const HEADINGS: [&str; 6] = [
        "VERB",
        "PATH",
        "GRPC METHOD",
        "AUTH",
        "RATE GROUP",
        "ERRORS",
    ];
    const MEMBERS: [&str; 6] = [
        "verb",
        "path",
        "grpc_method",
        "auth",
        "rate_group",
        "error_dialect",
    ];
    let json: Value = rows
        .iter()
        .map(|row| {
            let members = MEMBERS.iter().zip(row);
            let members = members.map(|(name, value)| ((*name).to_owned(), json!(value)));
            Value::Object(members.collect())
        })
        .collect();
    output.result(&json, || table(&HEADINGS, &rows));
    Ok(())
}

fn row(spec: &MethodSpec, verb: &str, path: &str) -> Vec<String> {
    let auth = match spec.auth {
        Auth::Public => "public",
        Auth::ApiKey => "api key",
        Auth::Session => "session",
        Auth::SessionOrApiKey => "session or api key",
        Auth::ProjectKey => "project key",
        Auth::Operator => "operator",
    };
    let auth = match spec.scope {
        Some(scope) => format!("{auth}: {scope}"),
        None => auth.to_owned(),
    };
    vec![
        verb.to_owned(),
        path.to_owned(),
        spec.path.trim_start_matches('/').to_owned(),
        auth,
        spec.rate_group.to_owned(),
        format!("{:?}", spec.dialect).to_lowercase(),
    ]
}

/// Prints the OpenAPI document.
pub(super) fn openapi(output: Output) -> Outcome {
    let document = openapi::document();
    output.result(&document, || format!("{document:#}"));
    Ok(())
}
