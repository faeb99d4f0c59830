//! Bare hyper: reads the body and answers; with or without a durable row first.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Outcome;
use crate::store::Store;

/// About as long as an answer of the method that is compared.
const ANSWER: &[u8] = br#"{"id":101,"name":"An organization with a name of some length","plan":"scale","role":"owner","ok":true}"#;

/// Answers a constant.
pub(crate) async fn constant(listen: SocketAddr) -> Outcome {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = |request: Request<Incoming>| async move {
            let _ = request.into_body().collect().await;
            Ok::<_, Infallible>(json(StatusCode::OK, Bytes::from_static(ANSWER)))
        };
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

/// Commits a row per request, then answers.
pub(crate) async fn store(listen: SocketAddr, store: Store) -> Outcome {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let store = store.clone();
        let answer = move |request: Request<Incoming>| {
            let store = store.clone();
            async move {
                let body = request.into_body().collect().await;
                let stored = match body {
                    Ok(body) => store.add(body.to_bytes()).await,
                    Err(_) => None,
                };
                Ok::<_, Infallible>(match stored {
                    Some(id) => json(
                        StatusCode::OK,
                        format!(r#"{{"success":true,"event_id":"evt_{id}"}}"#).into(),
                    ),
                    None => json(StatusCode::BAD_REQUEST, Bytes::new()),
                })
            }
        };
        tokio::spawn(
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)),
        );
    }
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = hyper::header::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, json);
    response
}
