//! A named stream that several feed, or that is taken up again while what was sent
//! before is still being written: every position is stored once.

use std::process::Stdio;

use apex::api::apex::metrics::v1 as pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::stored;
use crate::support::{Server, grpc};

/// One feeder of a stream.
struct Feeder {
    sender: mpsc::Sender<pb::IngestEventsRequest>,
    answers: Streaming<pb::IngestEventsResponse>,
}

impl Feeder {
    /// Opens the stream; answers how far it got as well.
    async fn open(server: &Server, key: &str) -> (Self, i64) {
        let mut client = grpc::metrics(&server.url, key).await;
        let (sender, receiver) = mpsc::channel(8);
        let opening = pb::IngestEventsRequest {
            stream: "shared".to_owned(),
            ..Default::default()
        };
        sender.send(opening).await.unwrap();
        let answers = client.ingest_events(ReceiverStream::new(receiver)).await;
        let mut answers = answers.unwrap().into_inner();
        let first = answers.message().await.unwrap().unwrap();
        (Self { sender, answers }, first.position)
    }

    /// Sends events that have no ids; answers what is durable and what was stored.
    async fn send(&mut self, position: i64, count: usize) -> Result<(i64, i64), Status> {
        let event = |n| pb::EventItem {
            event_name: format!("to {position}"),
            visitor_id: format!("v{n}"),
            ..Default::default()
        };
        let message = pb::IngestEventsRequest {
            position,
            events: (0..count).map(event).collect(),
            ..Default::default()
        };
        self.sender.send(message).await.unwrap();
        let answer = self.answers.message().await?.expect("an answer");
        assert_eq!((answer.duplicates, answer.errors.len()), (0, 0));
        Ok((answer.position, answer.received))
    }
}

#[tokio::test]
async fn two_feeders_of_a_stream_store_each_position_once() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let (mut first, at) = Feeder::open(&server, &key).await;
    assert_eq!(at, 0);
    let (mut second, at) = Feeder::open(&server, &key).await;
    assert_eq!(at, 0);
    assert_eq!(first.send(10, 10).await.unwrap(), (10, 10));
    assert_eq!(second.send(10, 10).await.unwrap(), (10, 0));
    assert_eq!(second.send(20, 10).await.unwrap(), (20, 10));
    assert_eq!(first.send(15, 5).await.unwrap(), (20, 0));
    // A part of what it follows with is there already; which one nobody can tell.
    let refused = first.send(25, 10).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    assert_eq!(grpc::reason(&refused), "STREAM_MOVED");
    let (mut third, at) = Feeder::open(&server, &key).await;
    assert_eq!(at, 20);
    assert_eq!(third.send(25, 5).await.unwrap(), (25, 5));
    assert_eq!(third.send(3, 3).await.unwrap(), (25, 0));
    assert_eq!(stored::events(&server.url, &key).await.len(), 25);
}

#[tokio::test]
async fn events_of_a_named_stream_have_a_position() {
    let server = Server::start();
    let key = server.organization("Acme").key;
    let (mut feeder, _) = Feeder::open(&server, &key).await;
    let refused = feeder.send(0, 1).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        refused.message(),
        "position of events in a named stream must be at least 1"
    );
    assert!(stored::events(&server.url, &key).await.is_empty());
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_import_it_once() {
    const LINES: usize = 12_000;
    let server = Server::with(&[("APEX_RATE_LIMIT_ENABLED", "false")]);
    let organization = server.organization("Acme");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.ndjson");
    let line = |n| format!("{{\"event_name\": \"line {n}\", \"visitor_id\": \"v\"}}\n");
    std::fs::write(&file, (0..LINES).map(line).collect::<String>()).unwrap();
    let import = || {
        let mut command = server.command();
        command
            .args(["events", "import", "--json", "--project"])
            .arg(&organization.project)
            .arg(&file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [import(), import()];
    for one in both {
        let done = one.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{errors}");
    }
    let found = stored::events(&server.url, &organization.key).await;
    let mut names: Vec<_> = found.iter().map(|event| &event.event_name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!((names.len(), all), (LINES, LINES));
}
