//! What a new password ends: every other session, one that is in the middle of a
//! request and due to be signed anew included, but not the session it is set by.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::renewal::{DAY, SECRET, aged};
use super::{cookie, refused, sign_in};
use crate::support::server::PASSWORD;
use crate::support::{Answer, Server};

const OVER: &str = "The session is over; sign in again";

/// Reads until a text has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(end) {
        let mut some = [0; 4096];
        let reading = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut some));
        let count = reading.await.expect("an answer in time").unwrap();
        assert_ne!(count, 0, "closed after {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&some[..count]);
    }
    String::from_utf8(seen).unwrap()
}

/// What the requests in the middle send at last.
const LATE: &[u8] = br#"{"name":"abc"}"#;

/// A request with a cookie that was let in and now waits for its body.
async fn in_the_middle(server: &Server, cookie: &str, path: &str, length: usize) -> TcpStream {
    let host = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let told = read_until(&mut stream, "\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.1 100 "), "{told}");
    stream
}

fn cookies(answer: &Answer) -> usize {
    answer.headers.get_all("set-cookie").iter().count()
}

#[tokio::test]
async fn a_stolen_session_does_not_outlive_the_password() {
    let server = Server::with(&[("APEX_SECRET_KEY", SECRET)]);
    let email = server.organization("Ada").email;
    let stolen = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let stolen = aged(&stolen, 2 * DAY);
    let own = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let mut thief = in_the_middle(&server, &stolen, "/api/projects", LATE.len()).await;
    let body = json!({"current": PASSWORD, "new": "a new password"});
    let http = server.http().with("cookie", &own);
    let changed = http.post("/api/auth/password", &body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    thief.write_all(LATE).await.unwrap();
    let told = read_until(&mut thief, "\r\n\r\n").await.to_lowercase();
    assert!(!told.contains("set-cookie"), "it is signed anew: {told}");
    for over in [&stolen, &own] {
        let answer = server.http().with("cookie", over).get("/api/me").await;
        refused(&answer, 401, "UNAUTHORIZED", OVER);
    }
    let own = server.http().with("cookie", &cookie(&changed));
    assert_eq!(own.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn nor_does_it_outlive_being_shut_out() {
    let server = Server::with(&[("APEX_SECRET_KEY", SECRET)]);
    let email = server.organization("Ada").email;
    let stolen = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let stolen = aged(&stolen, 2 * DAY);
    let mut thief = in_the_middle(&server, &stolen, "/api/projects", LATE.len()).await;
    server.apex(&["user", "disable", &email]);
    thief.write_all(LATE).await.unwrap();
    let told = read_until(&mut thief, "\r\n\r\n").await.to_lowercase();
    assert!(!told.contains("set-cookie"), "it is signed anew: {told}");
}

#[tokio::test]
async fn who_sets_a_new_password_stays_signed_in() {
    let server = Server::with(&[("APEX_SECRET_KEY", SECRET)]);
    let email = server.organization("Ada").email;
    let begun = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let old = server.http().with("cookie", &aged(&begun, 2 * DAY));
    let body = json!({"current": PASSWORD, "new": "a new password"});
    let changed = old.post("/api/auth/password", &body).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(cookies(&changed), 1, "{:?}", changed.headers);
    let own = server.http().with("cookie", &cookie(&changed));
    assert_eq!(own.get("/api/me").await.status, 200);
    // Signing out takes the cookie away and does not bring it back.
    let email = server.organization("Bob").email;
    let begun = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let old = server.http().with("cookie", &aged(&begun, DAY));
    let out = old.post("/api/auth/sign-out", &json!({})).await;
    assert_eq!((out.status, cookies(&out)), (200, 1));
    assert_eq!(cookie(&out), "apex_session=");
}

#[tokio::test]
async fn of_two_new_passwords_at_once_one_holds() {
    let server = Server::start();
    let email = server.organization("Ada").email;
    let path = "/api/auth/password";
    let mut waiting = Vec::new();
    for new in ["the first password", "the second password"] {
        let own = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
        let body = json!({"current": PASSWORD, "new": new}).to_string();
        let stream = in_the_middle(&server, &own, path, body.len()).await;
        waiting.push((new, body, stream));
    }
    // Both are signed in with the password that was; now both set another.
    for (_, body, stream) in &mut waiting {
        stream.write_all(body.as_bytes()).await.unwrap();
    }
    let mut held = Vec::new();
    for (new, _, mut stream) in waiting {
        let told = read_until(&mut stream, "}").await;
        if told.starts_with("HTTP/1.1 200 ") {
            held.push(new);
            continue;
        }
        assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
        assert!(told.contains("The current password is wrong"), "{told}");
        assert!(!told.to_lowercase().contains("set-cookie"), "{told}");
    }
    let [new] = held.as_slice() else {
        panic!("one holds: {held:?}");
    };
    assert_eq!(sign_in(&server.http(), &email, new).await.status, 200);
}
