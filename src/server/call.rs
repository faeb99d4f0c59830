//! A call on its way to a service: who calls, for whom, and what the call may
//! take. Only the gate makes one, so a service method that is given a [`Call`]
//! has been authenticated, authorised and counted.

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use futures_util::Stream;
use http::{HeaderName, HeaderValue};
use tonic::Status;

use super::note::Note;
use super::shared::Shared;
use crate::auth::{Directory, OrganizationId, Principal, ProjectId, ProjectRef};
use crate::db::Attempt;
use crate::error::{Error, Result};
use crate::limit::Standing;
use crate::policy::MethodSpec;

/// A call that was let in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Call(Arc<Admitted>);

/// What the gate learned of a call.
pub struct Admitted {
    /// The method called.
    pub spec: &'static MethodSpec,
    /// Who calls.
    pub principal: Principal,
    /// What is known of the request.
    pub(super) note: Arc<Note>,
    /// Project named by header or parameter.
    pub project_choice: Option<String>,
    /// The caller's `Idempotency-Key`.
    pub idempotency_key: Option<String>,
    /// The state the caller takes what it changes to be in: `If-Match`.
    pub if_match: Option<String>,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Where the attempt to replay stands, once the request is read.
    pub attempt: OnceLock<Attempt>,
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.spec.path)
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// Where a call comes from, as far as trusted proxies tell.
#[derive(Debug, Clone)]
pub struct Client {
    /// Address of the caller.
    pub address: IpAddr,
    /// Whether the caller's own connection is encrypted.
    pub secure: bool,
    /// The `User-Agent`.
    pub user_agent: Option<HeaderValue>,
    /// `Host` or `:authority`.
    pub host: Option<String>,
    /// The `Origin` of the page that calls, if it is one.
    pub origin: Option<HeaderValue>,
    /// A bearer token, for the methods that check one themselves.
    pub bearer: Option<HeaderValue>,
}

impl Call {
    /// Lets a call in. Crate-private on purpose: see the module's purpose.
    pub(crate) fn admit(admitted: Admitted) -> Self {
        Self(Arc::new(admitted))
    }

    /// The method called.
    pub fn spec(&self) -> &'static MethodSpec {
        self.0.spec
    }

    /// Who calls.
    pub fn principal(&self) -> &Principal {
        self.0.note.page().unwrap_or(&self.0.principal)
    }

    /// The caller is a page of a project.
    pub(super) fn set_page(&self, page: Principal) {
        self.0.note.is_of_page(page);
    }

    /// Where the call comes from.
    pub fn client(&self) -> &Client {
        &self.0.note.client
    }

    /// Has the answer tell how this limit stands, where it tells of one, in place of the
    /// one the gate took from.
    pub fn tell_standing(&self, standing: Standing) {
        self.0.note.stands(standing);
    }

    /// What all requests share.
    pub(super) fn shared(&self) -> &Shared {
        &self.0.note.shared
    }

    /// What the log calls the request.
    pub fn request_id(&self) -> Option<&str> {
        self.0.note.id.to_str().ok()
    }

    /// What is known of keys, projects and organizations.
    pub fn directory(&self) -> &Directory {
        &self.shared().directory
    }

    /// When the caller stops waiting.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline
    }

    /// The caller's `Idempotency-Key`.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }

    /// The state the caller takes what it changes to be in: `If-Match`.
    pub fn if_match(&self) -> Option<&str> {
        self.0.if_match.as_deref()
    }

    /// Where the attempt to replay stands; `None` without a key.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.0.attempt.get()
    }

    pub(super) fn set_attempt(&self, attempt: Attempt) {
        // One request has one attempt; a second would be the same.
        let _ = self.0.attempt.set(attempt);
    }

    /// The user agent as text.
    pub fn user_agent(&self) -> Option<&str> {
        self.client().user_agent.as_ref()?.to_str().ok()
    }

    /// The organization the call is for. Every tenant's query starts here.
    pub fn organization(&self) -> Result<OrganizationId> {
        let own = self.principal().organization;
        own.ok_or_else(|| Error::invalid("Name an organization with X-Organization"))
    }

    /// The project the call is for: the key's own, the one named by header or
    /// parameter, or the only one there is.
    pub fn project(&self) -> Result<ProjectRef> {
        let choice = self.0.project_choice.as_deref();
        self.directory().project_of(self.principal(), choice)
    }

    /// The project the caller says the call is for, or its key is bound to. The one
    /// that goes without saying while there is no other is not meant: which one
    /// that is changes with time.
    pub fn named_project(&self) -> Option<ProjectId> {
        let named = self.0.project_choice.is_some() || self.principal().project.is_some();
        let project = named.then(|| self.project_id());
        project.and_then(Result::ok)
    }

    /// The id of the project the call is for.
    pub fn project_id(&self) -> Result<ProjectId> {
        self.project().map(|project| project.id)
    }

    /// Turns a failure into the status callers see and keeps its cause for the
    /// log line of the request.
    pub fn status_of(&self, error: Error) -> Status {
        self.0.note.failed(&error);
        let words = super::respond::words_of(self.0.spec);
        let word = words.word(error.kind());
        error.into_status(word)
    }

    /// What the log should know of the failure, if it failed.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.note.cause()
    }
}

/// A successful answer: a message, and headers if the contract has any.
#[derive(Debug)]
pub struct Reply<T> {
    /// The message.
    pub message: T,
    /// HTTP headers, or gRPC metadata.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// HTTP status, where it is not the method's own.
    pub status: Option<u16>,
}

impl<T> From<T> for Reply<T> {
    fn from(message: T) -> Self {
        Self {
            message,
            headers: Vec::new(),
            status: None,
        }
    }
}

impl<T> Reply<T> {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Answers with another HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// A stream of answers.
pub type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// A stream of requests; every message is validated as it arrives.
pub type Requests<T> = Pin<Box<dyn Stream<Item = Result<T, Error>> + Send>>;
