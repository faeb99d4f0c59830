//! Streams of events, the same calls over every protocol, and files.

use std::io::Write as _;

use apex::api::apex::growth::v1 as pb;
use pb::event_service_client::EventServiceClient;
use serde_json::json;
use tonic::Code;

use super::Site;
use crate::support::{grpc, web};

fn item(id: &str) -> pb::EventItem {
    pb::EventItem {
        r#type: "click".to_owned(),
        visitor_id: "v".to_owned(),
        event_id: id.to_owned(),
        ..Default::default()
    }
}

fn step(stream: &str, position: i64, ids: &[&str]) -> pb::StreamEventsRequest {
    pb::StreamEventsRequest {
        stream: stream.to_owned(),
        position,
        events: ids.iter().map(|id| item(id)).collect(),
    }
}

/// Sends messages and answers the acknowledgements.
async fn fed(site: &Site, steps: Vec<pb::StreamEventsRequest>) -> Vec<pb::StreamEventsResponse> {
    let mut service =
        EventServiceClient::new(grpc::with_key(&site.server.url, &site.own.key).await);
    let steps = futures_util::stream::iter(steps);
    let mut answers = service.stream_events(steps).await.unwrap().into_inner();
    let mut told = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        told.push(answer);
    }
    told
}

#[tokio::test]
async fn a_named_stream_is_resumed() {
    let mut site = Site::start();
    let opens = || step("shop", 0, &[]);
    let told = fed(
        &site,
        vec![opens(), step("", 2, &["a", "b"]), step("", 3, &[""])],
    )
    .await;
    let at: Vec<_> = told
        .iter()
        .map(|one| (one.position, one.received))
        .collect();
    assert_eq!(at, [(0, 0), (2, 2), (3, 1)]);
    site.restart();
    // What is sent again is skipped, also what has no id.
    let resent = vec![opens(), step("", 3, &[""]), step("", 5, &["b", "c"])];
    let told = fed(&site, resent).await;
    let at: Vec<_> = told
        .iter()
        .map(|one| (one.position, one.received, one.duplicates))
        .collect();
    assert_eq!(at, [(3, 0, 0), (3, 0, 0), (5, 1, 1)]);
    assert_eq!(site.figures().await["events"], 4);
    let bad = pb::StreamEventsRequest {
        position: 6,
        events: vec![pb::EventItem::default(), item("d")],
        ..Default::default()
    };
    let told = fed(&site, vec![opens(), bad]).await;
    assert_eq!((told[1].position, told[1].received), (6, 1));
    assert_eq!(told[1].errors[0].code, "invalid_event");
    assert_eq!(told[1].errors[0].message, "type is required");
}

/// The metrics product's streams are others, whatever their names are.
#[tokio::test]
async fn products_do_not_meet_in_a_stream() {
    let site = Site::start();
    fed(&site, vec![step("shop", 7, &["a"])]).await;
    let mut metrics = grpc::metrics(&site.server.url, &site.own.key).await;
    let opens = apex::api::apex::metrics::v1::IngestEventsRequest {
        stream: "shop".to_owned(),
        ..Default::default()
    };
    let opened = metrics.ingest_events(futures_util::stream::iter([opens]));
    let mut answers = opened.await.unwrap().into_inner();
    assert_eq!(answers.message().await.unwrap().unwrap().position, 0);
}

#[tokio::test]
async fn every_protocol_answers_alike() {
    let site = Site::start();
    let channel = grpc::channel(&site.server.url).await;
    let mut pages = EventServiceClient::new(channel);
    let event = |url: &str| pb::TrackEventRequest {
        project_key: site.own.project_key.clone(),
        r#type: "pageview".to_owned(),
        visitor_id: "v".to_owned(),
        url: url.to_owned(),
        ..Default::default()
    };
    let one = pages.track_event(event("/a")).await.unwrap().into_inner();
    assert_eq!(one.received, 1);
    let method = "apex.growth.v1.EventService/TrackEvent";
    let one: pb::TrackEventResponse = web::call(&site.page, method, &event("/a")).await.unwrap();
    assert_eq!(one.received, 1);
    site.send(&site.event(json!({}))).await.expect(200);
    assert_eq!(site.figures().await["page_views"], 3);

    let missing = pages.track_event(event("")).await.unwrap_err();
    let web: Result<pb::TrackEventResponse, _> = web::call(&site.page, method, &event("")).await;
    let rest = site
        .send(&site.event(json!({"url": null})))
        .await
        .expect(400);
    assert_eq!(
        (missing.code(), missing.message()),
        (Code::InvalidArgument, "url is required")
    );
    assert_eq!(grpc::reason(&missing), rest["code"].as_str().unwrap());
    assert_eq!(web.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(rest["error"], missing.message());

    let mut nobodys = event("/a");
    nobodys.project_key = "pk_live_nobodys".to_owned();
    let unknown = pages.track_event(nobodys).await.unwrap_err();
    assert_eq!(
        (unknown.code(), unknown.message()),
        (Code::InvalidArgument, "projectKey is not known")
    );

    let batch = pb::TrackEventsRequest {
        project_key: site.own.project_key.clone(),
        events: vec![
            pb::EventItem {
                url: "/b".to_owned(),
                ..item("")
            },
            item(""),
        ],
        ..Default::default()
    };
    let answer = pages.track_events(batch).await.unwrap().into_inner();
    assert_eq!(answer.received, 1);
    assert_eq!(answer.errors[0].message, "url is required");

    let keyed = grpc::with_key(&site.server.url, &site.own.key).await;
    let mut servers = EventServiceClient::new(keyed);
    let many = pb::SendServerEventsRequest {
        events: vec![item(""); 101],
    };
    let large = servers.send_server_events(many).await.unwrap_err();
    assert_eq!(large.code(), Code::InvalidArgument);
    assert_eq!(grpc::reason(&large), "BATCH_TOO_LARGE");
    let listed = servers
        .list_events(pb::ListEventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(listed.events.len(), 4);
    assert_eq!(listed.next_cursor, None);
}

/// A file of events as pages send them.
#[tokio::test]
async fn a_file_is_imported() {
    let site = Site::start();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    for n in 0..3 {
        let event = site.event(json!({"url": format!("/{n}"), "data": {"eventId": n}}));
        writeln!(file, "{event}").unwrap();
    }
    writeln!(
        file,
        "{}",
        json!({"type": "pageview", "visitorId": "v", "url": ""})
    )
    .unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let import = [
        "events",
        "import",
        &path,
        "--project",
        &site.own.project,
        "--format",
        "growth",
    ];
    let told = site.server.apex(&import);
    assert!(
        told.contains("imported 4, known already 0, refused 0"),
        "{told}"
    );
    let again = site.server.apex(&import);
    assert!(again.contains("imported 0"), "{again}");
    writeln!(file, "{}", json!({"visitorId": "v"})).unwrap();
    let done = site.server.try_apex(&import);
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains("line 5: type is required"), "{said}");
    assert_eq!(site.list("").await.len(), 4);
}
