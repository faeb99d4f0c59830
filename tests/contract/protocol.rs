//! What HTTP and gRPC themselves demand, of either version of HTTP: methods, types,
//! versions, heads without a body, what caches and browsers are told.

use apex::api::apex::account::v1 as account;
use apex::api::apex::metrics::v1 as metrics;
use reqwest::Method;
use serde_json::json;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use crate::support::{Answer, Http, Server, grpc};

const NOT_OF_TYPE: &str = "The request is not a message of the method's type";
const NOT_WEB: &str = "The request is not valid gRPC-Web";
const CHECK: &str = "/grpc.health.v1.Health/Check";

fn both(server: &Server) -> [Http; 2] {
    [server.http(), Http::http2(&server.url)]
}

/// One gRPC message in its frame.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], length.as_slice(), message].concat()
}

#[tokio::test]
async fn a_head_is_an_answer_without_its_body() {
    let server = Server::start();
    for http in both(&server) {
        for path in ["/healthz", "/openapi.json", "/nothing"] {
            let got = http.get(path).await;
            let head = http.send(Method::HEAD, path, None).await;
            assert_eq!(
                (head.status, head.text.as_str()),
                (got.status, ""),
                "{path}"
            );
            for name in ["content-type", "content-length"] {
                assert_eq!(head.header(name), got.header(name), "{path} {name}");
            }
            let length = head.header("content-length").map(str::to_owned);
            assert_eq!(length, Some(got.text.len().to_string()), "{path}");
        }
    }
}

#[tokio::test]
async fn grpc_is_posted() {
    let server = Server::start();
    let [http1, http2] = both(&server);
    for (http, kind) in [
        (&http2, "application/grpc"),
        (&http2, "application/grpc-web+proto"),
        (&http1, "application/grpc-web"),
    ] {
        let got = http.with("content-type", kind).get(CHECK).await;
        let body = got.expect(405);
        assert_eq!(got.header("allow"), Some("POST"), "{kind}");
        assert_eq!(body["error"]["code"], "METHOD_NOT_ALLOWED", "{kind}");
    }
}

/// Without HTTP/2 the trailers, and so the status, would be lost.
#[tokio::test]
async fn grpc_needs_http2() {
    let server = Server::start();
    let send = |http: &Http| {
        let http = http.with("content-type", "application/grpc");
        async move { http.send(Method::POST, CHECK, Some(framed(&[]))).await }
    };
    let [http1, http2] = both(&server);
    let refused = send(&http1).await;
    assert_eq!(
        refused.expect(505)["error"]["code"],
        "HTTP_VERSION_NOT_SUPPORTED"
    );
    assert_eq!(send(&http2).await.status, 200);
}

#[tokio::test]
async fn grpc_of_another_kind_is_refused() {
    let server = Server::start();
    for http in both(&server) {
        for kind in [
            "application/grpc+json",
            "application/grpc+thrift",
            "application/grpcish",
            "application/grpc-web+json",
            "application/grpc-web-texts",
        ] {
            let http = http.with("content-type", kind);
            let sent = http.send(Method::POST, CHECK, Some(framed(&[]))).await;
            assert_eq!(
                sent.expect(415)["error"]["code"],
                "UNSUPPORTED_MEDIA_TYPE",
                "{kind}"
            );
        }
    }
    // Parameters and letters do not matter.
    let http2 = Http::http2(&server.url);
    let both = both(&server);
    let text = |http: &Http, kind: &str| http.with("content-type", kind);
    for (http, body) in [
        (text(&http2, "application/grpc; charset=utf-8"), framed(&[])),
        (text(&http2, "Application/GRPC+proto"), framed(&[])),
        (
            text(&both[0], "application/grpc-web-text; charset=utf-8"),
            b"AAAAAAA=".to_vec(),
        ),
        (
            text(&both[1], "application/grpc-web+proto;x=y"),
            framed(&[]),
        ),
    ] {
        let (headers, bytes) = http.try_send_bytes(CHECK, body).await.unwrap();
        assert_eq!(headers.get("grpc-status"), None, "{headers:?}");
        assert!(!bytes.is_empty(), "{headers:?}");
    }
}

/// Clients bound the head of an answer, some at 16 KiB.
#[tokio::test]
async fn a_refusal_fits_into_a_head() {
    let server = Server::start();
    let owner = server.organization("Acme");
    let size = |status: &tonic::Status| status.details().len() * 4 / 3 + status.message().len() * 3;
    let projects = grpc::projects(&server.url, &owner.key).await;
    let create = |origins: usize| {
        let request = account::CreateProjectRequest {
            name: "Site".into(),
            allowed_origins: vec!["\0".into(); origins],
            ..account::CreateProjectRequest::default()
        };
        let mut projects = projects.clone();
        async move { projects.create_project(request).await.unwrap_err() }
    };
    let status = create(100).await;
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(violations.len(), 16);
    assert_eq!(violations[15].field, "allowedOrigins[15]");
    assert!(size(&status) < 12 * 1024, "{}", size(&status));
    // Of a list that is too long nothing else needs to be said.
    let status = create(101).await;
    let violations = status.get_details_bad_request().unwrap().field_violations;
    let said = violations.iter().map(|v| v.description.as_str());
    let expected = ["allowedOrigins must have at most 100 elements"];
    assert_eq!(said.collect::<Vec<_>>(), expected);

    // A text of the caller's own is cut, between two letters.
    let mut client = grpc::metrics(&server.url, &owner.key).await;
    let name = "é".repeat(50_000);
    let request = metrics::SendEventRequest {
        event_name: "x".into(),
        metadata: json!({&name: 1}).to_string().replace(":1", ":nothing"),
        ..metrics::SendEventRequest::default()
    };
    let status = client.send_event(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("metadata"), "{status}");
    assert!(size(&status) < 12 * 1024, "{}", size(&status));
    // The same over REST, where the parameter is the caller's.
    let stranger = server.http();
    let answer = stranger
        .get(&format!("/healthz?{}=1", "n".repeat(9000)))
        .await;
    assert!(answer.text.len() < 4096, "{}", answer.text.len());
}

#[tokio::test]
async fn health_and_reflection_speak_compressed() {
    let server = Server::start();
    let channel = grpc::channel(&server.url).await;
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        let mut health = HealthClient::new(channel.clone())
            .send_compressed(encoding)
            .accept_compressed(encoding);
        let request = HealthCheckRequest::default();
        let answer = health.check(request).await.unwrap();
        let name = answer.metadata().get("grpc-encoding").unwrap();
        assert_eq!(name.to_str().unwrap(), encoding.to_string());
        assert_eq!(answer.get_ref().status, 1);

        use tonic_reflection::pb::v1::ServerReflectionRequest as Request;
        use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
        let mut reflection = ServerReflectionClient::new(channel.clone())
            .send_compressed(encoding)
            .accept_compressed(encoding);
        let request = Request {
            message_request: Some(MessageRequest::ListServices(String::new())),
            ..Request::default()
        };
        let asked = futures_util::stream::iter([request]);
        let answer = reflection.server_reflection_info(asked).await.unwrap();
        let first = answer.into_inner().message().await.unwrap();
        assert!(first.unwrap().message_response.is_some());
    }
}

#[tokio::test]
async fn a_broken_message_is_the_clients_fault() {
    let server = Server::start();
    // A field of a wire type there is not; and text that is not Base64.
    let broken = framed(&[0x0f]);
    for (http, kind, body, words) in [
        (
            Http::http2(&server.url),
            "application/grpc",
            broken.clone(),
            NOT_OF_TYPE,
        ),
        (server.http(), "application/grpc-web", broken, NOT_OF_TYPE),
        (
            server.http(),
            "application/grpc-web-text",
            b"?!?!?!?!".to_vec(),
            NOT_WEB,
        ),
    ] {
        let http = http.with("content-type", kind);
        let sent = http.send(Method::POST, CHECK, Some(body)).await;
        assert_eq!(sent.status, 200, "{kind}: {}", sent.text);
        assert_eq!(sent.header("grpc-status"), Some("3"), "{kind}");
        let message = sent.header("grpc-message").unwrap();
        assert_eq!(message.replace("%20", " "), words, "{kind}");
        assert!(sent.header("grpc-status-details-bin").is_some(), "{kind}");
    }
}

/// Who is told that an encoding is not known is told which ones are.
#[tokio::test]
async fn a_refused_encoding_names_those_that_are_known() {
    let server = Server::start();
    let http = Http::http2(&server.url).with("content-type", "application/grpc");
    let http = http.with("grpc-encoding", "snappy");
    let sent = http.send(Method::POST, CHECK, Some(framed(&[]))).await;
    assert_eq!(sent.header("grpc-status"), Some("12"), "{:?}", sent.headers);
    assert!(sent.header("grpc-status-details-bin").is_some());
    let known = sent.header("grpc-accept-encoding").unwrap();
    assert!(known.contains("gzip") && known.contains("zstd"), "{known}");
}

/// A stream's message must not wait in a compressor for the next one.
#[tokio::test]
async fn only_whole_answers_are_compressed() {
    let server = Server::start();
    for http in both(&server) {
        let http = http.with("accept-encoding", "gzip");
        let whole = http.get_head("/openapi.json").await;
        assert_eq!(whole.get("content-encoding").unwrap(), "gzip");
        let web = http.with("content-type", "application/grpc-web");
        let (headers, bytes) = web.try_send_bytes(CHECK, framed(&[])).await.unwrap();
        assert_eq!(headers.get("content-encoding"), None);
        assert_eq!(bytes[..7], [0, 0, 0, 0, 2, 8, 1]);
    }
}

fn varies(answer: &Answer) -> bool {
    let mut all = answer.headers.get_all("vary").iter();
    all.any(|vary| vary.to_str().unwrap().to_lowercase().contains("origin"))
}

#[tokio::test]
async fn pages_of_other_origins() {
    let server = Server::with(&[("APEX_CORS_ORIGINS", "https://app.example.com")]);
    for http in both(&server) {
        // A cache must not hand a page what was answered to nobody's.
        assert!(varies(&http.get("/healthz").await));
        assert!(varies(&http.get("/nothing").await));
        let page = http.with("origin", "https://elsewhere.example");
        let got = page.get("/openapi.json").await;
        let head = page.send(Method::HEAD, "/openapi.json", None).await;
        for answer in [&got, &head] {
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, Some("https://elsewhere.example"));
        }
        let own = http.with("origin", "https://app.example.com");
        let options = own.send(Method::OPTIONS, "/nothing", None).await;
        assert_eq!(options.status, 404, "it asks for no permission");
        let options = own.send(Method::OPTIONS, "/healthz", None).await;
        assert_eq!(options.status, 405);
        let asking = own.with("access-control-request-method", "GET");
        let preflight = asking.send(Method::OPTIONS, "/healthz", None).await;
        assert_eq!(preflight.status, 200);
    }
}

/// Whoever asks whether the server lives stands next to it.
#[tokio::test]
async fn health_is_told_in_plaintext() {
    let server = Server::with(&[("APEX_REQUIRE_HTTPS", "true")]);
    assert_eq!(server.http().get("/healthz").await.status, 200);
    let mut health = HealthClient::new(grpc::channel(&server.url).await);
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status, 1);
    let mut other = grpc::metrics(&server.url, "x").await;
    let refused = other.send_event(metrics::SendEventRequest::default()).await;
    assert_eq!(grpc::reason(&refused.unwrap_err()), "HTTPS_REQUIRED");
}

#[tokio::test]
async fn a_host_is_its_name() {
    let server = Server::with(&[("APEX_HOSTS", "Metrics.example.com=metrics")]);
    for host in [
        "metrics.example.com",
        "METRICS.example.com",
        "metrics.example.com:8443",
    ] {
        let answer = server.http().with("host", host).get("/nothing").await;
        let body = answer.expect(404);
        assert_eq!(body["error"]["code"], "NOT_FOUND", "{host}");
    }
    let other = server.http().with("host", "other.example.com");
    let body = other.get("/nothing").await.expect(404);
    assert_eq!(body["className"], "not-found");
}
