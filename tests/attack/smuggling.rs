//! HTTP/1.1 that two parsers read differently: one request has one answer, what
//! cannot be read in one way alone is refused, and the connection ends with it.

use super::Target;
use crate::support::attacker::Attacker;

/// Sends bytes and answers everything that comes.
async fn answers(target: &Target, bytes: impl AsRef<[u8]>) -> String {
    let mut attacker = Attacker::connect(target.url()).await;
    attacker.send(bytes).await;
    attacker.closed().await
}

/// The statuses of answers. A page may speak of HTTP/1.1 too, but of no status.
fn statuses(answers: &str) -> Vec<&str> {
    let lines = answers.split("HTTP/1.1 ").skip(1);
    let statuses = lines.filter_map(|line| line.get(..3));
    let is_status = |word: &&str| word.bytes().all(|byte| byte.is_ascii_digit());
    statuses.filter(is_status).collect()
}

const SMUGGLED: &str = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";

fn start() -> Target {
    // Connections that are kept would be waited for.
    Target::new(&[("APEX_TRANSPORT_HEADER_TIMEOUT", "1s")])
}

#[tokio::test]
async fn lengths_that_contradict_each_other() {
    let target = start();
    for headers in [
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 4, 5",
        "Content-Length: +4",
        "Content-Length: -4",
        "Content-Length: 0x4",
        "Content-Length: 4 4",
        "Content-Length: 99999999999999999999",
        "Content-Length: ",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding : chunked",
        "Content-Length : 4",
        "Transfer-Encoding:\r\n chunked",
        "X-Folded: a\r\n b",
        "X-Folded: a\r\n\tTransfer-Encoding: chunked",
        " Host: y",
        "X-None",
        "X\0: y",
        "X-Nul: \0",
        "X-Return: a\rb",
        "X(): y",
        ": y",
    ] {
        let request =
            format!("POST /docs HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let answers = answers(&target, request).await;
        assert_eq!(statuses(&answers), ["400"], "{headers:?}: {answers}");
    }
    target.alive().await;
}

#[tokio::test]
async fn a_length_beside_chunks_is_not_believed() {
    let target = start();
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 50\r\nTransfer-Encoding: chunked",
    ] {
        let request =
            format!("POST /docs HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n0\r\n\r\n{SMUGGLED}");
        let answers = answers(&target, request).await;
        // As RFC 9112 has it: the chunks count, and the connection ends.
        assert_eq!(statuses(&answers).len(), 1, "{headers}: {answers}");
        assert!(
            answers.to_lowercase().contains("connection: close"),
            "{answers}"
        );
    }
    target.alive().await;
}

#[tokio::test]
async fn chunks_that_are_none() {
    let target = start();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        target.organization.key
    );
    for chunks in [
        "x\r\n",
        "-1\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}",
        "2\n{}\r\n0\r\n\r\n",
        "2;a\nb\r\n{}\r\n0\r\n\r\n",
        "2\r\n{}0\r\n\r\n",
        "2\r\n{}\r\n0\r\nX(: y\r\n\r\n",
        "\r\n",
    ] {
        let answers = answers(&target, format!("{head}{chunks}{SMUGGLED}")).await;
        let statuses = statuses(&answers);
        assert!(statuses.len() <= 1, "{chunks:?}: {answers}");
        assert!(!statuses.contains(&"200"), "{chunks:?}: {answers}");
    }
    assert!(target.stored().await.is_empty());
    target.alive().await;
}

#[tokio::test]
async fn one_answer_per_request() {
    let target = start();
    let three = ["healthz", "docs", "readyz"].map(|page| {
        let last = if page == "readyz" {
            "Connection: close\r\n"
        } else {
            ""
        };
        format!("GET /{page} HTTP/1.1\r\nHost: x\r\n{last}\r\n")
    });
    assert_eq!(
        statuses(&answers(&target, three.concat()).await),
        ["200"; 3]
    );
    // A body is a body, even of a GET, and whatever it looks like.
    let length = SMUGGLED.len();
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n\
         {SMUGGLED}{SMUGGLED}"
    );
    assert_eq!(statuses(&answers(&target, request).await).len(), 1);
    // A line that ends as lines do on other systems separates headers, here as
    // everywhere behind it: it hides nothing in a value.
    let request = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: b\nConnection: close\r\n\r\n";
    let answer = answers(&target, request).await;
    assert!(matches!(statuses(&answer)[..], ["200" | "400"]), "{answer}");
}

#[tokio::test]
async fn requests_that_name_no_host_or_two() {
    let target = start();
    for headers in ["", "Host: x\r\nHost: y\r\n", "Host: x\r\nHost: x\r\n"] {
        let request = format!("GET /healthz HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let answer = answers(&target, request).await;
        assert_eq!(statuses(&answer), ["400"], "{headers}");
        assert!(answer.contains("Host must be named once"), "{answer}");
    }
    // HTTP/1.0 had none.
    let answer = answers(&target, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
}

#[tokio::test]
async fn lines_that_are_no_requests() {
    let target = start();
    for line in [
        "GET /healthz",
        "GET /healthz HTTP/1.2",
        "GET /healthz HTTP/2.0",
        "GET /healthz HTTP/0.9",
        "GET /healthz FTP/1.1",
        "GET /a b HTTP/1.1",
        "GET  /healthz HTTP/1.1",
        " GET /healthz HTTP/1.1",
        "GET\t/healthz\tHTTP/1.1",
        "G@T /healthz HTTP/1.1",
        "GET healthz HTTP/1.1",
        "GET /\x7f HTTP/1.1",
    ] {
        let request = format!("{line}\r\nHost: x\r\n\r\n{SMUGGLED}");
        let answers = answers(&target, request).await;
        let first = statuses(&answers).into_iter().next();
        let refused = matches!(first, None | Some("400" | "404"));
        assert!(refused, "{line:?}: {answers}");
    }
    target.alive().await;
}

#[tokio::test]
async fn nothing_is_switched_to_another_protocol() {
    let target = start();
    for upgrade in [
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings, close\r\nHTTP2-Settings: AAMAAABk",
        "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13",
    ] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{upgrade}\r\n\r\n");
        assert_eq!(statuses(&answers(&target, request).await), ["200"]);
    }
}
