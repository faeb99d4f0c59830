//! What the counters and the log say of requests, however they end: answered, given
//! up, failed after their head, refused before they reached a method.

use apex::api::apex::metrics::v1 as pb;
use apex::api::apex::metrics::v1::metrics_service_client::MetricsServiceClient;
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::support::attacker::{Attacker, until};
use crate::support::{Server, grpc, web};

const EVENTS: &str = "/api/v1/events";
const SEND: &str = "/apex.metrics.v1.MetricsService/SendEvent";
const SEND_MANY: &str = "/apex.metrics.v1.MetricsService/SendEvents";
const INGEST: &str = "/apex.metrics.v1.MetricsService/IngestEvents";
const REPORT: &str = "/apex.metrics.v1.MetricsService/GetAnalytics";

/// A figure of `/metrics`, zero while nothing was counted.
async fn figure(server: &Server, name: &str) -> i64 {
    let metrics = server.http().get("/metrics").await.text;
    let mut lines = metrics.lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.map_or(0, |number| number.parse().unwrap())
}

fn requests(method: &str, protocol: &str, code: &str) -> String {
    format!(r#"apex_requests_total{{method="{method}",protocol="{protocol}",code="{code}"}}"#)
}

fn event() -> pb::SendEventRequest {
    pb::SendEventRequest {
        event_name: "x".to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_client_that_went_away_is_counted() {
    let server = Server::start();
    let owner = server.organization("Acme");
    let mut client = Attacker::connect(&server.url).await;
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         X-Request-Id: gone-away\r\nContent-Length: 18\r\n\r\n{{",
        owner.key
    );
    assert!(client.send(head).await);
    let waits = || async { figure(&server, "apex_requests_in_flight").await > 1 };
    until("waiting for the body", waits).await;
    drop(client);
    let code = ["499", "400"].map(|code| requests(SEND, "rest", code));
    until("counting", || async {
        figure(&server, &code[0]).await + figure(&server, &code[1]).await == 1
    })
    .await;
    until("a line", || async { server.log().contains("gone-away") }).await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains("gone-away")).unwrap();
    assert!(line.contains(SEND) && line.contains(EVENTS), "{line}");
    assert!(!line.contains(&owner.key), "{line}");
}

#[tokio::test]
async fn permission_to_ask_is_counted() {
    let server = Server::start();
    let page = server.http().with("origin", "https://elsewhere.example");
    let asking = page.with("access-control-request-method", "POST");
    let answer = asking.send(Method::OPTIONS, EVENTS, None).await;
    assert_eq!(answer.status, 200);
    let counted = requests("preflight", "rest", "200");
    assert_eq!(figure(&server, &counted).await, 1);
}

/// An open stream is a request that is being served; its end is told, not its head.
#[tokio::test]
async fn a_stream_counts_until_it_ends() {
    let server = Server::start();
    let mut health = HealthClient::new(grpc::channel(&server.url).await);
    let request = HealthCheckRequest::default();
    let mut watched = health.watch(request).await.unwrap().into_inner();
    watched.message().await.unwrap().unwrap();
    assert_eq!(figure(&server, "apex_requests_in_flight").await, 2);
    drop((watched, health));
    let gone = requests("/grpc.health.v1.Health/Watch", "grpc", "Cancelled");
    until("the end of the stream", || async {
        figure(&server, &gone).await == 1
    })
    .await;
    until("being served no more", || async {
        figure(&server, "apex_requests_in_flight").await == 1
    })
    .await;
}

#[tokio::test]
async fn what_fails_after_the_head_is_counted_and_explained() {
    let server = Server::with(&[
        ("APEX_TRANSPORT_STREAM_IDLE_TIMEOUT", "250ms"),
        ("APEX_TRANSPORT_MAX_MESSAGE_OUT", "600"),
    ]);
    let owner = server.organization("Acme");
    let mut client = grpc::metrics(&server.url, &owner.key).await;
    // Too large an answer is found when it is written.
    let item = pb::EventItem {
        event_name: "x".to_owned(),
        ..Default::default()
    };
    let many = pb::SendEventsRequest {
        events: vec![item; 100],
    };
    let status = client.send_events(many.clone()).await.unwrap_err();
    assert_eq!(grpc::reason(&status), "PAYLOAD_TOO_LARGE", "{status:?}");
    let code = format!("{:?}", status.code());
    assert_ne!(code, "Ok");
    assert_eq!(
        figure(&server, &requests(SEND_MANY, "grpc", &code)).await,
        1
    );
    assert_eq!(figure(&server, &requests(SEND_MANY, "grpc", "Ok")).await, 0);
    let http = server.http().bearer(&owner.key);
    let method = SEND_MANY.trim_start_matches('/');
    let sent = web::call::<pb::SendEventsResponse>(&http, method, &many).await;
    assert_eq!(sent.unwrap_err().code(), status.code());
    assert_eq!(
        figure(&server, &requests(SEND_MANY, "grpc-web", &code)).await,
        1
    );
    // A stream whose client falls silent.
    let (_open, sent) = mpsc::channel(1);
    let answers = client.ingest_events(ReceiverStream::new(sent)).await;
    let ended = answers.unwrap().into_inner().message().await.unwrap_err();
    assert_eq!(ended.code(), Code::DeadlineExceeded);
    let counted = requests(INGEST, "grpc", "DeadlineExceeded");
    assert_eq!(figure(&server, &counted).await, 1);
}

/// A stream that stays open takes the place of a stream, and of nothing else.
#[tokio::test]
async fn streams_have_places_of_their_own() {
    let server = Server::with(&[
        ("APEX_TRANSPORT_MAX_IN_FLIGHT", "40"),
        ("APEX_TRANSPORT_MAX_IN_FLIGHT_SHARE", "2"),
    ]);
    let owner = server.organization("Acme");
    let client = grpc::metrics(&server.url, &owner.key).await;
    let open = |mut client: MetricsServiceClient<grpc::Calls>| async move {
        let (requests, sent) = mpsc::channel::<pb::IngestEventsRequest>(1);
        let answers = client.ingest_events(ReceiverStream::new(sent)).await?;
        Ok::<_, tonic::Status>((requests, answers))
    };
    let first = open(client.clone()).await.unwrap();
    let _second = open(client.clone()).await.unwrap();
    let refused = open(client.clone()).await.unwrap_err();
    assert_eq!(grpc::reason(&refused), "OVERLOADED");
    assert!(refused.get_details_retry_info().is_some());
    client.clone().send_event(event()).await.unwrap();
    drop(first);
    until("room for a stream", || async {
        open(client.clone()).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn who_guesses_grpc_methods_is_counted_by_address() {
    let server = Server::with(&[("APEX_LIMITS_ADDRESS_LIMIT", "3")]);
    let http = crate::support::Http::http2(&server.url).with("content-type", "application/grpc");
    for code in ["12", "12", "12", "8"] {
        let guess = http.send(Method::POST, "/apex.metrics.v1.MetricsService/No", None);
        let answer = guess.await;
        assert_eq!(answer.header("grpc-status"), Some(code));
    }
    // Others from there are strangers of the same limit; who is known is not.
    let answer = server.http().post(EVENTS, &json!({})).await;
    assert_eq!(answer.status, 429);
    let refusals = |group: &str| format!(r#"apex_rate_limited_requests_total{{group="{group}"}}"#);
    assert_eq!(figure(&server, &refusals("address")).await, 2);
    assert_eq!(figure(&server, &refusals("metrics.events")).await, 0);
}

#[tokio::test]
async fn the_line_names_the_route() {
    let server = Server::start();
    let owner = server.organization("Acme");
    let http = server
        .http()
        .bearer(&owner.key)
        .with("x-request-id", "seek-me");
    assert_eq!(
        http.get("/api/v1/analytics?metrics=events").await.status,
        200
    );
    until("a line", || async { server.log().contains("seek-me") }).await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains("seek-me")).unwrap();
    assert!(line.contains("/api/v1/analytics"), "{line}");
    assert!(line.contains(REPORT) && !line.contains("events"), "{line}");
}

/// By the id the API and `apex key list` show, never by the key itself.
#[tokio::test]
async fn the_line_names_the_key() {
    let server = Server::start();
    let owner = server.organization("Acme");
    let made = server.key(&owner, "metrics.write");
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let http = server.http().bearer(key).with("x-request-id", "by-the-key");
    let event = json!({"event_name": "x"});
    http.post(EVENTS, &event).await.expect(200);
    until("a line", || async { server.log().contains("by-the-key") }).await;
    let log = server.log();
    let line = log
        .lines()
        .find(|line| line.contains("by-the-key"))
        .unwrap();
    assert!(line.contains(id) && !line.contains(key), "{line}");
}
