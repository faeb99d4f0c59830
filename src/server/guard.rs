//! What every service method passes through, whichever protocol it came by: the
//! call must have been admitted, the request must be valid, a public project key
//! must be known, and a request that was answered before is answered the same.
//!
//! The public functions are compiled once for every method there is. They read a
//! message, call the method and write its answer; all the rest is compiled once.

use std::any::Any;

use bytes::Bytes;
use futures_util::StreamExt as _;
use prost::{Message, Name};
use tonic::{Status, Streaming};

use super::call::{Call, Replies, Reply, Requests};
use super::check::{Check, check, check_request};
use super::dispatch::{Answer, Asked, Dispatched, Messages, One, astray, framed};
use super::{codec, idempotency, pace, page, parts};
use crate::api::google::api::HttpBody;
use crate::error::{Error, Result};
use crate::policy::MethodSpec;

/// Where a request of a page names its project: the JSON name of the member with the
/// public key, and what reads it.
pub type PageKey<I> = (&'static str, fn(&I) -> &str);

/// Calls a method with one request and one answer.
pub fn unary<I, O, F, Fut>(
    spec: &'static MethodSpec,
    asked: Asked,
    page: Option<PageKey<I>>,
    method: F,
) -> Dispatched
where
    I: Message + Name + Default + Check + 'static,
    O: Message + 'static,
    F: FnOnce(Call, I) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Reply<O>>> + Send,
{
    Box::pin(async move {
        let (call, wire) = one(spec, asked)?;
        let request: I = requested(&call, wire)?;
        let page = page.map(|(field, key)| (field, key(&request)));
        let again = call.idempotency_key().map(|_| request.encode_to_vec());
        if let Some(stored) = before(&call, page, again).await? {
            return Ok(stored);
        }
        match method(call.clone(), request).await {
            Ok(reply) => Ok(answer(reply)),
            Err(error) => Err(call.status_of(error)),
        }
    })
}

/// Calls a method with one request and a stream of answers.
pub fn server_stream<I, O, F, Fut>(spec: &'static MethodSpec, asked: Asked, method: F) -> Dispatched
where
    I: Message + Name + Default + Check + 'static,
    O: Message + 'static,
    F: FnOnce(Call, I) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Replies<O>>> + Send,
{
    Box::pin(async move {
        let (call, wire) = one(spec, asked)?;
        let request: I = requested(&call, wire)?;
        let answers = method(call.clone(), request).await;
        many(&call, answers)
    })
}

/// Calls a method with a stream of requests and one answer.
pub fn client_stream<I, O, F, Fut>(spec: &'static MethodSpec, asked: Asked, method: F) -> Dispatched
where
    I: Message + Name + Default + Check + 'static,
    O: Message + 'static,
    F: FnOnce(Call, Requests<I>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Reply<O>>> + Send,
{
    Box::pin(async move {
        let (call, messages) = stream(spec, asked)?;
        match method(call.clone(), requests(&call, messages)).await {
            Ok(reply) => Ok(answer(reply)),
            Err(error) => Err(call.status_of(error)),
        }
    })
}

/// Calls a method with a stream of requests and a stream of answers.
pub fn bidirectional<I, O, F, Fut>(spec: &'static MethodSpec, asked: Asked, method: F) -> Dispatched
where
    I: Message + Name + Default + Check + 'static,
    O: Message + 'static,
    F: FnOnce(Call, Requests<I>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<Replies<O>>> + Send,
{
    Box::pin(async move {
        let (call, messages) = stream(spec, asked)?;
        let answers = method(call.clone(), requests(&call, messages)).await;
        many(&call, answers)
    })
}

/// What the gate admitted. A request that passed it for another method is refused: this
/// is where a wiring fault fails closed.
fn admitted(spec: &'static MethodSpec, asked: Asked) -> Result<(Call, Messages), Status> {
    match std::ptr::eq(asked.call.spec(), spec) {
        true => Ok((asked.call, asked.messages)),
        false => Err(astray()),
    }
}

fn one(spec: &'static MethodSpec, asked: Asked) -> Result<(Call, Bytes), Status> {
    match admitted(spec, asked)? {
        (call, Messages::One(wire)) => Ok((call, wire)),
        (_, Messages::Many(_)) => Err(astray()),
    }
}

fn stream(spec: &'static MethodSpec, asked: Asked) -> Result<(Call, Streaming<Bytes>), Status> {
    match admitted(spec, asked)? {
        (call, Messages::Many(messages)) => Ok((call, messages)),
        (_, Messages::One(_)) => Err(astray()),
    }
}

/// The request, if it is valid.
fn requested<I: Message + Name + Default + Check>(call: &Call, wire: Bytes) -> Result<I, Status> {
    parts::check(&wire, I::full_name).map_err(|error| call.status_of(error))?;
    let request = I::decode(wire).map_err(|_| codec::no_message())?;
    check_request(call.spec(), &request).map_err(|error| call.status_of(error))?;
    Ok(request)
}

/// Each request of a stream, if it is valid.
fn requests<I: Message + Name + Default + Check + 'static>(
    call: &Call,
    messages: Streaming<Bytes>,
) -> Requests<I> {
    Box::pin(pace::while_sending(call, messages).map(|wire| {
        let wire = wire?;
        parts::check(&wire, I::full_name)?;
        let request = I::decode(wire).map_err(|_| Error::from_status(&codec::no_message()))?;
        check(&request)?;
        Ok(request)
    }))
}

/// What is done before a method is called: finds out for which project a page calls, and
/// whether the request was answered before. `again` is the request, if it has a key.
async fn before(
    call: &Call,
    page: Option<(&'static str, &str)>,
    again: Option<Vec<u8>>,
) -> Result<Option<Answer>, Status> {
    let done = async {
        if let Some((field, key)) = page {
            page::identify(call, field, key).await?;
        }
        match again {
            Some(request) => idempotency::replayed(call, &request).await,
            None => Ok(None),
        }
    };
    done.await.map_err(|error| call.status_of(error))
}

fn answer<O: Message + 'static>(reply: Reply<O>) -> Answer {
    let message = &reply.message;
    let body = (message as &dyn Any).downcast_ref::<HttpBody>();
    Answer::One(One {
        body: body.map(|body| body.data.clone()),
        frame: framed(message.encoded_len(), |frame| {
            // It has room for all of it.
            let _ = message.encode(frame);
        }),
        headers: reply.headers,
        status: reply.status,
    })
}

fn many<O: Message + 'static>(call: &Call, answers: Result<Replies<O>>) -> Result<Answer, Status> {
    let answers = answers.map_err(|error| call.status_of(error))?;
    let encoded = answers.map(|answer| Ok(Bytes::from(answer?.encode_to_vec())));
    Ok(Answer::Many(pace::until_deadline(call, Box::pin(encoded))))
}
