//! Uploads over REST: a body of any size becomes a stream of messages. The first has what
//! the URL says; the others are pieces of the body, as they come. Nobody holds all of it.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_ENCODING;
use http::{Response, request};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::{Status, Streaming};

use super::call::Call;
use super::codec::Codec;
use super::dispatch::{Answer, Asked, Endpoint, Messages, astray, framed};
use super::rest::{self, BodyLimits};
use crate::error::{Error, reason};
use crate::transcode::bind::{self, Plurality};
use crate::transcode::router::Route;
use crate::transcode::schema::Schema;

/// Most bytes of a piece.
const PIECE: usize = 256 * 1024;

/// Calls the method of a route with a body that is taken as it comes.
pub(super) async fn call(
    schema: &'static Schema,
    endpoint: &dyn Endpoint,
    route: &'static Route,
    call: &Call,
    parts: &request::Parts,
    (body, limits): (Option<Incoming>, BodyLimits),
) -> Result<Response<Body>, Status> {
    let headers = &parts.headers;
    let encoding = headers
        .get(CONTENT_ENCODING)
        .map(http::HeaderValue::as_bytes);
    if !matches!(encoding, None | Some(b"identity" | b"")) {
        let error = Error::invalid("An upload is not compressed by Content-Encoding");
        return Err(call.status_of(error.reason(reason::UNSUPPORTED_MEDIA_TYPE)));
    }
    let sound = body
        .as_ref()
        .map_or(Ok(()), |body| rest::fits(body, limits));
    sound.map_err(|error| call.status_of(error))?;
    let first = bind::request(schema, route, rest::brought(parts, &[]));
    let (first, _) = first.map_err(|error| call.status_of(error))?;
    let first = stream::once(std::future::ready(Ok(frame(&first))));
    let pieces = pieces(schema, route, call.clone(), body, limits.bytes as u64);
    let frames = StreamBody::new(first.chain(pieces));
    let asked = Asked {
        call: call.clone(),
        route: Some(route.binding),
        messages: Messages::Many(Streaming::new_request(Codec, frames, None, None)),
    };
    match endpoint.dispatch(route.spec.index, asked).await? {
        Answer::One(answer) => rest::one(schema, route, Plurality::One, answer),
        Answer::Many(_) => Err(astray()),
    }
}

fn frame(message: &[u8]) -> Frame<Bytes> {
    Frame::data(framed(message.len(), |frame| {
        frame.extend_from_slice(message);
    }))
}

/// The frames of the pieces of a body.
fn pieces(
    schema: &'static Schema,
    route: &'static Route,
    call: Call,
    body: Option<Incoming>,
    limit: u64,
) -> impl futures_util::Stream<Item = Result<Frame<Bytes>, Status>> + Send {
    let state = body.map(|body| (body, Bytes::new(), 0, call));
    stream::unfold(state, move |state| async move {
        let (mut body, mut rest, mut taken, call) = state?;
        while rest.is_empty() {
            let next = body.frame().await?;
            let Ok(next) = next else {
                // Not as a client that cancelled, which is taken for the end of a stream.
                let error = Error::invalid("The body ended early");
                return Some((Err(call.status_of(error)), None));
            };
            if let Ok(data) = next.into_data() {
                rest = data;
            }
        }
        let piece = rest.split_to(rest.len().min(PIECE));
        taken += piece.len() as u64;
        if taken > limit {
            let error = Error::too_large(limit);
            return Some((Err(call.status_of(error)), None));
        }
        let piece = frame(&bind::piece(schema, route, &piece));
        Some((Ok(piece), Some((body, rest, taken, call))))
    })
}
