//! What every service method passes through, whichever protocol it came by: the
//! call must have been admitted, the request must be valid, a public project key
//! must be known, and a request that was answered before is answered the same.

use futures_util::StreamExt as _;
use prost::Message;
use tonic::metadata::KeyAndValueRef;
use tonic::{Request, Response, Status, Streaming};

use super::call::{Call, Replies, Reply, Requests, StatusOverride};
use super::check::{Check, check, check_request};
use super::{idempotency, pace, page};
use crate::error::Error;
use crate::policy::MethodSpec;

/// A method with one request and one answer.
pub async fn unary<I, O, F, Fut>(
    spec: &'static MethodSpec,
    request: Request<I>,
    method: F,
) -> Result<Response<O>, Status>
where
    I: Message + Check,
    O: Message + Default,
    F: FnOnce(Call, I) -> Fut,
    Fut: Future<Output = Result<Reply<O>, Error>>,
{
    let (call, message) = admitted(spec, request)?;
    check_request(spec, &message).map_err(|error| call.status_of(error))?;
    once(call, message, method).await
}

/// A method of pages: one request, which names a project by its public key, and
/// one answer. `key` reads it from the member called `field`.
pub async fn page<I, O, F, Fut>(
    spec: &'static MethodSpec,
    request: Request<I>,
    (field, key): (&'static str, fn(&I) -> &str),
    method: F,
) -> Result<Response<O>, Status>
where
    I: Message + Check,
    O: Message + Default,
    F: FnOnce(Call, I) -> Fut,
    Fut: Future<Output = Result<Reply<O>, Error>>,
{
    let (call, message) = admitted(spec, request)?;
    check_request(spec, &message).map_err(|error| call.status_of(error))?;
    let identified = page::identify(&call, field, key(&message)).await;
    identified.map_err(|error| call.status_of(error))?;
    once(call, message, method).await
}

/// Calls a method, unless the request was answered before.
async fn once<I, O, F, Fut>(call: Call, message: I, method: F) -> Result<Response<O>, Status>
where
    I: Message,
    O: Message + Default,
    F: FnOnce(Call, I) -> Fut,
    Fut: Future<Output = Result<Reply<O>, Error>>,
{
    let attempt = idempotency::begin(&call, &message);
    let attempt = attempt.map_err(|error| call.status_of(error))?;
    if let Some(stored) = idempotency::replay(&call, &attempt).await? {
        return Ok(stored);
    }
    let answer = method(call.clone(), message).await;
    answer.map(respond).map_err(|error| call.status_of(error))
}

/// A method with one request and a stream of answers.
pub async fn server_stream<I, O, F, Fut>(
    spec: &'static MethodSpec,
    request: Request<I>,
    method: F,
) -> Result<Response<Replies<O>>, Status>
where
    I: Check,
    O: Send + 'static,
    F: FnOnce(Call, I) -> Fut,
    Fut: Future<Output = Result<Replies<O>, Error>>,
{
    let (call, message) = admitted(spec, request)?;
    check_request(spec, &message).map_err(|error| call.status_of(error))?;
    let answer = method(call.clone(), message).await;
    replies(&call, answer)
}

/// A method with a stream of requests and one answer.
pub async fn client_stream<I, O, F, Fut>(
    spec: &'static MethodSpec,
    request: Request<Streaming<I>>,
    method: F,
) -> Result<Response<O>, Status>
where
    I: Check + Send + 'static,
    F: FnOnce(Call, Requests<I>) -> Fut,
    Fut: Future<Output = Result<Reply<O>, Error>>,
{
    let (call, messages) = admitted(spec, request)?;
    let answer = method(call.clone(), checked(&call, messages)).await;
    answer.map(respond).map_err(|error| call.status_of(error))
}

/// A method with a stream of requests and a stream of answers.
pub async fn bidirectional<I, O, F, Fut>(
    spec: &'static MethodSpec,
    request: Request<Streaming<I>>,
    method: F,
) -> Result<Response<Replies<O>>, Status>
where
    I: Check + Send + 'static,
    O: Send + 'static,
    F: FnOnce(Call, Requests<I>) -> Fut,
    Fut: Future<Output = Result<Replies<O>, Error>>,
{
    let (call, messages) = admitted(spec, request)?;
    let answer = method(call.clone(), checked(&call, messages)).await;
    replies(&call, answer)
}

/// The call the gate admitted. A request that did not pass the gate, or passed
/// it for another method, is refused: this is where a wiring fault fails closed.
fn admitted<I>(spec: &'static MethodSpec, mut request: Request<I>) -> Result<(Call, I), Status> {
    match request.extensions_mut().remove::<Call>() {
        Some(call) if std::ptr::eq(call.spec(), spec) => Ok((call, request.into_inner())),
        Some(_) | None => Err(Status::internal("Internal server error")),
    }
}

fn checked<I: Check + Send + 'static>(call: &Call, messages: Streaming<I>) -> Requests<I> {
    Box::pin(pace::while_sending(call, messages).map(|message| {
        let message = message?;
        check(&message)?;
        Ok(message)
    }))
}

fn replies<O: Send + 'static>(
    call: &Call,
    answer: Result<Replies<O>, Error>,
) -> Result<Response<Replies<O>>, Status> {
    let replies = answer.map_err(|error| call.status_of(error))?;
    Ok(Response::new(pace::until_deadline(call, replies)))
}

fn respond<O>(reply: Reply<O>) -> Response<O> {
    let Reply {
        message,
        headers,
        status,
    } = reply;
    let mut response = Response::new(message);
    for (name, value) in headers {
        append(&mut response, name, value);
    }
    if let Some(status) = status {
        response.extensions_mut().insert(StatusOverride(status));
    }
    response
}

/// Appends a header as metadata; tonic's map is the same header map inside.
pub fn append<O>(response: &mut Response<O>, name: http::HeaderName, value: http::HeaderValue) {
    let metadata = std::mem::take(response.metadata_mut());
    let mut headers = metadata.into_headers();
    headers.append(name, value);
    *response.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
}

/// The headers of a response that came through tonic's metadata.
pub fn headers_of<O>(response: &Response<O>) -> impl Iterator<Item = (&str, &[u8])> {
    response.metadata().iter().filter_map(|entry| match entry {
        KeyAndValueRef::Ascii(name, value) => Some((name.as_str(), value.as_encoded_bytes())),
        KeyAndValueRef::Binary(..) => None,
    })
}
