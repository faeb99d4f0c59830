//! gRPC and gRPC-Web on their way: the method by its name, then its endpoint, or
//! tonic's own server of a service whose proto is not ours.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{BoxError, Layer as _, Service as _};

use super::call::Call;
use super::gate::Passage;
use super::library;
use super::note::Note;
use super::pace;
use super::places::Crowded;
use super::resolve;
use super::respond::Manner;
use super::unary;
use super::visit::{Visit, bounded};

impl Visit {
    /// gRPC-Web is gRPC behind a translation of its frames.
    pub(super) async fn grpc_web(self, mut parts: Parts, body: Incoming) -> Response<Body> {
        let edge = self.edge.clone();
        let (peer, note) = (self.peer, self.note);
        // The translation calls what it wraps once.
        let mut place = Some(self.place);
        let inner = tower::service_fn(move |request: Request<Body>| {
            let (parts, body) = request.into_parts();
            let edge = edge.clone();
            let note = note.clone();
            let place = place.take().unwrap_or(Err(Crowded::All));
            async move {
                let visit = Visit {
                    edge,
                    peer,
                    place,
                    note: note.clone(),
                };
                let response = visit.grpc(parts, body).await;
                // Once they are translated, trailers look like any bytes.
                Ok::<_, Infallible>(response.map(|body| trailed(body, note)))
            }
        });
        // The translation knows the bare type alone.
        let plain = resolve::web_type(&parts.headers);
        parts.headers.insert(CONTENT_TYPE, plain);
        let mut translated = tonic_web::GrpcWebLayer::new().layer(inner);
        let Ok(response) = translated.call(Request::from_parts(parts, body)).await;
        response
    }

    pub(super) async fn grpc<B>(mut self, parts: Parts, body: B) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let path = parts.uri.path();
        let Some(&spec) = self.edge.methods.get(path) else {
            return self.no_method(path).await;
        };
        self.note.found(spec);
        let manner = Manner::of(spec);
        let mut passage = Passage::default();
        let response = match self.admit(spec, &parts, true, &mut passage).await {
            Err(error) => manner.status(error).into_http(),
            Ok(call) => {
                let work = pin!(self.call_grpc(&call, parts, body));
                let answer = bounded(&call, work).await;
                manner.mend(answer.unwrap_or_else(Status::into_http))
            }
        };
        self.finish(response, manner, &passage, spec)
    }

    async fn call_grpc<B>(
        &self,
        call: &Call,
        parts: Parts,
        body: B,
    ) -> Result<Response<Body>, Status>
    where
        B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (edge, spec) = (&self.edge, call.spec());
        let service = spec.service.name;
        if let Some(endpoint) = edge.endpoints.get(service)
            && unary::suits(spec, &parts.headers)
        {
            let body = pace::whole_in_time(call, body);
            return unary::answer(endpoint.as_ref(), call, body, edge.limits).await;
        }
        let body = match (spec.client_streaming, spec.server_streaming) {
            // A stream may take its time between its messages.
            (true, true) => Body::new(body),
            (true, false) => Body::new(body.map_err(cut_off)),
            (false, _) => Body::new(pace::whole_in_time(call, body)),
        };
        let mut request = Request::from_parts(parts, body);
        if let Some(endpoint) = edge.endpoints.get(service) {
            let limits = edge.limits;
            return Ok(library::answer(endpoint.clone(), call.clone(), request, limits).await);
        }
        let Some(server) = edge.foreign.get(service) else {
            return Err(Status::unimplemented("The service is not mounted"));
        };
        request.extensions_mut().insert(call.clone());
        let Ok(response) = server.clone().call(request).await;
        Ok(response)
    }
}

/// What is sent as a whole was not. tonic takes a client that cancelled for one that had
/// no more to say.
fn cut_off(error: impl Into<BoxError>) -> Status {
    let status = Status::from_error(error.into());
    match status.code() {
        Code::Cancelled => Status::aborted("The stream ended early"),
        _ => status,
    }
}

/// A body whose trailers are noted.
fn trailed(body: Body, note: Arc<Note>) -> Body {
    Body::new(body.map_frame(move |mut frame| {
        if let Some(trailers) = frame.trailers_mut() {
            note.trailed(trailers);
        }
        frame
    }))
}
