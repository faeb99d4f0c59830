//! The way of a request, in one place: resolve, admit, bound in time, call, and
//! turn what failed into the documented answer. A panic below answers like any
//! other failure.

use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use foldhash::HashMap;

use futures_util::FutureExt as _;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;

use super::call::{Admitted, Call, Client};
use super::client::{Peer, client};
use super::deadline;
use super::dispatch::{Endpoint, GrpcService, MessageLimits};
use super::gate::{self, Passage, Visitor};
use super::headers::X_REQUEST_ID;
use super::note::Note;
use super::pace;
use super::places::{Crowded, Place, Places};
use super::resolve::{self, Protocol};
use super::respond::{Manner, put_standing};
use super::rest::{self, BodyLimits, ReadBody};
use super::shared::Shared;
use crate::error::Result;
use crate::policy::MethodSpec;
use crate::transcode::router::{Found, Route, Router};
use crate::transcode::schema::Schema;

/// Routes requests to services.
pub struct Edge {
    shared: Arc<Shared>,
    schema: &'static Schema,
    router: &'static Router,
    pub(super) methods: HashMap<&'static str, &'static MethodSpec>,
    endpoints: HashMap<&'static str, Arc<dyn Endpoint>>,
    pub(super) grpc: HashMap<&'static str, GrpcService>,
    places: Arc<Places>,
    /// Streams have as many places of their own: those that stay open must not keep
    /// out what is answered at once.
    streams: Arc<Places>,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge")
            .field("methods", &self.methods.len())
            .finish_non_exhaustive()
    }
}

/// An answer on its way.
pub(super) type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

impl Edge {
    /// Mounts endpoints. Schema and routes live as long as the process.
    pub fn new(
        shared: Arc<Shared>,
        schema: &'static Schema,
        methods: &'static [MethodSpec],
        endpoints: Vec<Arc<dyn Endpoint>>,
    ) -> Self {
        let limits = MessageLimits {
            decoding: shared.transport.max_message_in,
            encoding: shared.transport.max_message_out,
        };
        let grpc = endpoints
            .iter()
            .map(|e| (e.service(), e.grpc(limits)))
            .collect();
        let endpoints = endpoints.into_iter().map(|e| (e.service(), e)).collect();
        Self {
            places: Arc::new(Places::new(&shared.transport)),
            streams: Arc::new(Places::new(&shared.transport)),
            shared,
            schema,
            router: Box::leak(Box::new(Router::new(schema, methods))),
            methods: methods.iter().map(|spec| (spec.path, spec)).collect(),
            endpoints,
            grpc,
        }
    }

    /// Mounts a gRPC service whose proto is not ours.
    pub fn mount(&mut self, service: &'static str, server: GrpcService) {
        self.grpc.insert(service, server);
    }

    /// What all requests share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether pages of any origin may call a path.
    pub(super) fn is_open(&self, verb: &str, path: &str) -> bool {
        match self.router.find(routed(verb), path) {
            Found::Routes(routes) => routes.iter().any(|route| route.spec.any_origin),
            Found::OtherVerbs(..) | Found::Nothing => {
                self.methods.get(path).is_some_and(|spec| spec.any_origin)
            }
        }
    }

    /// Answers a request. Each protocol's way is a future of its own: moving the
    /// largest of them around would cost every request.
    pub(super) fn handle(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let (mut parts, body) = request.into_parts();
        let peer = parts.extensions.remove::<Peer>().unwrap_or(Peer {
            address: Some(([0, 0, 0, 0], 0).into()),
            secure: false,
        });
        let client = client(peer, &parts, &self.shared.trusted_proxies);
        let protocol = Protocol::of(&parts.headers);
        let fits = protocol.check(&parts);
        let note = parts.extensions.remove::<Arc<Note>>().unwrap_or_else(|| {
            let (shared, id) = (self.shared.clone(), HeaderValue::from_static(""));
            Arc::new(Note::new(shared, id, None, parts.method.clone()))
        });
        // What is no proper gRPC is answered as REST is.
        let spoken = fits.as_ref().map_or(Protocol::Rest, |()| protocol);
        note.entered(spoken, client.address);
        let place = self.places.enter(client.address);
        let request = Visit {
            edge: self,
            peer,
            client,
            place,
            note,
        };
        match (fits, protocol) {
            (Err(error), _) => {
                Box::pin(async move { request.misfit(parts.uri.path(), error).await })
            }
            (Ok(()), Protocol::Grpc) => Box::pin(request.grpc(parts, Body::new(body))),
            (Ok(()), Protocol::GrpcWeb) => Box::pin(request.grpc_web(parts, body)),
            (Ok(()), Protocol::Rest) => Box::pin(request.rest(parts, body)),
        }
    }
}

/// One request on its way.
pub(super) struct Visit {
    pub(super) edge: Arc<Edge>,
    pub(super) peer: Peer,
    pub(super) client: Client,
    /// Its place among all requests, or why it has none.
    pub(super) place: Result<Place, Crowded>,
    /// What the log will say of it. Its deadline counts from its beginning.
    pub(super) note: Arc<Note>,
}

impl Visit {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.edge.shared
    }

    async fn rest(mut self, parts: Parts, body: Incoming) -> Response<Body> {
        let path = parts.uri.path();
        let verb = routed(parts.method.as_str());
        let candidates = match self.edge.router.find(verb, path) {
            Found::Routes(candidates) => candidates,
            Found::OtherVerbs(verbs, owner) => return self.wrong_verb(&verbs, owner).await,
            Found::Nothing => return self.not_found(path).await,
        };
        let suits = |place: &Place| place.suits_strangers();
        if candidates.len() > 1 && !self.place.as_ref().is_ok_and(suits) {
            // Who calls is known only after the body has been read.
            self.place = self.place.and(Err(Crowded::Address));
        }
        // Who has no place is refused before anything is read.
        let has_place = self.place.is_ok() || self.peer.is_operator();
        let mut body = has_place.then_some(body);
        let known = resolve::has_credential(&parts.headers);
        let owner = rest::owner(&candidates);
        let mut limits = self.body_limits(owner.spec);
        if let Ok(Some(deadline)) = self.deadline(owner.spec, &parts) {
            // Nobody waits for a body longer than for the answer.
            let left = deadline.saturating_duration_since(Instant::now());
            limits.time = limits.time.min(left);
        }
        let (route, read) = rest::pick(&candidates, &parts, &mut body, known, limits).await;
        let (spec, manner) = (route.spec, Manner::of(route.spec));
        self.note.found(spec);
        self.note.took(route.binding.template);
        let mut passage = Passage::default();
        let is_unsafe = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let response = match self.admit(spec, &parts, is_unsafe, &mut passage).await {
            Err(error) => manner.rest(&manner.status(error)),
            Ok(call) => {
                let work = self.call_rest(route, &call, &parts, read, body);
                let answer = bounded(&call, work).await;
                answer.unwrap_or_else(|status| manner.rest(&status))
            }
        };
        let mut response = self.finish(response, manner, &passage, spec);
        // What the call says of the session stands: it begins one, or ends it.
        if !response.headers().contains_key(SET_COOKIE)
            && let Some(cookie) = self.renewed(&passage).await
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    async fn call_rest(
        &self,
        route: &'static Route,
        call: &Call,
        parts: &Parts,
        read: Option<ReadBody>,
        body: Option<Incoming>,
    ) -> Result<Response<Body>, Status> {
        let read = match (read, body) {
            (Some(read), _) => rest::within(read, self.body_limits(route.spec)),
            (None, Some(body)) => {
                rest::read_body(&parts.headers, body, self.body_limits(route.spec)).await
            }
            (None, None) => Ok(bytes::Bytes::new()),
        };
        let body = read.map_err(|error| call.status_of(error))?;
        let unmounted = || Status::unimplemented("The service is not mounted");
        let endpoint = self.edge.endpoints.get(route.spec.service.name);
        let endpoint = endpoint.ok_or_else(unmounted)?;
        rest::call(
            self.edge.schema,
            endpoint.as_ref(),
            route,
            call,
            parts,
            body,
        )
        .await
    }

    fn deadline(&self, spec: &MethodSpec, parts: &Parts) -> Result<Option<Instant>> {
        deadline::deadline(
            &parts.headers,
            spec,
            &self.shared().transport,
            self.note.started,
        )
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
        let note = self.note.clone();
        // Pinned, for it is not moved into what watches over it.
        let work = pin!(self.enter(spec, parts, is_unsafe, passage, deadline));
        let work = AssertUnwindSafe(work).catch_unwind();
        let outcome = match late {
            None => work.await,
            Some(late) => tokio::time::timeout_at(late.into(), work)
                .await
                .unwrap_or_else(|_| Ok(Err(deadline::passed()))),
        };
        let admitted = outcome.unwrap_or_else(|panic| Err(pace::panicked(&*panic)));
        match &admitted {
            Ok(call) => note.admitted(call),
            Err(error) => note.refused(error),
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
            client: &self.client,
            peer: self.peer,
            headers: &parts.headers,
            is_unsafe,
        };
        let principal = visitor.admit(self.shared(), passage).await?;
        if streams(spec) && !vital {
            self.place = Ok(self.edge.streams.enter(self.client.address)?);
        }
        if let Ok(place) = &mut self.place
            && !vital
        {
            place.belongs_to(principal.organization)?;
        }
        Ok(Call::admit(Admitted {
            spec,
            principal,
            shared: self.shared().clone(),
            client: self.client.clone(),
            request_id: parts.headers.get(&X_REQUEST_ID).cloned(),
            project_choice: resolve::project_choice(&parts.headers, parts.uri.query()),
            idempotency_key: resolve::idempotency_key(&parts.headers),
            deadline: deadline?,
            cause: OnceLock::new(),
            attempt: OnceLock::new(),
            page: OnceLock::new(),
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
        if let Some(standing) = passage.standing.filter(|_| manner.rate_headers) {
            put_standing(response.headers_mut(), standing);
        }
        response
    }

    /// A session in use is kept alive: once a day it is signed anew.
    async fn renewed(&self, passage: &Passage) -> Option<HeaderValue> {
        let claims = passage.cookie_session.as_ref()?;
        let renewed = self
            .shared()
            .sessions
            .renew(&self.shared().db, claims)
            .await;
        match renewed {
            Ok(token) => {
                token.map(|token| self.shared().sessions.cookie(&token, self.client.secure))
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

/// The verb whose route is taken: a HEAD is a GET whose body nobody wants.
fn routed(verb: &str) -> &str {
    match verb {
        "HEAD" => "GET",
        verb => verb,
    }
}

/// Runs a call until its deadline and turns a panic into a failure.
pub(super) async fn bounded(
    call: &Call,
    work: impl Future<Output = Result<Response<Body>, Status>>,
) -> Result<Response<Body>, Status> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let outcome = match call.deadline() {
        None => work.await,
        // Timers are coarse: what is over already is not begun.
        Some(deadline) if deadline <= Instant::now() => {
            return Err(call.status_of(deadline::passed()));
        }
        Some(deadline) => {
            let late = |_| call.status_of(deadline::passed());
            tokio::time::timeout_at(deadline.into(), work)
                .await
                .map_err(late)?
        }
    };
    match outcome {
        Ok(result) => result,
        Err(panic) => Err(call.status_of(pace::panicked(&*panic))),
    }
}
