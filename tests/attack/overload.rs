//! More requests at once than there may be: the excess is told at once to come back,
//! nobody can take all places, and who asks whether the server lives is answered.

use std::time::{Duration, Instant};

use apex::api::apex::metrics::v1 as pb;
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::{EVENTS, Target, event, post};
use crate::support::attacker::Attacker;
use crate::support::{Answer, grpc, web};

const SIGN_IN: &str = "/api/auth/sign-in";

/// Requests that hold their places, because their bodies do not end.
async fn hold(target: &Target, key: &str, count: usize) -> Vec<Attacker> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut attacker = Attacker::connect(target.url()).await;
        let headers = "Content-Length: 18\r\nExpect: 100-continue";
        attacker.begin(post(key, headers, "")).await;
        held.push(attacker);
    }
    held
}

async fn let_go(held: Vec<Attacker>) {
    for mut attacker in held {
        assert!(attacker.send(r#"{"event_name":"x"}"#).await);
        let answer = attacker.answer().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[track_caller]
fn busy(answer: &Answer, message: &str) {
    let body = answer.expect(503);
    assert_eq!(
        body,
        json!({"error": {"code": "OVERLOADED", "message": message}})
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn the_excess_is_told_to_come_back() {
    let target = Target::new(&[("APEX_TRANSPORT_MAX_IN_FLIGHT", "8")]);
    let held = hold(&target, &target.organization.key, 8).await;
    for _ in 0..20 {
        busy(&target.event().await, "Too many requests at once");
    }
    let mut client = grpc::metrics(target.url(), &target.organization.key).await;
    let request = pb::SendEventRequest {
        event_name: "x".to_owned(),
        ..Default::default()
    };
    let status = client.send_event(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(grpc::reason(&status), "OVERLOADED");
    let wait = status.get_details_retry_info().unwrap().retry_delay;
    assert_eq!(wait, Some(Duration::from_secs(1)));
    let method = "apex.metrics.v1.MetricsService/SendEvent";
    let called = web::call::<pb::SendEventResponse>(&target.http, method, &request);
    assert_eq!(called.await.unwrap_err().code(), Code::Unavailable);

    // A server that is busy is no server that is ill.
    let http = target.server.http();
    http.get("/healthz").await.expect(200);
    http.get("/readyz").await.expect(200);
    let mut health = HealthClient::new(grpc::channel(target.url()).await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    // Nor is its operator locked out.
    target.server.key(&target.organization, "metrics.read");

    let_go(held).await;
    client.send_event(request).await.unwrap();
    target.alive().await;
}

#[tokio::test]
async fn an_organization_has_a_share() {
    let target = Target::new(&[
        ("APEX_TRANSPORT_MAX_IN_FLIGHT", "40"),
        ("APEX_TRANSPORT_MAX_IN_FLIGHT_SHARE", "10"),
    ]);
    let other = target.server.organization("Flood");
    let held = hold(&target, &other.key, 10).await;
    let flood = target.server.http().bearer(&other.key);
    let message = "Too many requests at once from this organization";
    busy(&event(&flood).await, message);
    // Another key of theirs is theirs too.
    let key = target.server.key(&other, "metrics.write");
    let second = target.server.http().bearer(key["key"].as_str().unwrap());
    busy(&event(&second).await, message);
    for _ in 0..50 {
        target.event().await.expect(200);
    }
    let_go(held).await;
    event(&flood).await.expect(200);
}

#[tokio::test]
async fn strangers_have_a_share_by_their_address() {
    let target = Target::new(&[
        ("APEX_TRANSPORT_MAX_IN_FLIGHT", "40"),
        ("APEX_TRANSPORT_MAX_IN_FLIGHT_SHARE", "10"),
    ]);
    let request = format!(
        "POST {SIGN_IN} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n"
    );
    let expecting = request.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..10 {
        let mut attacker = Attacker::from("127.0.0.2", target.url()).await;
        attacker.begin(&expecting).await;
        held.push(attacker);
    }
    let mut one_more = Attacker::from("127.0.0.2", target.url()).await;
    one_more.send(&request).await;
    let answer = one_more.answer().await;
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .body
            .contains("Too many requests at once from this address")
    );
    // A neighbour who is known, and a stranger from elsewhere.
    let mut known = Attacker::from("127.0.0.2", target.url()).await;
    let headers = "Content-Length: 18\r\nConnection: close";
    known
        .send(post(
            &target.organization.key,
            headers,
            r#"{"event_name":"x"}"#,
        ))
        .await;
    assert_eq!(known.answer().await.status, 200);
    let mut elsewhere = Attacker::from("127.0.0.3", target.url()).await;
    elsewhere.send(format!("{request}{{}}")).await;
    assert_eq!(elsewhere.answer().await.status, 400);
    drop(held);
    target.alive().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_tenant_is_no_failure_of_another() {
    let target = Target::new(&[
        ("APEX_TRANSPORT_MAX_IN_FLIGHT", "32"),
        ("APEX_TRANSPORT_MAX_IN_FLIGHT_SHARE", "8"),
    ]);
    let alone = pace(&target, 60).await;
    let other = target.server.organization("Flood");
    let mut floods = JoinSet::new();
    for _ in 0..40 {
        let flood = target.server.http().bearer(&other.key);
        floods.spawn(async move {
            let (mut served, mut refused) = (0, 0);
            for _ in 0..40 {
                match event(&flood).await.status {
                    200 => served += 1,
                    503 => refused += 1,
                    status => panic!("{status}"),
                }
            }
            (served, refused)
        });
    }
    let beside = pace(&target, 60).await;
    let flood = floods.join_all().await.into_iter();
    let (served, refused) = flood.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
    println!(
        "slowest tenth: {alone:?} alone, {beside:?} beside {served} served, {refused} refused"
    );
    assert!(served > 0);
    target.alive().await;
}

/// Requests one after another, none of which fails; how long a slow one took.
async fn pace(target: &Target, count: usize) -> Duration {
    let mut took = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        let answer = target.http.post(EVENTS, &json!({"event_name": "x"})).await;
        answer.expect(200);
        took.push(began.elapsed());
    }
    took.sort();
    took[count * 9 / 10]
}
