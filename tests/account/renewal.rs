//! Sessions roll: one in use is signed anew once a day, for another seven, and
//! stays the one session that signing out ends.

use apex::auth::SecretKeys;
use apex::config::Layers;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{cookie, refused, sign_in};
use crate::support::server::PASSWORD;
use crate::support::{Http, Server};

pub const SECRET: &str = "a secret of these tests that is long enough";
pub const DAY: i64 = 86_400;

/// What one part of a token says.
fn part(token: &str, at: usize) -> Value {
    let text = token.split('.').nth(at).unwrap();
    let text = text.trim_start_matches("apex_session=");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

/// The same session with the token the server would have signed some time ago.
pub fn aged(cookie: &str, seconds: i64) -> String {
    let layers = Layers::new().unwrap().flag("secret_key", Some(SECRET));
    let keys = SecretKeys::load(&layers.unwrap().build().unwrap()).unwrap();
    let (_, key) = keys.derive("session")[0];
    let mut claims = part(cookie, 1);
    for name in ["iat", "nbf", "exp"] {
        claims[name] = json!(claims[name].as_i64().unwrap() - seconds);
    }
    let mut header = Header::new(Algorithm::HS256);
    header.kid = part(cookie, 0)["kid"].as_str().map(str::to_owned);
    let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&key));
    format!("apex_session={}", token.unwrap())
}

#[tokio::test]
async fn a_session_in_use_is_signed_anew() {
    let server = Server::with(&[("APEX_SECRET_KEY", SECRET)]);
    let email = server.organization("Ada").email;
    let begun = cookie(&sign_in(&server.http(), &email, PASSWORD).await);
    let with = |cookie: &str| server.http().with("cookie", cookie);
    let me = async |http: &Http| {
        let answer = http.get("/api/me").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    };
    for young in [0, DAY - 60] {
        let answer = me(&with(&aged(&begun, young))).await;
        assert_eq!(answer.header("set-cookie"), None, "{young} s old");
    }
    let old = aged(&begun, 6 * DAY);
    let answer = me(&with(&old)).await;
    let line = answer.header("set-cookie").expect("a newer cookie");
    assert!(line.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax"));
    let fresh = cookie(&answer);
    let (before, after) = (part(&begun, 1), part(&fresh, 1));
    assert_eq!(
        (&after["sid"], &after["sub"]),
        (&before["sid"], &before["sub"])
    );
    let lasts = after["exp"].as_i64().unwrap() - after["iat"].as_i64().unwrap();
    assert_eq!(lasts, 7 * DAY);
    assert!(after["iat"].as_i64() >= before["iat"].as_i64());
    assert_eq!(me(&with(&fresh)).await.header("set-cookie"), None);
    // Who carries it as a bearer keeps it: there is no cookie to replace.
    let bearer = server.http().bearer(&old["apex_session=".len()..]);
    assert_eq!(me(&bearer).await.header("set-cookie"), None);
    // A week without use is the end.
    let over = "The session is over; sign in again";
    let answer = with(&aged(&begun, 7 * DAY + 10)).get("/api/me").await;
    refused(&answer, 401, "UNAUTHORIZED", over);
    // One session, whichever of its tokens ends it.
    let out = with(&fresh).post("/api/auth/sign-out", &json!({})).await;
    assert_eq!(out.status, 200);
    for token in [&begun, &old, &fresh] {
        let answer = with(token).get("/api/me").await;
        refused(&answer, 401, "UNAUTHORIZED", over);
        assert_eq!(answer.header("set-cookie"), None);
    }
}
