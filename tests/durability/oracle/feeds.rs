//! Three ways in, each with a third of the deliveries: `apex events import` beside
//! the running server, batches over REST, and a named stream over gRPC. None of
//! them gives up when the server goes away.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apex::api::apex::metrics::v1 as pb;
use reqwest::Method;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::data::{Data, item};
use crate::durability::files::{column, connect};
use crate::support::grpc::{Calls, Metadata};
use crate::support::history::Address;
use crate::support::{Http, Organization, Server};

const BATCH: usize = 100;
/// How long to wait for a server that is gone.
const PAUSE: Duration = Duration::from_millis(10);

/// What is on its way in.
#[derive(Debug)]
pub struct Feeds {
    tasks: JoinSet<()>,
    import: Child,
    /// Lines of the import.
    lines: usize,
    /// Deliveries the other two ways have taken in, and all of them.
    done: Arc<AtomicU64>,
    total: u64,
}

impl Feeds {
    /// Starts all three.
    pub fn start(
        server: &Server,
        organization: &Organization,
        address: &Address,
        data: &Data,
    ) -> Self {
        let (rest, stream) = (data.part(1), data.part(2));
        let done: Arc<AtomicU64> = Arc::default();
        let total = (rest.len() + stream.len()) as u64;
        let mut tasks = JoinSet::new();
        let batches = rest.chunks(BATCH);
        let batches = batches.map(|batch| format!(r#"{{"events":[{}]}}"#, batch.join(",")));
        let feed = Feed {
            address: address.clone(),
            key: organization.key.clone(),
            done: done.clone(),
        };
        let batches = batches.collect();
        let items = stream.into_iter().map(item).collect();
        // All three begin together, now that what takes a while is done.
        let import = importer(server, organization, data);
        tasks.spawn(feed.clone().batches(batches));
        tasks.spawn(feed.stream(items));
        Self {
            tasks,
            import,
            lines: data.part(0).len(),
            done,
            total,
        }
    }

    /// Waits until so much of it has been acknowledged.
    pub async fn reach(&self, percent: u64) {
        while self.done.load(Ordering::Relaxed) * 100 < self.total * percent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until the import has got so far. Its position is read beside the server:
    /// it only says when to strike.
    pub async fn import_reaches(&self, server: &Server, percent: u64) {
        let connection = connect(&server.database_url()).await;
        let sql = "SELECT CAST(position AS TEXT) FROM event_stream WHERE name LIKE 'import:%'";
        loop {
            let position = column(&connection, sql).await;
            let position: u64 = position.first().map_or(0, |text| text.parse().unwrap());
            if position * 100 >= self.lines as u64 * percent {
                println!("struck at line {position} of the import's {}", self.lines);
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        connection.close().await.unwrap();
    }

    /// Waits until everything has been taken in.
    pub async fn finish(mut self) {
        while let Some(done) = self.tasks.join_next().await {
            done.expect("a feed does not fail");
        }
        let done = self.import.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{errors}");
        let told: Value = serde_json::from_slice(&done.stdout).unwrap();
        println!("import of {} lines: {told}", self.lines);
        assert_eq!(told["refused"], 0, "{errors}");
        let lines =
            ["imported", "duplicates", "unreported"].map(|name| told[name].as_u64().unwrap());
        assert_eq!(lines.iter().sum::<u64>(), self.lines as u64);
    }
}

fn importer(server: &Server, organization: &Organization, data: &Data) -> Child {
    let mut command = server.command();
    command.args(["events", "import"]).arg(data.file());
    command.args([
        "--project",
        &organization.project,
        "--format",
        "metrics",
        "--json",
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Imports the file and answers what is said of it.
pub fn import(server: &Server, organization: &Organization, data: &Data) -> Value {
    let done = importer(server, organization, data)
        .wait_with_output()
        .unwrap();
    assert!(done.status.success());
    serde_json::from_slice(&done.stdout).unwrap()
}

/// A client that goes on until all of its own is in.
#[derive(Debug, Clone)]
struct Feed {
    address: Address,
    key: String,
    done: Arc<AtomicU64>,
}

impl Feed {
    /// Sends batches one after the other, each until it is acknowledged.
    async fn batches(self, batches: Vec<String>) {
        let mut url = String::new();
        let mut http = Http::new(&url);
        for batch in batches {
            loop {
                if url != self.address.url() {
                    url = self.address.url();
                    let json = Http::new(&url).with("content-type", "application/json");
                    http = json.bearer(&self.key);
                }
                let body = Some(batch.clone().into_bytes());
                match http
                    .try_send(Method::POST, "/api/v1/events/batch", body)
                    .await
                {
                    Ok(answer) if answer.status < 500 => {
                        let told = answer.expect(200);
                        assert_eq!(told["success"], true, "{told}");
                        let size = told["results"].as_array().unwrap().len();
                        self.done.fetch_add(size as u64, Ordering::Relaxed);
                        break;
                    }
                    Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
        }
    }

    /// Sends a named stream, from where the server says that it got to.
    async fn stream(self, items: Vec<pb::EventItem>) {
        let items = Arc::new(items);
        let mut durable = 0;
        while durable < items.len() {
            // Whatever ends a stream, the next one begins where it got to.
            let _ = self.resume(&items, &mut durable).await;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn resume(
        &self,
        items: &Arc<Vec<pb::EventItem>>,
        durable: &mut usize,
    ) -> Result<(), Status> {
        let gone = |error: tonic::transport::Error| Status::unavailable(error.to_string());
        let channel = Channel::from_shared(self.address.url()).unwrap();
        let channel = channel.connect().await.map_err(gone)?;
        let key = Metadata(vec![("authorization", format!("Bearer {}", self.key))]);
        let calls = Calls::new(channel, key);
        let mut client = pb::metrics_service_client::MetricsServiceClient::new(calls);
        let (sender, receiver) = mpsc::channel(4);
        let opening = pb::IngestEventsRequest {
            stream: "a third".to_owned(),
            ..Default::default()
        };
        sender.send(opening).await.expect("it is open");
        let answers = client.ingest_events(ReceiverStream::new(receiver)).await?;
        let mut answers = answers.into_inner();
        let Some(first) = answers.message().await? else {
            return Ok(());
        };
        let start = first.position as usize;
        assert!(start >= *durable, "what was acknowledged is durable");
        self.progress(durable, start);
        let items = items.clone();
        tokio::spawn(async move {
            for at in (start..items.len()).step_by(BATCH) {
                let end = (at + BATCH).min(items.len());
                let message = pb::IngestEventsRequest {
                    position: end as i64,
                    events: items[at..end].to_vec(),
                    ..Default::default()
                };
                if sender.send(message).await.is_err() {
                    return;
                }
            }
        });
        while let Some(answer) = answers.message().await? {
            assert!(answer.errors.is_empty(), "{:?}", answer.errors);
            self.progress(durable, answer.position as usize);
        }
        Ok(())
    }

    fn progress(&self, durable: &mut usize, position: usize) {
        let more = position.saturating_sub(*durable);
        self.done.fetch_add(more as u64, Ordering::Relaxed);
        *durable = position;
    }
}
