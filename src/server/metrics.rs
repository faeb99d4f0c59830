//! Counters for Prometheus, with label sets that cannot grow: methods, codes and
//! rate groups are known when the server starts.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

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
    /// Requests being served.
    pub in_flight: Gauge,
    /// Open connections.
    pub connections: Gauge,
    refusals: Family<GroupLabels, Counter>,
    /// Connections whose TLS handshake failed.
    pub tls_failures: Counter,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct GroupLabels {
    group: &'static str,
}

impl Metrics {
    /// Registers all counters.
    pub fn new() -> Self {
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
            refusals,
            tls_failures,
        }
    }

    /// Counts a request, once it is known how it went.
    pub(super) fn answered(&self, method: &'static str, protocol: &'static str, code: Code) {
        let labels = RequestLabels {
            method,
            protocol,
            code,
        };
        self.requests.get_or_create(&labels).inc();
    }

    /// Notes how long the head of an answer took.
    pub(super) fn headed(&self, method: &'static str, took: Duration) {
        let labels = MethodLabels { method };
        self.latency
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
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

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
