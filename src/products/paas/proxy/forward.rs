//! One request on its way to a container and back: bodies are streamed both ways, and a
//! connection that is upgraded, as WebSocket's are, is handed through.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderName, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, Version, uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::copy_bidirectional;

use super::patience::Patient;
use super::{Member, Routes};
use crate::server::Place;

/// How often another container is tried when one takes no connection.
const TRIES: usize = 3;

/// Headers that are about a connection and not about what is sent over it.
const HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What a client may say of itself, and only those that are trusted are believed.
const SAID: [&str; 5] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

type Body = BoxBody<Bytes, hyper::Error>;

/// Who asks.
pub(super) struct Asker {
    pub(super) address: IpAddr,
    /// Whether it speaks for others, and is trusted to.
    pub(super) is_proxy: bool,
    /// Its connection's place among all.
    pub(super) place: Arc<Place>,
    /// How long nothing may come of what it sends.
    pub(super) patience: Duration,
}

/// Hands requests on.
pub(super) struct Forwarder {
    routes: Arc<Routes>,
    client: Client<HttpConnector, Patient>,
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").finish_non_exhaustive()
    }
}

impl Forwarder {
    pub(super) fn new(routes: Arc<Routes>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // Whether a request was begun on a connection that was closed meanwhile
            // cannot be told; it is not begun again.
            .retry_canceled_requests(true)
            .build_http();
        Self { routes, client }
    }

    /// Answers a request.
    pub(super) async fn answer(
        &self,
        mut request: Request<Incoming>,
        asker: Asker,
    ) -> Response<Body> {
        let Some(host) = host(&request) else {
            return plain(StatusCode::BAD_REQUEST, "One host must be named.\n");
        };
        let Some(workload) = self.routes.workload(&name_of(&host)) else {
            return plain(StatusCode::NOT_FOUND, "There is no such service here.\n");
        };
        let upgrade = upgrade_of(request.headers()).filter(|_| request.version() < Version::HTTP_2);
        let handed = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (mut parts, body) = request.into_parts();
        prepare(&mut parts.headers, &host, &asker, upgrade.as_ref());
        parts.version = Version::HTTP_11;
        let body = Patient::new(body, asker.patience);
        for _ in 0..TRIES {
            let Some(member) = self.routes.enter(&workload) else {
                return plain(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The service has no container that is ready.\n",
                );
            };
            let mut parts = parts.clone();
            let Some(uri) = uri_at(&parts.uri, &member) else {
                return plain(StatusCode::BAD_REQUEST, "The address cannot be read.\n");
            };
            parts.uri = uri;
            let sent = Request::from_parts(parts, body.clone());
            match self.client.request(sent).await {
                Ok(answer) => {
                    body.answered();
                    return finish(answer, member, handed, asker.place);
                }
                // Only what was not begun is tried at another.
                Err(error) if error.is_connect() && !body.is_begun() => {}
                Err(error) => {
                    tracing::debug!(%error, workload, "a container did not answer");
                    break;
                }
            }
        }
        plain(StatusCode::BAD_GATEWAY, "The service did not answer.\n")
    }
}

/// The host a request names: in its target, or else in the one header there is.
fn host(request: &Request<Incoming>) -> Option<String> {
    let mut all = request.headers().get_all(HOST).iter();
    let (first, second) = (all.next(), all.next());
    if second.is_some() {
        return None;
    }
    let named = request.uri().authority().map(uri::Authority::as_str);
    let host = named.or(first.and_then(|value| value.to_str().ok()))?;
    // Of an authority, who asks is no part of the host.
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Some(host.to_owned())
}

/// The name of a host, without a port.
fn name_of(host: &str) -> String {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// What a request wants its connection to become.
fn upgrade_of(headers: &HeaderMap) -> Option<HeaderValue> {
    let lines = headers.get_all(CONNECTION).iter();
    let mut words = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let wants = words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    headers.get(UPGRADE).filter(|_| wants).cloned()
}

/// Takes out what is about this connection, and says who asks.
fn prepare(headers: &mut HeaderMap, host: &str, asker: &Asker, upgrade: Option<&HeaderValue>) {
    strip(headers);
    let host = HeaderValue::from_str(host).ok();
    if let Some(host) = host.clone() {
        headers.insert(HOST, host);
    }
    if let Some(upgrade) = upgrade {
        headers.insert(UPGRADE, upgrade.clone());
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if !asker.is_proxy {
        for name in SAID {
            headers.remove(name);
        }
    }
    let own = |name: &'static str| HeaderName::from_static(name);
    let said = headers.get_all(own("x-forwarded-for")).iter();
    let said = said.filter_map(|value| value.to_str().ok());
    let peer = asker.address.to_canonical().to_string();
    let all: Vec<&str> = said.chain([peer.as_str()]).collect();
    if let Ok(value) = HeaderValue::from_str(&all.join(", ")) {
        headers.insert(own("x-forwarded-for"), value);
    }
    if !headers.contains_key(own("x-forwarded-proto")) {
        headers.insert(own("x-forwarded-proto"), HeaderValue::from_static("http"));
    }
    if let Some(host) = host
        && !headers.contains_key(own("x-forwarded-host"))
    {
        headers.insert(own("x-forwarded-host"), host);
    }
}

/// Takes out headers that are about a connection, and those it names.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|word| word.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
}

/// The same address at a container.
fn uri_at(uri: &Uri, member: &Member) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", uri::PathAndQuery::as_str);
    Uri::builder()
        .scheme("http")
        .authority(member.0.address.to_string())
        .path_and_query(path)
        .build()
        .ok()
}

/// An answer on its way back. The container is busy until the last of it.
fn finish(
    mut answer: Response<Incoming>,
    member: Member,
    handed: Option<hyper::upgrade::OnUpgrade>,
    place: Arc<Place>,
) -> Response<Body> {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(handed) = handed
    {
        let inner = hyper::upgrade::on(&mut answer);
        tokio::spawn(async move {
            if let (Ok(outer), Ok(inner)) = tokio::join!(handed, inner) {
                let (mut outer, mut inner) = (TokioIo::new(outer), TokioIo::new(inner));
                let _ = copy_bidirectional(&mut outer, &mut inner).await;
            }
            drop((member, place));
        });
        return answer.map(|_| Empty::new().map_err(|never| match never {}).boxed());
    }
    strip(answer.headers_mut());
    answer.map(|body| {
        body.map_frame(move |frame| {
            let _busy = &member;
            frame
        })
        .boxed()
    })
}

fn plain(status: StatusCode, words: &'static str) -> Response<Body> {
    let body = Full::new(Bytes::from_static(words.as_bytes()));
    let mut answer = Response::new(body.map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    answer
}
