//! One request through the server: admit it, bound it in time, call, and turn what
//! failed into the documented answer. A panic below answers like any other failure.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Instant;

use futures_util::FutureExt as _;
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::request::Parts;
use http::{HeaderValue, Method, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;

use super::call::{Admitted, Call};
use super::client::Peer;
use super::conditional;
use super::deadline;
use super::dispatch::Endpoint;
use super::edge::Edge;
use super::gate::{self, Passage, Visitor};
use super::note::Note;
use super::pace;
use super::places::{Crowded, Place};
use super::plan::put_days;
use super::resolve;
use super::respond::{Manner, put_standing};
use super::rest::{self, BodyLimits, ReadBody};
use super::shared::Shared;
use super::upload;
use crate::auth::Claims;
use crate::error::Result;
use crate::policy::MethodSpec;
use crate::transcode::router::{Found, Route};

/// One request on its way.
pub(super) struct Visit {
    pub(super) edge: Arc<Edge>,
    pub(super) peer: Peer,
    /// Its place among all requests, or why it has none.
    pub(super) place: Result<Place, Crowded>,
    /// What the log will say of it. Its deadline counts from its beginning.
    pub(super) note: Arc<Note>,
}

impl Visit {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        self.edge.shared()
    }

    pub(super) async fn rest(mut self, parts: Parts, body: Incoming) -> Response<Body> {
        let path = parts.uri.path();
        let verb = parts.method.as_str();
        let candidates = match self.edge.routes_of(verb, path) {
            Found::Routes(candidates) => candidates,
            Found::OtherVerbs(verbs, owner) => {
                return self.wrong_verb((verb, path), &verbs, owner).await;
            }
            Found::Nothing => return self.not_found(path).await,
        };
        if rest::names_no_method(&candidates, &parts) {
            return self.no_service_method(rest::owner(&candidates)).await;
        }
        let known = resolve::has_credential(&parts.headers);
        let mut passage = Passage::default();
        if known
            && candidates.len() > 1
            && let Err(error) = self.recognize(&candidates, &parts, &mut passage).await
        {
            let spec = rest::owner(&candidates).spec;
            let manner = Manner::of(spec);
            self.note.found(spec);
            self.note.failed(&error);
            let response = manner.rest(&manner.status(error));
            return self.finish(response, manner, &passage, spec);
        }
        let suits = |place: &Place| place.suits_strangers();
        if candidates.len() > 1 && !self.place.as_ref().is_ok_and(suits) {
            // Who calls is known only after the body has been read.
            self.place = self.place.and(Err(Crowded::Address));
        }
        // Who has no place is refused before anything is read.
        let has_place = self.place.is_ok() || self.peer.is_operator();
        let mut body = has_place.then_some(body);
        let (route, read) = match candidates.as_slice() {
            [only] => (*only, None),
            several => {
                let limits = self.early_limits(rest::owner(several).spec, &parts);
                rest::pick(several, &parts, &mut body, known, limits).await
            }
        };
        let (spec, manner) = (route.spec, Manner::of(route.spec));
        self.note.found(spec);
        self.note.took(route.binding.template);
        let is_unsafe = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let response = match self.admit(spec, &parts, is_unsafe, &mut passage).await {
            Err(error) => manner.rest(&manner.status(error)),
            Ok(call) => {
                // Pinned, here as below: it is not moved into what watches over it.
                let work = pin!(self.call_rest(route, &call, &parts, read, body));
                let answer = bounded(&call, work).await;
                answer.unwrap_or_else(|status| manner.rest(&status))
            }
        };
        let mut response = self.finish(response, manner, &passage, spec);
        // What the call says of the session stands: it begins one, or ends it.
        if !response.headers().contains_key(SET_COOKIE)
            && let Some(claims) = &passage.cookie_session
            && let Some(cookie) = self.renewed(claims, self.deadline(spec, &parts)).await
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        // Some questions are too long for a GET.
        let reads = spec.scope.is_some_and(|scope| !scope.write);
        if !is_unsafe || reads {
            response = conditional::settle(&parts.headers, response);
        }
        let headers = response.headers_mut();
        if spec.secret_answer || headers.contains_key(SET_COOKIE) {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }

    /// Finds out who calls one of several methods, and takes a place of theirs: a body
    /// is not read for who is not known, nor for who has too much going on.
    async fn recognize(
        &mut self,
        several: &[&'static Route],
        parts: &Parts,
        passage: &mut Passage,
    ) -> Result<()> {
        let visitor = Visitor {
            spec: rest::owner(several).spec,
            client: &self.note.client,
            peer: self.peer,
            headers: &parts.headers,
            query: parts.uri.query(),
            is_unsafe: true,
        };
        // Who shows a credential does not call what is for those without one.
        let fits = |spec: &&MethodSpec| {
            let when = spec.when;
            when.is_empty() || when.iter().any(|one| one.credential != Some(false))
        };
        let specs = several.iter().map(|route| route.spec).filter(fits);
        let principal = visitor.recognize(specs, self.shared(), passage).await?;
        if let (Ok(place), Some(_)) = (&mut self.place, principal.organization) {
            place.belongs_to(principal.organization)?;
        }
        Ok(())
    }

    async fn call_rest(
        &self,
        route: &'static Route,
        call: &Call,
        parts: &Parts,
        read: Option<ReadBody>,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Status> {
        if route.spec.client_streaming {
            let endpoint = self.endpoint(route.spec)?;
            let limits = self.body_limits(route.spec);
            let schema = self.edge.schema;
            return upload::call(schema, endpoint, route, call, parts, (body, limits)).await;
        }
        let read = match (read, body) {
            (Some(read), _) => rest::within(read, self.body_limits(route.spec)),
            (None, Some(body)) => {
                rest::read_body(&parts.headers, body, self.body_limits(route.spec)).await
            }
            (None, None) => Ok(bytes::Bytes::new()),
        };
        let body = read.map_err(|error| call.status_of(error))?;
        let endpoint = self.endpoint(route.spec)?;
        rest::call(self.edge.schema, endpoint, route, call, parts, body).await
    }

    fn endpoint(&self, spec: &MethodSpec) -> Result<&dyn Endpoint, Status> {
        let unmounted = || Status::unimplemented("The service is not mounted");
        let endpoint = self.edge.endpoints.get(spec.service.name);
        endpoint.map(AsRef::as_ref).ok_or_else(unmounted)
    }

    fn deadline(&self, spec: &MethodSpec, parts: &Parts) -> Result<Option<Instant>> {
        deadline::deadline(
            &parts.headers,
            spec,
            &self.shared().transport,
            self.note.started,
        )
    }

    /// The limits of a body that is read before it is known who calls: nobody waits for
    /// it longer than for the answer.
    fn early_limits(&self, spec: &MethodSpec, parts: &Parts) -> BodyLimits {
        let mut limits = self.body_limits(spec);
        if let Ok(Some(deadline)) = self.deadline(spec, parts) {
            let left = deadline.saturating_duration_since(Instant::now());
            limits.time = limits.time.min(left);
        }
        limits
    }

    fn body_limits(&self, spec: &MethodSpec) -> BodyLimits {
        let transport = &self.shared().transport;
        BodyLimits {
            bytes: spec
                .body_limit
                .map_or(transport.max_body, |limit| limit as usize),
            time: transport.body_timeout.0,
        }
    }

    /// Lets the request in, or says why not, within its deadline. A panic here
    /// answers like one of the call itself.
    pub(super) async fn admit(
        &mut self,
        spec: &'static MethodSpec,
        parts: &Parts,
        is_unsafe: bool,
        passage: &mut Passage,
    ) -> Result<Call> {
        let deadline = self.deadline(spec, parts);
        let late = deadline.as_ref().ok().copied().flatten();
        let admitted = {
            let work = pin!(self.enter(spec, parts, is_unsafe, passage, deadline));
            watched(late, work).await.flatten()
        };
        match &admitted {
            Ok(call) => self.note.admitted(call.principal().clone()),
            Err(error) => {
                self.note.failed(error);
                if passage.standing.is_none() && spec.service.rate_headers {
                    // It was refused before anybody counted.
                    let address = self.note.client.address;
                    passage.standing = gate::standing_of(self.shared(), address).await;
                }
            }
        }
        admitted
    }

    async fn enter(
        &mut self,
        spec: &'static MethodSpec,
        parts: &Parts,
        is_unsafe: bool,
        passage: &mut Passage,
        deadline: Result<Option<Instant>>,
    ) -> Result<Call> {
        let vital = self.peer.is_operator() || gate::is_vital(spec);
        if let Err(crowded) = self.place
            && !vital
        {
            return Err(crowded.into());
        }
        resolve::check_head(parts, &self.shared().transport)?;
        let visitor = Visitor {
            spec,
            client: &self.note.client,
            peer: self.peer,
            headers: &parts.headers,
            query: parts.uri.query(),
            is_unsafe,
        };
        let principal = visitor.admit(self.shared(), passage).await?;
        if streams(spec) && !vital {
            self.place = Ok(self.edge.streams.enter(self.note.client.address)?);
        }
        if let Ok(place) = &mut self.place
            && !vital
        {
            place.belongs_to(principal.organization)?;
        }
        Ok(Call::admit(Admitted {
            spec,
            principal,
            note: self.note.clone(),
            project_choice: resolve::project_choice(&parts.headers, parts.uri.query()),
            idempotency_key: resolve::idempotency_key(&parts.headers),
            if_match: resolve::if_match(&parts.headers),
            deadline: deadline?,
            attempt: OnceLock::new(),
        }))
    }

    pub(super) fn finish(
        &mut self,
        mut response: Response<Body>,
        manner: Manner,
        passage: &Passage,
        spec: &'static MethodSpec,
    ) -> Response<Body> {
        let organization = self.note.organization();
        if let Some(organization) = organization {
            self.shared().requests.add(organization);
        }
        if spec.server_streaming && !response.body().is_end_stream() {
            // A stream has its place until it ends.
            let place = std::mem::replace(&mut self.place, Err(Crowded::All));
            response = response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &place;
                    frame
                }))
            });
        }
        let standing = self.note.standing().or(passage.standing);
        if let Some(standing) = standing.filter(|_| manner.rate_headers) {
            put_standing(response.headers_mut(), standing);
        }
        if let Some(days) = passage.trial_days {
            put_days(response.headers_mut(), days);
        }
        response
    }

    /// A session in use is kept alive: once a day it is signed anew, if the answer need
    /// not wait for it longer than for the call.
    async fn renewed(
        &self,
        claims: &Claims,
        deadline: Result<Option<Instant>>,
    ) -> Option<HeaderValue> {
        let work = self.shared().sessions.renew(&self.shared().db, claims);
        let renewed = match deadline {
            Ok(Some(deadline)) => tokio::time::timeout_at(deadline.into(), work)
                .await
                .unwrap_or_else(|_| Err(deadline::passed())),
            Ok(None) | Err(_) => work.await,
        };
        match renewed {
            Ok(token) => {
                let secure = self.note.client.secure;
                token.map(|token| self.shared().sessions.cookie(&token, secure))
            }
            Err(error) => {
                tracing::warn!(%error, "cannot renew a session");
                None
            }
        }
    }
}

/// Whether a method's requests last as long as its clients like.
fn streams(spec: &MethodSpec) -> bool {
    spec.client_streaming || spec.server_streaming
}

/// Runs a call until its deadline and turns a panic into a failure.
pub(super) async fn bounded(
    call: &Call,
    work: impl Future<Output = Result<Response<Body>, Status>>,
) -> Result<Response<Body>, Status> {
    let deadline = call.deadline();
    // Timers are coarse: what is over already is not begun.
    if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
        return Err(call.status_of(deadline::passed()));
    }
    let outcome = watched(deadline, work).await;
    outcome.unwrap_or_else(|error| Err(call.status_of(error)))
}

/// What work comes to, unless the deadline passes before, or it panics.
async fn watched<T>(late: Option<Instant>, work: impl Future<Output = T>) -> Result<T> {
    let mut work = pin!(AssertUnwindSafe(work).catch_unwind());
    // Most work is done at once: only what has to wait is timed.
    let at_once = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    let outcome = match (at_once, late) {
        (Poll::Ready(outcome), _) => outcome,
        (Poll::Pending, None) => work.await,
        (Poll::Pending, Some(late)) => tokio::time::timeout_at(late.into(), work)
            .await
            .map_err(|_| deadline::passed())?,
    };
    outcome.map_err(|panic| pace::panicked(&*panic))
}
