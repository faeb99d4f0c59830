//! Clients that write over gRPC, gRPC-Web and REST until the server is gone, and
//! say of every record what they were told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use apex::api::apex::account::v1 as account;
use apex::api::apex::metrics::v1 as pb;
use prost::Message;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::{Code, Status};

use super::Fleet;
use super::record::{Kind, Record, json_of};
use crate::support::grpc::{self, Calls, Metadata};
use crate::support::history::Outcome;
use crate::support::seed::Random;
use crate::support::{Http, web};

/// How long a client waits before it gives up and knows nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Rest,
    Web,
}

impl Protocol {
    pub const ALL: [Self; 3] = [Self::Grpc, Self::Rest, Self::Web];
}

/// A client with connections of its own.
#[derive(Debug, Clone)]
pub struct Client {
    protocol: Protocol,
    http: Http,
    channel: tonic::transport::Channel,
    /// Keys of the organization with events and of the one with records.
    keys: [String; 2],
}

/// A request in all forms: method, message, REST path and body.
struct Sent<'a, I> {
    method: &'a str,
    message: I,
    path: &'a str,
    body: Value,
}

/// Writes until the server is gone.
pub async fn write(fleet: Fleet, client: Client, mut random: Random) {
    while client.write_one(&fleet, &mut random).await != Outcome::Unknown {}
}

impl Client {
    /// Connects to the server where it is now.
    pub async fn connect(fleet: &Fleet, protocol: Protocol) -> Self {
        let url = fleet.address.url();
        Self {
            protocol,
            http: Http::new(&url),
            channel: grpc::channel(&url).await,
            keys: [&fleet.metrics, &fleet.account].map(|own| own.key.clone()),
        }
    }

    /// Writes any record nobody has written, and notes what it was told.
    pub async fn write_one(&self, fleet: &Fleet, random: &mut Random) -> Outcome {
        let number = fleet.next.fetch_add(1, Ordering::Relaxed);
        let record = Record::random(number, random);
        let history = match record.is_event() {
            true => &fleet.events,
            false => &fleet.records,
        };
        let id = record.id();
        for own in record.ids() {
            history.invoke(&own, &format!("{id} over {:?}", self.protocol));
        }
        let outcome = self.send(&id).await;
        for own in record.ids() {
            history.conclude(&own, outcome);
        }
        if outcome != Outcome::Unknown {
            let valid = record.kind != Kind::Invalid;
            assert_eq!(valid, outcome == Outcome::Acknowledged, "{id}");
        }
        outcome
    }

    /// Sends the record of an id, or the batch an item's id is of.
    pub async fn send(&self, id: &str) -> Outcome {
        let record = Record::of(id);
        match tokio::time::timeout(PATIENCE, self.dispatch(&record)).await {
            Ok(told) => told,
            Err(_) => Outcome::Unknown,
        }
    }

    async fn dispatch(&self, record: &Record) -> Outcome {
        let mut items = record.items();
        let body = match record.is_event() {
            true => json_of(&items[0]),
            false => json!({"name": record.id()}),
        };
        let name = record.id();
        match record.kind {
            Kind::Event => {
                let item = items.swap_remove(0);
                let message = pb::SendEventRequest {
                    event_name: item.event_name,
                    metadata: item.metadata,
                    visitor_id: item.visitor_id,
                    timestamp: item.timestamp,
                    event_id: item.event_id,
                };
                let method = "apex.metrics.v1.MetricsService/SendEvent";
                let path = "/api/v1/events";
                self.call::<_, pb::SendEventResponse>(
                    record,
                    Sent {
                        method,
                        message,
                        path,
                        body,
                    },
                )
                .await
            }
            Kind::Purchase | Kind::Invalid => {
                let item = items.swap_remove(0);
                let message = pb::SendPurchaseRequest {
                    price: item.price,
                    currency: item.currency,
                    product_name: item.product_name,
                    quantity: item.quantity,
                    metadata: item.metadata,
                    visitor_id: item.visitor_id,
                    timestamp: item.timestamp,
                    event_id: item.event_id,
                };
                let method = "apex.metrics.v1.MetricsService/SendPurchase";
                let path = "/api/v1/events/purchase";
                self.call::<_, pb::SendPurchaseResponse>(
                    record,
                    Sent {
                        method,
                        message,
                        path,
                        body,
                    },
                )
                .await
            }
            Kind::Batch => {
                let body = json!({"events": items.iter().map(json_of).collect::<Vec<_>>()});
                let message = pb::SendEventsRequest { events: items };
                let method = "apex.metrics.v1.MetricsService/SendEvents";
                let path = "/api/v1/events/batch";
                self.call::<_, pb::SendEventsResponse>(
                    record,
                    Sent {
                        method,
                        message,
                        path,
                        body,
                    },
                )
                .await
            }
            Kind::Project => {
                let message = account::CreateProjectRequest {
                    name,
                    ..Default::default()
                };
                let method = "apex.account.v1.ProjectService/CreateProject";
                let path = "/api/projects";
                self.call::<_, account::CreateProjectResponse>(
                    record,
                    Sent {
                        method,
                        message,
                        path,
                        body,
                    },
                )
                .await
            }
            Kind::Key => {
                let message = account::CreateApiKeyRequest {
                    name,
                    ..Default::default()
                };
                let method = "apex.account.v1.ApiKeyService/CreateApiKey";
                let path = "/api/api-keys";
                self.call::<_, account::CreateApiKeyResponse>(
                    record,
                    Sent {
                        method,
                        message,
                        path,
                        body,
                    },
                )
                .await
            }
        }
    }

    async fn call<I, O>(&self, record: &Record, sent: Sent<'_, I>) -> Outcome
    where
        I: Message + 'static,
        O: Message + Default + 'static,
    {
        let key = &self.keys[usize::from(!record.is_event())];
        let mut http = self.http.bearer(key);
        let mut metadata = vec![("authorization", format!("Bearer {key}"))];
        if record.repeatable && !record.is_event() {
            http = http.with("idempotency-key", &record.id());
            metadata.push(("idempotency-key", record.id()));
        }
        match self.protocol {
            Protocol::Rest => {
                let own = http.with("content-type", "application/json");
                let body = sent.body.to_string().into_bytes();
                match own.try_send(Method::POST, sent.path, Some(body)).await {
                    Ok(answer) if answer.status == 200 => Outcome::Acknowledged,
                    Ok(answer) if answer.status < 500 => Outcome::Refused,
                    Ok(_) | Err(_) => Outcome::Unknown,
                }
            }
            Protocol::Web => told(&web::call::<O>(&http, sent.method, &sent.message).await),
            Protocol::Grpc => {
                let calls = Calls::new(self.channel.clone(), Metadata(metadata));
                told(&unary::<I, O>(calls, sent.method, sent.message).await)
            }
        }
    }
}

/// Calls a method with one answer over gRPC.
async fn unary<I, O>(calls: Calls, method: &str, message: I) -> Result<O, Status>
where
    I: Message + 'static,
    O: Message + Default + 'static,
{
    let mut client = tonic::client::Grpc::new(calls);
    let ready = client.ready().await;
    ready.map_err(|error| Status::unavailable(error.to_string()))?;
    let path = format!("/{method}").parse().expect("a path");
    let codec = tonic_prost::ProstCodec::<I, O>::default();
    let answer = client
        .unary(tonic::Request::new(message), path, codec)
        .await?;
    Ok(answer.into_inner())
}

/// Only an answer that comes from the rules says that nothing happened.
fn told<O>(answer: &Result<O, Status>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Acknowledged,
        Err(status) => match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Aborted
            | Code::AlreadyExists
            | Code::FailedPrecondition => Outcome::Refused,
            _ => Outcome::Unknown,
        },
    }
}
