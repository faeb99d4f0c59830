//! `buf curl` with nothing but the address: it learns the API by reflection.

use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message;
use serde_json::{Value, json};
use tonic_types::pb::{BadRequest, ErrorInfo};

use super::kit::Web;
use super::setup::{Setup, Wire, both, content};

const SERVICE: &str = "apex.metrics.v1.MetricsService";

/// A server and `buf curl`.
struct Curl {
    web: Web,
    setup: Setup,
}

impl Curl {
    fn new(test: &str, wire: Wire) -> Option<Self> {
        let web = Web::find(test)?;
        let setup = Setup::new(wire, &[]);
        Some(Self { web, setup })
    }

    /// The command; over plain text HTTP/2 is known beforehand.
    fn command(&self, protocol: &str) -> Command {
        let mut command = self.web.program("buf");
        command.args(["curl", "--protocol", protocol]);
        match &self.setup.certificate {
            Some(certificate) => command.arg("--cacert").arg(&certificate.cert),
            None => command.arg("--http2-prior-knowledge"),
        };
        command
    }

    /// Calls a method as the owner of a key.
    fn call(&self, protocol: &str, key: &str, method: &str, data: &Value) -> Output {
        let mut command = self.command(protocol);
        if !key.is_empty() {
            command.args(["--header", &format!("Authorization: Bearer {key}")]);
        }
        command.args(["--data", &data.to_string()]);
        command.arg(format!("{}/{SERVICE}/{method}", self.setup.server.url));
        command.output().expect("buf runs")
    }

    /// Expects an answer.
    #[track_caller]
    fn answer(&self, protocol: &str, method: &str, data: &Value) -> Value {
        let output = self.call(protocol, &self.setup.organization.key, method, data);
        assert!(output.status.success(), "{}", both(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// Expects a failure; the exit code is eight times gRPC's.
    #[track_caller]
    fn failure(&self, protocol: &str, key: &str, data: &Value, code: i32) -> Value {
        let output = self.call(protocol, key, "SendEvent", data);
        assert_eq!(output.status.code(), Some(code * 8), "{}", both(&output));
        serde_json::from_slice(&output.stderr).expect("JSON")
    }
}

fn the_examples(curl: &Curl, protocol: &str) {
    let event = json!({
        "event_name": "user_signup",
        "metadata": r#"{"plan": "premium", "source": "landing_page"}"#,
        "visitor_id": "optional_visitor_id",
        "timestamp": "2024-01-15T10:30:00Z",
    });
    let purchase = json!({
        "price": 2999,
        "currency": "USD",
        "product_name": "Premium Plan",
        "quantity": 1,
        "metadata": r#"{"billing": "monthly", "category": "subscription"}"#,
        "visitor_id": "optional_visitor_id",
        "timestamp": "2024-01-15T10:30:00Z",
    });
    for (method, data) in [("SendEvent", &event), ("SendPurchase", &purchase)] {
        let sent = curl.answer(protocol, method, data);
        let id = sent["event_id"].as_str().expect("an id");
        assert!(id.starts_with("evt_"), "{id}");
        assert_eq!(sent, json!({"success": true, "event_id": id}));
    }
    let question = json!({
        "start_date": "2024-01-01",
        "end_date": "2024-01-31",
        "metrics": "page_views,unique_visitors,events",
    });
    assert_eq!(
        curl.answer(protocol, "GetAnalytics", &question),
        json!({
            "data": {"page_views": "0", "unique_visitors": "1", "events": "2"},
            "period": {"start": "2024-01-01", "end": "2024-01-31"},
        })
    );
    the_failures(curl, protocol);
}

fn the_failures(curl: &Curl, protocol: &str) {
    let key = &curl.setup.organization.key;
    let failure = curl.failure(protocol, key, &json!({}), 3);
    assert_eq!(failure["code"], "invalid_argument");
    assert_eq!(failure["message"], "Event name is required");
    let info: ErrorInfo = detail(&failure, "google.rpc.ErrorInfo");
    assert_eq!((&*info.reason, &*info.domain), ("INVALID_REQUEST", "apex"));
    let bad: BadRequest = detail(&failure, "google.rpc.BadRequest");
    let [violation] = &bad.field_violations[..] else {
        panic!("{bad:?}");
    };
    assert_eq!(violation.field, "event_name");
    assert_eq!(violation.description, "Event name is required");

    let failure = curl.failure(protocol, "", &json!({"event_name": "x"}), 16);
    assert_eq!(failure["code"], "unauthenticated");
    assert_eq!(failure["message"], "Authentication is required");
    let info: ErrorInfo = detail(&failure, "google.rpc.ErrorInfo");
    assert_eq!((&*info.reason, &*info.domain), ("UNAUTHORIZED", "apex"));
}

/// A detail of a failure, as `buf` shows it.
fn detail<M: Message + Default>(failure: &Value, name: &str) -> M {
    let details = failure["details"].as_array().expect("details");
    let found = details.iter().find(|detail| detail["type"] == name);
    let value = found.and_then(|detail| detail["value"].as_str());
    let value = value.unwrap_or_else(|| panic!("no {name}: {failure}"));
    let bytes = STANDARD_NO_PAD.decode(value).expect("base64");
    M::decode(&*bytes).expect("a message")
}

fn run(test: &str, wire: Wire, protocol: &str) {
    if let Some(curl) = Curl::new(test, wire) {
        the_examples(&curl, protocol);
    }
}

#[test]
fn grpc_over_h2c() {
    run("clients::buf::grpc_over_h2c", Wire::Plain, "grpc");
}

#[test]
fn grpc_over_tls() {
    run("clients::buf::grpc_over_tls", Wire::Tls, "grpc");
}

#[test]
fn grpc_web_over_h2c() {
    run("clients::buf::grpc_web_over_h2c", Wire::Plain, "grpcweb");
}

#[test]
fn grpc_web_over_tls() {
    run("clients::buf::grpc_web_over_tls", Wire::Tls, "grpcweb");
}

#[test]
fn grpc_web_over_http1() {
    let Some(curl) = Curl::new("clients::buf::grpc_web_over_http1", Wire::Plain) else {
        return;
    };
    // Reflection is a stream in both directions, which HTTP/1.1 has not.
    let mut command = curl.web.program("buf");
    command.args(["curl", "--protocol", "grpcweb", "--schema", "."]);
    let key = &curl.setup.organization.key;
    command.args(["--header", &format!("Authorization: Bearer {key}")]);
    command.args(["--data", r#"{"event_name": "user_signup"}"#, "--verbose"]);
    command.arg(format!("{}/{SERVICE}/SendEvent", curl.setup.server.url));
    let output = command.output().expect("buf runs");
    assert!(output.status.success(), "{}", both(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(answer["success"], true);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("HTTP/1.1 200 OK"), "{told}");
}

#[test]
fn a_stream_in_both_directions() {
    let Some(curl) = Curl::new("clients::buf::a_stream_in_both_directions", Wire::Tls) else {
        return;
    };
    let said = [
        json!({"stream": "buf"}),
        json!({"position": 2, "events": [{"event_name": "a"}, {"event_name": "b"}]}),
        json!({"position": 3, "events": [{"event_name": ""}]}),
    ];
    let said: String = said.iter().map(Value::to_string).collect();
    let mut command = curl.command("grpc");
    let key = &curl.setup.organization.key;
    command.args(["--header", &format!("Authorization: Bearer {key}")]);
    command.args(["--data", &said]);
    command.arg(format!("{}/{SERVICE}/IngestEvents", curl.setup.server.url));
    let answers = content(&mut command);
    let answers: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&answers)
        .into_iter()
        .collect();
    assert_eq!(
        json!(answers.expect("JSON")),
        json!([
            {},
            {"position": "2", "received": "2"},
            {"position": "3", "errors": [
                {"outcome": "OUTCOME_INVALID", "error": "Event name is required"},
            ]},
        ])
    );
}

#[test]
fn both_versions_of_reflection_list_the_same() {
    let test = "clients::buf::both_versions_of_reflection_list_the_same";
    let Some(curl) = Curl::new(test, Wire::Plain) else {
        return;
    };
    let list = |version: &str| {
        let mut command = curl.command("grpc");
        command.args(["--list-methods", "--reflect-protocol", version]);
        command.arg(&curl.setup.server.url);
        content(&mut command)
    };
    let methods = list("grpc-v1");
    assert_eq!(methods, list("grpc-v1alpha"));
    // Every method of the policy table, and no other.
    let rows = curl.setup.server.apex_json(&["routes"]);
    let rows = rows.as_array().expect("rows").iter();
    let mut own: Vec<&str> = rows.filter_map(|row| row["grpc_method"].as_str()).collect();
    own.sort_unstable();
    own.dedup();
    assert_eq!(methods.lines().collect::<Vec<_>>(), own);
}

#[test]
fn a_certificate_nobody_trusts_is_refused() {
    let test = "clients::buf::a_certificate_nobody_trusts_is_refused";
    let Some(curl) = Curl::new(test, Wire::Tls) else {
        return;
    };
    let mut command = curl.web.program("buf");
    command.args(["curl", "--protocol", "grpc", "--list-services"]);
    command.arg(&curl.setup.server.url);
    let output = command.output().expect("buf runs");
    assert!(!output.status.success(), "{}", both(&output));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("the server hosted at that remote is unavailable"),
        "{told}"
    );
}
