//! Where requests come in: which protocol each speaks, and what it may be routed to.

use std::pin::Pin;
use std::sync::Arc;

use foldhash::HashMap;
use http::{Request, Response};
use tonic::body::Body;

use super::dispatch::{Endpoint, GrpcService, MessageLimits};
use super::places::Places;
use super::resolve::Protocol;
use super::shared::Shared;
use super::trace::Arrival;
use super::visit::Visit;
use crate::policy::{Dialect, MethodSpec};
use crate::transcode::router::{Found, Router};
use crate::transcode::schema::Schema;

/// Routes requests to services.
pub struct Edge {
    shared: Arc<Shared>,
    pub(super) schema: &'static Schema,
    router: &'static Router,
    pub(super) methods: HashMap<&'static str, &'static MethodSpec>,
    pub(super) endpoints: HashMap<&'static str, Arc<dyn Endpoint>>,
    /// Services whose protos are not ours.
    pub(super) foreign: HashMap<&'static str, GrpcService>,
    pub(super) limits: MessageLimits,
    places: Arc<Places>,
    /// Streams have as many places of their own: those that stay open must not keep
    /// out what is answered at once.
    pub(super) streams: Arc<Places>,
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
        let endpoints = endpoints.into_iter().map(|e| (e.service(), e)).collect();
        Self {
            places: Arc::new(Places::new(&shared.transport)),
            streams: Arc::new(Places::new(&shared.transport)),
            shared,
            schema,
            router: Box::leak(Box::new(Router::new(schema, methods))),
            methods: methods.iter().map(|spec| (spec.path, spec)).collect(),
            endpoints,
            foreign: HashMap::default(),
            limits,
        }
    }

    /// Mounts a gRPC service whose proto is not ours.
    pub fn mount(&mut self, service: &'static str, server: GrpcService) {
        self.foreign.insert(service, server);
    }

    /// What all requests share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The routes of a path and a verb.
    pub(super) fn routes(&self, verb: &str, path: &str) -> Found<'static> {
        self.router.find(routed(verb), path)
    }

    /// The same, of a request: FeathersJS passes over a slash at the end, and over the id
    /// of something new.
    pub(super) fn routes_of(&self, verb: &str, path: &str) -> Found<'static> {
        let found = self.without_id(verb, path);
        let (Found::Nothing, Some(near)) = (&found, path.strip_suffix('/')) else {
            return found;
        };
        match self.without_id(verb, near) {
            Found::Routes(routes)
                if routes
                    .iter()
                    .all(|route| route.spec.dialect == Dialect::Feathers) =>
            {
                Found::Routes(routes)
            }
            Found::Routes(_) | Found::OtherVerbs(..) | Found::Nothing => Found::Nothing,
        }
    }

    /// The routes of a path, or those above it where one makes something new and is given
    /// the id of a record.
    fn without_id(&self, verb: &str, path: &str) -> Found<'static> {
        let found = self.routes(verb, path);
        let Found::OtherVerbs(_, owner) = &found else {
            return found;
        };
        let makes = verb == "POST" && owner.spec.dialect == Dialect::Feathers;
        let above = path.rsplit_once('/').filter(|_| makes);
        match above.map(|(above, _)| self.routes(verb, above)) {
            Some(routes @ Found::Routes(_)) => routes,
            Some(Found::OtherVerbs(..) | Found::Nothing) | None => found,
        }
    }

    /// Whether pages of any origin may call a path.
    pub(super) fn is_open(&self, verb: &str, path: &str) -> bool {
        match self.routes(verb, path) {
            Found::Routes(routes) => routes.iter().any(|route| route.spec.any_origin),
            Found::OtherVerbs(..) | Found::Nothing => {
                self.methods.get(path).is_some_and(|spec| spec.any_origin)
            }
        }
    }

    /// Answers a request. Each protocol's way is a future of its own: moving the
    /// largest of them around would cost every request.
    pub(super) fn handle(self: Arc<Self>, request: Request<Arrival>) -> Answer {
        let (parts, Arrival { peer, note, body }) = request.into_parts();
        let protocol = Protocol::of(&parts.headers);
        let fits = protocol.check(&parts);
        // What is no proper gRPC is answered as REST is.
        note.entered(fits.as_ref().map_or(Protocol::Rest, |()| protocol));
        let place = self.places.enter(note.client.address);
        let request = Visit {
            edge: self,
            peer,
            place,
            note,
        };
        match (fits, protocol) {
            (Err(error), _) => {
                Box::pin(async move { request.misfit(parts.uri.path(), error).await })
            }
            (Ok(()), Protocol::Grpc) => Box::pin(request.grpc(parts, body)),
            (Ok(()), Protocol::GrpcWeb) => Box::pin(request.grpc_web(parts, body)),
            (Ok(()), Protocol::Rest) => Box::pin(request.rest(parts, body)),
        }
    }
}

/// The verb whose route is taken: a HEAD is a GET whose body nobody wants.
fn routed(verb: &str) -> &str {
    match verb {
        "HEAD" => "GET",
        verb => verb,
    }
}
