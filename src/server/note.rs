//! What is known of a request, from its first byte to the last of its answer, and
//! what is made of that: its line in the log and its place in the counters. The line
//! names the method and the route, never a path, a body or a credential, for callers
//! put secrets into all three.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tonic::Code as Grpc;

use super::call::Client;
use super::headers::GRPC_STATUS;
use super::metrics::{Code, Counted};
use super::resolve::Protocol;
use super::respond::Manner;
use super::shared::Shared;
use crate::auth::{Actor, OrganizationId, Principal};
use crate::error::Error;
use crate::limit::Standing;
use crate::policy::MethodSpec;

/// The status of a request whose client did not wait for the answer.
const GONE: u16 = 499;

/// What is known of a request.
pub(super) struct Note {
    pub(super) shared: Arc<Shared>,
    pub(super) id: HeaderValue,
    trace_id: Option<String>,
    verb: Method,
    /// Where it comes from.
    pub(super) client: Client,
    pub(super) started: Instant,
    /// How it came to the edge. What a layer answered itself came to none.
    protocol: OnceLock<Protocol>,
    spec: OnceLock<&'static MethodSpec>,
    route: OnceLock<&'static str>,
    /// Who the gate let in.
    caller: OnceLock<Principal>,
    /// The project a page named, once the request is read.
    page: OnceLock<Principal>,
    /// Why it failed, if that is nothing the caller is told.
    cause: OnceLock<String>,
    /// How a limit stands that the method itself takes from.
    standing: OnceLock<Standing>,
    /// The status of the answer's head, once there is one.
    status: OnceLock<StatusCode>,
    written: AtomicBool,
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Note").finish_non_exhaustive()
    }
}

impl Note {
    pub(super) fn new(
        shared: Arc<Shared>,
        id: HeaderValue,
        trace_id: Option<String>,
        verb: Method,
        client: Client,
    ) -> Self {
        Self {
            shared,
            id,
            trace_id,
            verb,
            client,
            started: Instant::now(),
            protocol: OnceLock::new(),
            spec: OnceLock::new(),
            route: OnceLock::new(),
            caller: OnceLock::new(),
            page: OnceLock::new(),
            cause: OnceLock::new(),
            standing: OnceLock::new(),
            status: OnceLock::new(),
            written: AtomicBool::new(false),
        }
    }

    // Each of these is learned once; what a second time would say is the same.

    pub(super) fn entered(&self, protocol: Protocol) {
        let _ = self.protocol.set(protocol);
    }

    pub(super) fn found(&self, spec: &'static MethodSpec) {
        let _ = self.spec.set(spec);
    }

    pub(super) fn stands(&self, standing: Standing) {
        let _ = self.standing.set(standing);
    }

    pub(super) fn standing(&self) -> Option<Standing> {
        self.standing.get().copied()
    }

    pub(super) fn took(&self, template: &'static str) {
        let _ = self.route.set(template);
    }

    pub(super) fn admitted(&self, caller: Principal) {
        let _ = self.caller.set(caller);
    }

    pub(super) fn is_of_page(&self, page: Principal) {
        let _ = self.page.set(page);
    }

    /// The page that calls, if it is one.
    pub(super) fn page(&self) -> Option<&Principal> {
        self.page.get()
    }

    pub(super) fn failed(&self, error: &Error) {
        if let Some(cause) = error.log_cause() {
            let _ = self.cause.set(cause);
        }
    }

    /// What the log should know of the failure, if it failed.
    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.get().map(String::as_str)
    }

    fn principal(&self) -> Option<&Principal> {
        self.page.get().or(self.caller.get())
    }

    /// For whom the call is, as far as is known.
    pub(super) fn organization(&self) -> Option<OrganizationId> {
        self.principal()?.organization
    }

    /// The head of the answer is there. With gRPC the end of the answer says how the
    /// call went, unless there is nothing but a head.
    pub(super) fn headed(&self, status: StatusCode, headers: &HeaderMap) {
        let _ = self.status.set(status);
        let took = self.started.elapsed();
        self.shared.metrics.headed(self.counted(), took);
        let code = code_of(headers);
        if code.is_some() || !self.is_grpc() || status != StatusCode::OK {
            self.write(code);
        }
    }

    /// The trailers of the answer are there: a failure that tonic found itself is
    /// given the details every failure has.
    pub(super) fn trailed(&self, trailers: &mut HeaderMap) {
        let Some(code) = code_of(trailers).filter(|_| self.is_grpc()) else {
            return;
        };
        if let Some(spec) = self.spec.get() {
            Manner::of(spec).mend_trailers(trailers);
        }
        self.write(code_of(trailers).or(Some(code)));
    }

    /// The request is over. Who has not heard all of it by then went away.
    pub(super) fn leave(&self) {
        self.shared.metrics.in_flight.dec();
        self.write(self.is_grpc().then_some(Grpc::Cancelled as i32));
    }

    /// Whether it came as gRPC, or gRPC-Web.
    pub(super) fn is_grpc(&self) -> bool {
        let protocol = self.protocol.get();
        protocol.is_some_and(|protocol| *protocol != Protocol::Rest)
    }

    fn counted(&self) -> Counted {
        match (self.spec.get(), self.protocol.get()) {
            (Some(spec), _) => Counted::Of(spec),
            (None, Some(_)) => Counted::None("unknown"),
            // CORS answers these itself.
            (None, None) => Counted::None("preflight"),
        }
    }

    /// Writes the line, the first time.
    fn write(&self, grpc_status: Option<i32>) {
        if self.written.swap(true, Ordering::Relaxed) {
            return;
        }
        let status = self.status.get().map_or(GONE, StatusCode::as_u16);
        let entry = self.protocol.get();
        let protocol = *entry.unwrap_or(&Protocol::Rest);
        let client = entry.map(|_| tracing::field::display(Address(self.client.address)));
        let counted = self.counted();
        let code = grpc_status.map_or(Code::Http(status), Code::Grpc);
        self.shared.metrics.answered(counted, protocol, code);
        let (method, protocol) = (counted.name(), protocol.name());
        let organization = self.organization().map(|id| id.0);
        let key = self.principal().and_then(|p| match &p.actor {
            Actor::Key { id, .. } => Some(id.as_ref()),
            Actor::Session { .. } | Actor::Page | Actor::Operator | Actor::Anonymous => None,
        });
        let cause = self.cause();
        let duration_ms = self.started.elapsed().as_micros() as f64 / 1000.0;
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    request_id = self.id.to_str().unwrap_or_default(),
                    trace_id = self.trace_id.as_deref(),
                    protocol,
                    verb = self.verb.as_str(),
                    method,
                    route = self.route.get(),
                    status,
                    grpc_status,
                    duration_ms,
                    client,
                    organization,
                    key,
                    cause,
                    "request"
                )
            };
        }
        let failed = matches!(
            grpc_status.map(Grpc::from_i32),
            Some(Grpc::Internal | Grpc::Unknown | Grpc::DataLoss)
        );
        if status >= 500 || failed {
            line!(error);
        } else {
            line!(info);
        }
    }
}

/// An address, written without the library's ways to pad and align.
struct Address(IpAddr);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(address) = self.0 else {
            return self.0.fmt(f);
        };
        let mut digits = itoa::Buffer::new();
        let [first, rest @ ..] = address.octets();
        f.write_str(digits.format(first))?;
        rest.into_iter().try_for_each(|octet| {
            f.write_str(".")?;
            f.write_str(digits.format(octet))
        })
    }
}

fn code_of(headers: &HeaderMap) -> Option<i32> {
    headers.get(&GRPC_STATUS)?.to_str().ok()?.parse().ok()
}
