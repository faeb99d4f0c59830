//! What bounds a stream in time: a client that falls silent, and nothing else as
//! long as it is in use. Deadlines are tested by a client that keeps none, in
//! `clients::node`.

use apex::api::apex::metrics::v1 as pb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::support::{Organization, Server, grpc};

/// An ingestion stream that is open as long as this is.
struct Ingestion {
    requests: mpsc::Sender<pb::IngestEventsRequest>,
    answers: Streaming<pb::IngestEventsResponse>,
}

impl Ingestion {
    async fn open(server: &Server, organization: &Organization) -> Self {
        let mut client = grpc::metrics(&server.url, &organization.key).await;
        let (requests, sent) = mpsc::channel(1);
        let answers = client.ingest_events(ReceiverStream::new(sent)).await;
        Self {
            requests,
            answers: answers.expect("a stream").into_inner(),
        }
    }

    /// Sends a message with one event and waits for its acknowledgement.
    async fn say(&mut self, position: i64) -> Result<Option<i64>, Status> {
        let event = pb::EventItem {
            event_name: "x".to_owned(),
            ..Default::default()
        };
        let message = pb::IngestEventsRequest {
            position,
            events: vec![event],
            ..Default::default()
        };
        self.requests.send(message).await.expect("it is open");
        let answer = self.answers.message().await?;
        Ok(answer.map(|answer| answer.position))
    }
}

#[tokio::test]
async fn a_silent_client_is_not_waited_for() {
    let server = Server::with(&[("APEX_TRANSPORT_STREAM_IDLE_TIMEOUT", "250ms")]);
    let organization = server.organization("Acme");
    let mut stream = Ingestion::open(&server, &organization).await;
    assert_eq!(stream.say(1).await.unwrap(), Some(1));
    let status = stream.answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(status.message(), "No message came for 0.25 seconds");
    assert_eq!(grpc::reason(&status), "STREAM_IDLE");
}

#[tokio::test]
async fn a_connection_with_a_stream_is_not_idle() {
    let server = Server::with(&[
        ("APEX_TRANSPORT_IDLE_TIMEOUT", "500ms"),
        ("APEX_TRANSPORT_HEADER_TIMEOUT", "500ms"),
    ]);
    let organization = server.organization("Acme");
    let mut stream = Ingestion::open(&server, &organization).await;
    assert_eq!(stream.say(1).await.unwrap(), Some(1));
    // A connection that was opened later, used once and left alone is ended; by
    // then the one with the stream would have been ended as well.
    let mut idle = TcpStream::connect(server.url.trim_start_matches("http://"))
        .await
        .unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    idle.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    idle.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(stream.say(2).await.unwrap(), Some(2));
}
