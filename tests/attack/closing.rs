//! SIGTERM while much is going on: those who ask are told first, what runs may
//! finish, streams are told, nobody who ignores it holds the server up, and a second
//! signal ends it.

use apex::api::apex::metrics::v1 as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::{Target, event, post};
use crate::support::attacker::{Attacker, patiently, until};
use crate::support::grpc;
use crate::support::h2::{H2, PREFACE};

const HURRIED: &str = "ending connections that did not drain";

/// A request that is in, and whose body has not ended.
async fn begun(target: &Target) -> Attacker {
    let mut attacker = Attacker::connect(target.url()).await;
    let headers = "Content-Length: 18\r\nExpect: 100-continue";
    let head = post(&target.organization.key, headers, "");
    attacker.begin(head).await;
    assert!(attacker.send("{").await);
    attacker
}

/// Waits until the server has begun to go.
async fn going(target: &Target) {
    until("draining", || async {
        target.server.log().contains("draining")
    })
    .await;
}

#[tokio::test]
async fn what_runs_may_finish() {
    let mut target = Target::new(&[]);
    let mut running = begun(&target).await;
    target.server.signal("TERM");
    going(&target).await;
    // Nobody comes in any more.
    until("refusing", || async {
        let address = crate::support::attacker::address(target.url());
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    assert!(running.send(r#""event_name":"x"}"#).await);
    let answer = running.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert_eq!(running.closed().await, "");
    assert_eq!(target.server.ended(), Some(0));
    assert!(!target.server.log().contains(HURRIED));
    // It was stored before it was acknowledged.
    target.server.run();
    assert_eq!(target.stored().await.len(), 1);
}

/// An ingestion stream that has been answered once.
async fn ingestion(
    target: &Target,
) -> (
    mpsc::Sender<pb::IngestEventsRequest>,
    Streaming<pb::IngestEventsResponse>,
) {
    let mut client = grpc::metrics(target.url(), &target.organization.key).await;
    let (requests, sent) = mpsc::channel(1);
    let answers = client.ingest_events(ReceiverStream::new(sent)).await;
    let mut answers = answers.unwrap().into_inner();
    let event = pb::EventItem {
        event_name: "x".to_owned(),
        ..Default::default()
    };
    let message = pb::IngestEventsRequest {
        position: 1,
        events: vec![event],
        ..Default::default()
    };
    requests.send(message).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().position, 1);
    (requests, answers)
}

#[tokio::test]
async fn streams_are_told() {
    let mut target = Target::new(&[]);
    let (_requests, mut answers) = ingestion(&target).await;
    let mut health = HealthClient::new(grpc::channel(target.url()).await);
    let request = HealthCheckRequest::default();
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, 1);
    target.server.signal("TERM");
    assert_eq!(watch.message().await.unwrap().unwrap().status, 2);
    for status in [
        watch.message().await.unwrap_err(),
        patiently("an end", answers.message()).await.unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(status.message(), "The server is shutting down");
        assert_eq!(grpc::reason(&status), "SHUTTING_DOWN");
    }
    drop((watch, answers, health));
    assert_eq!(target.server.ended(), Some(0));
    assert!(!target.server.log().contains(HURRIED));
}

#[tokio::test]
async fn who_ignores_it_holds_nobody_up() {
    let mut target = Target::new(&[("APEX_TRANSPORT_DRAIN_TIMEOUT", "30s")]);
    // It never answers a ping nor heeds GOAWAY.
    let mut deaf = H2::open(target.url()).await;
    assert!(deaf.serves(1).await);
    let fresh = H2::open(target.url()).await;
    let mut others = Vec::new();
    for beginning in [
        "",
        "PRI * HT",
        std::str::from_utf8(PREFACE).unwrap(),
        "GET /healthz HTTP/1.1\r\nHost: x\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut attacker = Attacker::connect(target.url()).await;
        attacker.send(beginning).await;
        others.push(attacker);
    }
    // They have been taken in when one that came after them is answered.
    target.alive().await;
    target.server.signal("TERM");
    assert_eq!(target.server.ended(), Some(0));
    assert!(
        !target.server.log().contains(HURRIED),
        "{}",
        target.server.log()
    );
    drop((deaf, fresh, others));
}

#[tokio::test]
async fn what_never_finishes_is_ended() {
    let mut target = Target::new(&[("APEX_TRANSPORT_DRAIN_TIMEOUT", "1s")]);
    let mut running = begun(&target).await;
    target.server.signal("TERM");
    assert_eq!(target.server.ended(), Some(0));
    assert!(target.server.log().contains(HURRIED));
    assert_eq!(running.closed().await, "");
}

#[tokio::test]
async fn a_second_signal_ends_it_now() {
    for second in ["TERM", "INT"] {
        let mut target = Target::new(&[("APEX_TRANSPORT_DRAIN_TIMEOUT", "1h")]);
        let _running = begun(&target).await;
        target.server.signal("TERM");
        going(&target).await;
        target.server.signal(second);
        assert_eq!(target.server.ended(), Some(1));
    }
}

#[tokio::test]
async fn readiness_turns_first() {
    let mut target = Target::new(&[
        ("APEX_LISTEN", "0.0.0.0:0"),
        ("APEX_TRANSPORT_DRAIN_DELAY", "4s"),
    ]);
    let http = target.server.http();
    let mut health = HealthClient::new(grpc::channel(target.url()).await);
    let request = HealthCheckRequest::default();
    http.get("/readyz").await.expect(200);
    target.server.signal("TERM");
    until("turning", || async {
        http.get("/readyz").await.status == 503
    })
    .await;
    let failing = http.get("/readyz").await.expect(503);
    assert!(failing.to_string().contains("shutting down"), "{failing}");
    let answer = health.check(request).await.unwrap().into_inner();
    assert_eq!(answer.status, 2);
    // It is alive, and everybody is still served, those who come anew too.
    http.get("/healthz").await.expect(200);
    target.event().await.expect(200);
    let stranger = target.server.http().bearer(&target.organization.key);
    event(&stranger).await.expect(200);
    drop(health);
    assert_eq!(target.server.ended(), Some(0));
}
