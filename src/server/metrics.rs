//! Counters for Prometheus, with label sets that cannot grow: methods, codes and
//! rate groups are known when the server starts.

use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::resolve::Protocol;
use crate::policy::MethodSpec;

/// Upper bounds of the latency buckets, in seconds.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// All counters of the server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    latency: Family<MethodLabels, Histogram, fn() -> Histogram>,
    /// Of every method what its successes count, by the method's position in its table.
    successes: Vec<Successes>,
    /// Requests being served.
    pub in_flight: Gauge,
    /// Open connections.
    pub connections: Gauge,
    refusals: Family<GroupLabels, Counter>,
    /// Connections whose TLS handshake failed.
    pub tls_failures: Counter,
    /// Requests that the embedder of memories did not answer.
    pub embedder_failures: Counter,
    /// Database connections that are reading or writing.
    pub pool_busy: Gauge,
    /// Database connections there are.
    pub pool_size: Gauge,
    /// One while a shared store of rate limits answers.
    pub limit_store_up: Gauge,
    /// Events that wait for the writer.
    pub event_queue: Gauge,
    /// Events that are stored and not yet folded into rollups.
    pub event_tail: Gauge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    protocol: &'static str,
    code: Code,
}

/// What an answer said about itself: the HTTP status, on gRPC the name of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Code {
    Http(u16),
    Grpc(i32),
}

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        match self {
            Self::Http(status) => u32::from(*status).encode(encoder),
            Self::Grpc(code) => format!("{:?}", tonic::Code::from_i32(*code)).encode(encoder),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: &'static str,
}

/// What is counted of every success, looked up once: to find it by its labels takes
/// far longer than to count.
#[derive(Debug, Default)]
struct Successes {
    latency: OnceLock<Histogram>,
    /// By protocol.
    requests: [OnceLock<Counter>; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    group: &'static str,
}

impl Metrics {
    /// Registers all counters of a server with so many methods.
    pub fn new(methods: usize) -> Self {
        let mut registry = Registry::with_prefix("apex");
        let requests = Family::default();
        registry.register(
            "requests",
            "Requests answered, by HTTP status or gRPC code",
            requests.clone(),
        );
        let buckets: fn() -> Histogram = || Histogram::new(BUCKETS);
        let latency = Family::new_with_constructor(buckets);
        registry.register_with_unit(
            "request_duration",
            "Time to the answer's head",
            Unit::Seconds,
            latency.clone(),
        );
        let refusals = Family::default();
        registry.register(
            "rate_limited_requests",
            "Requests refused by a rate limit",
            refusals.clone(),
        );
        let tls_failures = Counter::default();
        registry.register(
            "tls_handshake_failures",
            "Connections whose TLS handshake failed",
            tls_failures.clone(),
        );
        let embedder_failures = Counter::default();
        registry.register(
            "embedder_failures",
            "Requests that the embedder of memories did not answer",
            embedder_failures.clone(),
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        Self {
            in_flight: gauge("requests_in_flight", "Requests being served"),
            connections: gauge("connections", "Open connections"),
            pool_busy: gauge("pool_busy", "Database connections in use"),
            pool_size: gauge("pool_size", "Database connections there are"),
            limit_store_up: gauge(
                "limit_store_up",
                "Whether the shared store of rate limits answers; 0 also where there is none",
            ),
            event_queue: gauge("event_queue", "Events that wait for the writer"),
            event_tail: gauge("event_tail", "Stored events not yet folded into rollups"),
            registry,
            requests,
            latency,
            successes: std::iter::repeat_with(Successes::default)
                .take(methods)
                .collect(),
            refusals,
            tls_failures,
            embedder_failures,
        }
    }

    /// Counts a request, once it is known how it went.
    pub(super) fn answered(&self, method: Counted, protocol: Protocol, code: Code) {
        let count = || {
            let labels = RequestLabels {
                method: method.name(),
                protocol: protocol.name(),
                code,
            };
            self.requests.get_or_create(&labels).clone()
        };
        let known = method.successes(self);
        match known.filter(|_| method.is_success(protocol, code)) {
            Some(known) => known.requests[protocol as usize].get_or_init(count).inc(),
            None => count().inc(),
        };
    }

    /// Notes how long the head of an answer took.
    pub(super) fn headed(&self, method: Counted, took: Duration) {
        let find = || {
            let labels = MethodLabels {
                method: method.name(),
            };
            self.latency.get_or_create(&labels).clone()
        };
        let seconds = took.as_secs_f64();
        match method.successes(self) {
            Some(known) => known.latency.get_or_init(find).observe(seconds),
            None => find().observe(seconds),
        }
    }

    /// Counts a request that a rate limit refused.
    pub(super) fn refused(&self, group: &'static str) {
        self.refusals.get_or_create(&GroupLabels { group }).inc();
    }

    /// Everything, in the Prometheus text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// What a request is counted as.
#[derive(Debug, Clone, Copy)]
pub(super) enum Counted {
    /// A method's.
    Of(&'static MethodSpec),
    /// No method's, and so by this name.
    None(&'static str),
}

impl Counted {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Of(spec) => spec.path,
            Self::None(name) => name,
        }
    }

    fn successes(self, metrics: &Metrics) -> Option<&Successes> {
        match self {
            Self::Of(spec) => metrics.successes.get(spec.index),
            Self::None(_) => None,
        }
    }

    /// Whether the code is the one that most answers have.
    fn is_success(self, protocol: Protocol, code: Code) -> bool {
        match (self, protocol, code) {
            (Self::Of(spec), Protocol::Rest, Code::Http(status)) => status == spec.success_status,
            (Self::Of(_), Protocol::Grpc | Protocol::GrpcWeb, Code::Grpc(code)) => code == 0,
            (Self::Of(_) | Self::None(_), _, _) => false,
        }
    }
}
