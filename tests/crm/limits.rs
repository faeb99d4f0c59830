//! The rate limit: one sliding window for all keys of an organization.

use serde_json::json;

use crate::support::server::PASSWORD;

#[tokio::test]
async fn all_keys_share_a_window() {
    let (server, http, own) = super::with(&[("APEX_LIMITS_CRM_LIMIT", "5")]);
    let second = server.key(&own, "*")["key"].as_str().unwrap().to_owned();
    let second = server.http().with("x-api-key", &second);
    for (at, http) in [&http, &second, &http, &second, &http]
        .into_iter()
        .enumerate()
    {
        let answer = http.get("/contacts").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-ratelimit-limit"), Some("5"));
        let left = (4 - at).to_string();
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left.as_str()));
    }
    for http in [&http, &second, &http] {
        let refused = http.get("/contacts").await;
        assert_eq!(refused.status, 429);
        let retry = refused.header("retry-after").unwrap().to_owned();
        // Without a className, and what is refused is not counted.
        let body = format!(
            r#"{{"name":"TooManyRequests","message":"Rate limit exceeded","code":429,"data":{{"limit":5,"current":6,"window":3600,"retryAfter":{retry}}}}}"#
        );
        assert_eq!(refused.text, body);
        let retry: u32 = retry.parse().unwrap();
        assert!((3500..=3600).contains(&retry), "{retry}");
    }
    // Other organizations have a window of their own, and so have people at work.
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    assert_eq!(others.get("/contacts").await.status, 200);
    let body = json!({"email": own.email, "password": PASSWORD});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let session = server.http().with("cookie", &cookie);
    assert_eq!(session.get("/contacts").await.status, 200);
}

#[tokio::test]
async fn it_is_a_thousand_an_hour() {
    let (_server, http, _own) = super::client();
    let answer = http.get("/contacts").await;
    assert_eq!(answer.header("x-ratelimit-limit"), Some("1000"));
}
