//! Where a request says it comes from: only proxies that are trusted are believed,
//! from the right, and who has one address of a /64 has them all.

use reqwest::Method;

use super::Target;
use crate::support::Http;

/// Three wrong keys per address and day.
const FEW: &[(&str, &str)] = &[
    ("APEX_LIMITS_ADDRESS_LIMIT", "3"),
    ("APEX_LIMITS_ADDRESS_WINDOW", "24h"),
];

fn stranger(target: &Target) -> Http {
    target.server.http().bearer("no such key")
}

async fn status(http: &Http) -> u16 {
    http.send(Method::GET, "/api/v1/analytics", None)
        .await
        .status
}

#[tokio::test]
async fn nobody_is_believed_who_is_not_trusted() {
    let target = Target::limited(FEW);
    let mut statuses = Vec::new();
    for at in 0..8 {
        let http = stranger(&target)
            .with("x-forwarded-for", &format!("9.9.9.{at}"))
            .with("forwarded", &format!("for=9.9.9.{at}"))
            .with("x-real-ip", &format!("9.9.9.{at}"))
            .with("true-client-ip", &format!("9.9.9.{at}"))
            .with("cf-connecting-ip", &format!("9.9.9.{at}"));
        statuses.push(status(&http).await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429, 429, 429]);
    // Who has a key is not held up by those who guess at one.
    target.event().await.expect(200);
    assert!(!target.server.log().contains("9.9.9."));
}

#[tokio::test]
async fn what_the_caller_wrote_itself_stands_to_the_left() {
    let proxies = [("APEX_TRUSTED_PROXIES", "127.0.0.0/8,10.0.0.0/8")];
    let target = Target::limited(&[FEW, &proxies].concat());
    let victim = "5.5.5.5";
    let mut statuses = Vec::new();
    for at in 0..6 {
        // It names victims, other proxies and nonsense; the proxy adds what is true.
        let lines = [
            format!("{victim}, 6.6.6.6"),
            format!("7.7.7.{at}, 6.6.6.6"),
            format!("10.0.0.{at}, {victim}, 6.6.6.6, 10.0.0.1"),
            "unknown, 6.6.6.6:1234".to_owned(),
        ];
        let http = stranger(&target)
            .with("x-forwarded-for", &lines[at % 4])
            .with("forwarded", "for=5.5.5.5")
            .with("x-real-ip", victim);
        statuses.push(status(&http).await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429]);
    // The victim is not locked out.
    let victim = stranger(&target).with("x-forwarded-for", victim);
    assert_eq!(status(&victim).await, 401);
}

#[tokio::test]
async fn a_64_is_one_caller() {
    let proxies = [("APEX_TRUSTED_PROXIES", "127.0.0.1/32")];
    let target = Target::limited(&[FEW, &proxies].concat());
    let from = |address: &str| stranger(&target).with("x-forwarded-for", address);
    let mut statuses = Vec::new();
    for at in 1..8_u64 {
        let lower = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let address = format!(
            "2001:db8:1:2:{:x}:{:x}:{at}:1",
            lower >> 48,
            lower >> 32 & 0xffff
        );
        statuses.push(status(&from(&address)).await);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429, 429]);
    assert_eq!(status(&from("2001:db8:1:3::1")).await, 401);
    // One of IPv4 is the same whichever way it is written.
    for address in ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304"] {
        assert_eq!(status(&from(address)).await, 401, "{address}");
    }
    assert_eq!(status(&from("1.2.3.4")).await, 429);
}

#[tokio::test]
async fn plain_text_is_not_made_safe_by_saying_so() {
    let target = Target::limited(&[("APEX_REQUIRE_HTTPS", "true")]);
    let claims = target
        .http
        .with("x-forwarded-proto", "https")
        .with("forwarded", "proto=https")
        .with("x-forwarded-ssl", "on");
    let answer = claims.get("/api/v1/analytics").await;
    assert_eq!(answer.expect(403)["error"]["code"], "HTTPS_REQUIRED");

    let proxies = [
        ("APEX_REQUIRE_HTTPS", "true"),
        ("APEX_TRUSTED_PROXIES", "127.0.0.1/32"),
    ];
    let target = Target::limited(&proxies);
    let secure = target.http.with("x-forwarded-proto", "https");
    assert_eq!(secure.get("/api/v1/analytics").await.status, 200);
    // The nearest proxy is the one that counts.
    let plain = target.http.with("x-forwarded-proto", "https, http");
    assert_eq!(plain.get("/api/v1/analytics").await.status, 403);
}
