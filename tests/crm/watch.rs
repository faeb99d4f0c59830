//! Watching changes: each once, in order, from where the client was cut off.

use std::time::Duration;

use apex::api::apex::crm::v1 as crm;
use apex::api::apex::crm::v1::audit_log_service_client::AuditLogServiceClient;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tonic::{Code, Status, Streaming};

use super::{client, make, with};
use crate::support::{Http, Organization, Server, grpc, web};

type Changes = Streaming<crm::WatchChangesResponse>;

async fn try_watch(
    server: &Server,
    key: &str,
    resources: &[&str],
    position: Option<i64>,
) -> Result<Changes, Status> {
    let channel = grpc::with_key(&server.url, key).await;
    let mut client = AuditLogServiceClient::new(channel);
    let request = crm::WatchChangesRequest {
        resources: resources.iter().map(|name| (*name).to_owned()).collect(),
        position,
    };
    Ok(client.watch_changes(request).await?.into_inner())
}

/// Opens a stream; answers it and the position it says first.
async fn watch(
    server: &Server,
    own: &Organization,
    resources: &[&str],
    position: Option<i64>,
) -> (Changes, i64) {
    let mut stream = try_watch(server, &own.key, resources, position)
        .await
        .unwrap();
    let first = next(&mut stream).await.unwrap();
    assert_eq!(first.change, None);
    (stream, first.position)
}

async fn next(stream: &mut Changes) -> Result<crm::WatchChangesResponse, Status> {
    let next = tokio::time::timeout(Duration::from_secs(20), stream.next());
    next.await.expect("a message in time").expect("no end")
}

/// The next change, as action and resource, and its position.
async fn change(stream: &mut Changes) -> (String, i64) {
    loop {
        let message = next(stream).await.unwrap();
        if let Some(change) = message.change {
            assert_eq!(change.id, message.position);
            let word = format!("{} {}", change.action.unwrap(), change.entity.unwrap());
            return (word, message.position);
        }
    }
}

async fn tag(http: &Http, name: &str) -> Value {
    make(http, "/tags", json!({ "name": name })).await
}

#[tokio::test]
async fn changes_come_as_they_are_committed() {
    let (server, http, own) = client();
    tag(&http, "before").await;
    let (mut stream, _) = watch(&server, &own, &["companies", "tags", "notes"], None).await;
    make(&http, "/companies", json!({"name": "Acme"})).await;
    let made = tag(&http, "VIP").await;
    make(&http, "/products", json!({"name": "Box"})).await;
    let one = format!("/tags/{}", made["id"]);
    http.patch(&one, &json!({"color": "red"})).await.expect(200);
    http.delete(&one).await.expect(200);
    make(&http, "/notes", json!({"content": "Note"})).await;
    // What was committed just before it began may come too.
    while change(&mut stream).await.0 != "created companies" {}
    for expected in [
        "created tags",
        "updated tags",
        "removed tags",
        "created notes",
    ] {
        assert_eq!(change(&mut stream).await.0, expected);
    }
}

#[tokio::test]
async fn it_goes_on_where_it_was_cut_off() {
    let (server, http, own) = client();
    for at in 0..450 {
        if at % 50 == 0 {
            let names: Vec<Value> = (at..at + 50)
                .map(|n| json!({"name": format!("t{n}")}))
                .collect();
            make(&http, "/tags", json!(names)).await;
        }
    }
    let (mut stream, start) = watch(&server, &own, &[], Some(0)).await;
    assert_eq!(start, 0);
    let mut seen = Vec::new();
    for _ in 0..250 {
        seen.push(change(&mut stream).await.1);
    }
    drop(stream);
    tag(&http, "meanwhile").await;
    let last = *seen.last().unwrap();
    let (mut stream, at) = watch(&server, &own, &[], Some(last)).await;
    assert_eq!(at, last);
    for _ in 0..201 {
        seen.push(change(&mut stream).await.1);
    }
    assert!(seen.is_sorted_by(|a, b| a < b));
    assert_eq!(seen.len(), 451);
    let unknown = try_watch(&server, &own.key, &[], Some(999_999))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
    let unknown = try_watch(&server, &own.key, &["towns"], None)
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::InvalidArgument);
}

/// Many write at once, while somebody reads: nothing is lost or comes twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_between_writers() {
    const WRITERS: usize = 8;
    const EACH: usize = 25;
    let (server, http, own) = client();
    let (mut stream, _) = watch(&server, &own, &["tags"], None).await;
    let writers = (0..WRITERS).map(|writer| {
        let http = http.clone();
        tokio::spawn(async move {
            for at in 0..EACH {
                tag(&http, &format!("{writer}/{at}")).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut ids = std::collections::BTreeSet::new();
    while ids.len() < WRITERS * EACH {
        let message = next(&mut stream).await.unwrap();
        let id = message.change.map(|change| change.entity_id);
        assert!(id.is_none_or(|id| ids.insert(id)), "twice");
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn others_see_nothing_of_it() {
    let (server, http, own) = client();
    let made = tag(&http, "VIP").await;
    let log = http
        .get(&format!("/audit-log?entity_id={}", made["id"]))
        .await
        .expect(200);
    let position = log["data"][0]["id"].as_i64();
    let other = server.organization("Other");
    let foreign = try_watch(&server, &other.key, &[], position)
        .await
        .unwrap_err();
    assert_eq!(foreign.code(), Code::InvalidArgument);
    let (mut stream, _) = watch(&server, &other, &[], Some(0)).await;
    let others = server.http().with("x-api-key", &other.key);
    tag(&http, "Hidden").await;
    tag(&others, "Own").await;
    let message = next(&mut stream).await.unwrap();
    assert!(message.change.unwrap().changes.unwrap().contains("Own"));
    drop(own);
}

#[tokio::test]
async fn it_ends_when_the_key_is_revoked() {
    let (server, http, own) = client();
    let owner = server.http().bearer(&own.key);
    let key = owner
        .post("/api/api-keys", &json!({"name": "Watcher"}))
        .await
        .expect(200);
    let mut stream = try_watch(&server, key["key"].as_str().unwrap(), &[], None)
        .await
        .unwrap();
    next(&mut stream).await.unwrap();
    let path = format!("/api/api-keys/{}", key["id"].as_str().unwrap());
    owner.delete(&path).await.expect(200);
    let status = loop {
        match next(&mut stream).await {
            Ok(message) => assert_eq!(message.change, None),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unauthenticated);
    drop(http);
}

#[tokio::test]
async fn an_organization_has_so_many_streams() {
    let (server, _, own) = with(&[]);
    let mut open = Vec::new();
    for _ in 0..32 {
        open.push(watch(&server, &own, &[], None).await);
    }
    let status = try_watch(&server, &own.key, &[], None).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    open.pop();
    // Its place is free once the server has noticed.
    let mut tries = 0;
    while try_watch(&server, &own.key, &[], None).await.is_err() {
        tries += 1;
        assert!(tries < 100, "its place stays taken");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn rest_streams_lines_and_events() {
    let (server, http, own) = client();
    for (accept, prefix) in [
        ("application/x-ndjson", ""),
        ("text/event-stream", "data: "),
    ] {
        let request = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = request
            .get(format!("{}/watch?resources=tags", server.url))
            .header("x-api-key", &own.key)
            .header("accept", accept);
        let mut answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert!(kind.starts_with(accept), "{kind}");
        let first = String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap();
        assert!(
            first.starts_with(&format!("{prefix}{{\"position\":")),
            "{first}"
        );
        let made = tag(&http, accept).await;
        let line = String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap();
        let line: Value = serde_json::from_str(line.trim().trim_start_matches(prefix)).unwrap();
        assert_eq!(line["change"]["entity_id"], made["id"]);
        assert_eq!(line["change"]["action"], "created");
        assert_eq!(line["change"]["changes"]["name"]["after"], accept);
    }
}

/// A page watches by gRPC-Web, and is told why it ends in the last frame.
#[tokio::test]
async fn pages_watch_until_the_server_goes() {
    let (mut server, http, own) = client();
    let method = "apex.crm.v1.AuditLogService/WatchChanges";
    let request = crm::WatchChangesRequest {
        resources: vec!["tags".to_owned()],
        position: None,
    };
    let mut stream = web::Stream::open(&server.url, &own.key, method, &request).await;
    let first: crm::WatchChangesResponse = stream.next().await.unwrap();
    assert_eq!(first.change, None);
    make(&http, "/notes", json!({"content": "Note"})).await;
    let made = tag(&http, "VIP").await;
    let told: crm::WatchChangesResponse = stream.next().await.unwrap();
    let change = told.change.unwrap();
    assert_eq!(change.entity_id, made["id"].as_i64());
    assert_eq!(change.action.as_deref(), Some("created"));
    server.signal("TERM");
    let end = loop {
        match stream.next::<crm::WatchChangesResponse>().await {
            Ok(message) => assert_eq!(message.change, None),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert_eq!(server.ended(), Some(0));
}

/// So are those who watch by gRPC and by lines of JSON.
#[tokio::test]
async fn whoever_watches_is_told_that_the_server_goes() {
    let (mut server, _, own) = client();
    let (mut stream, _) = watch(&server, &own, &[], None).await;
    let lines = reqwest::Client::builder().no_proxy().build().unwrap();
    let lines = lines
        .get(format!("{}/watch", server.url))
        .header("x-api-key", &own.key);
    let mut lines = lines.send().await.unwrap();
    let begin = lines.chunk().await.unwrap().unwrap();
    assert!(begin.starts_with(b"{\"position\":"));
    server.signal("TERM");
    let end = loop {
        match next(&mut stream).await {
            Ok(message) => assert_eq!(message.change, None),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable, "{end:?}");
    assert_eq!(grpc::reason(&end), "SHUTTING_DOWN");
    let rest = lines.text().await.unwrap();
    let last = rest.lines().last().unwrap_or_default();
    let last: Value = serde_json::from_str(last).expect(&rest);
    assert_eq!(last["error"]["code"], "SHUTTING_DOWN", "{last}");
    drop(stream);
    assert_eq!(server.ended(), Some(0));
}
