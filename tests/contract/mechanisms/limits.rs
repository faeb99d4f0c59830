//! Size and time of the bodies of methods that share a route, which are read before
//! it is known whose they are.

use super::start;
use crate::support::Http;

#[tokio::test]
async fn the_owner_bounds_the_body() {
    let host = start().await;
    let body = format!(r#"{{"name":"{}"}}"#, "n".repeat(100));
    let owner = host.send("POST", "/sized", &body).await;
    assert_eq!(owner.status, 200, "{}", owner.text);
    assert_eq!(owner.json()["name"], "n".repeat(100));
    // The form that is picked has a limit of its own.
    let form = host
        .send("POST", "/sized", r#"["more than 16 bytes"]"#)
        .await;
    assert_eq!(form.expect(413)["code"], "PAYLOAD_TOO_LARGE");
}

#[tokio::test]
async fn a_body_is_not_waited_for_beyond_the_deadline() {
    let host = start().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in ["/shared", "/store"] {
        let endless = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = client
            .post(format!("{}{path}", host.url))
            .header("x-server-timeout", "0.2")
            .body(reqwest::Body::wrap_stream(endless));
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 504, "{path}");
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "DEADLINE_EXCEEDED", "{path}");
    }
}

/// A method's own limit holds whichever protocol is spoken.
#[tokio::test]
async fn the_method_bounds_a_message_of_grpc() {
    let host = start().await;
    for (size, code) in [(100, None), (5000, Some("8"))] {
        // Field 2 of the message, a text.
        let mut message = vec![0x12, (size & 0x7f | 0x80) as u8, (size >> 7) as u8];
        message.extend("n".repeat(size).bytes());
        let mut body = vec![0];
        body.extend((message.len() as u32).to_be_bytes());
        body.extend(message);
        let http = Http::http2(&host.url).with("content-type", "application/grpc");
        let path = "/testing.v1.Mechanisms/Put";
        let (headers, _) = http.try_send_bytes(path, body).await.unwrap();
        let got = headers.get("grpc-status").map(|v| v.to_str().unwrap());
        assert_eq!(got, code, "{headers:?}");
    }
}
