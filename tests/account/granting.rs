//! What a key grants: never more than it has itself, in scopes, in time, or by way
//! of a member it makes.

use serde_json::{Value, json};

use super::keys::{owner, path};
use super::{key, refused};
use crate::support::Http;
use crate::support::server::PASSWORD;

const LONGER: &str = "This API key cannot grant more time than it has";
const NOT_ALL: &str = "Only a key with the scope * adds members and changes roles";

fn later(hours: i64) -> String {
    let at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours);
    let whole = jiff::Timestamp::from_second(at.as_second()).unwrap();
    whole.to_string()
}

async fn expiry(owner: &Http, made: &Value) -> Value {
    let all = owner.get("/api/api-keys").await.expect(200);
    let all = all.as_array().unwrap();
    let own = all.iter().find(|key| key["id"] == made["id"]).unwrap();
    own["expiresAt"].clone()
}

#[tokio::test]
async fn no_more_time() {
    let (server, _, http) = owner().await;
    let (soon, end, late) = (later(1), later(2), later(3));
    let body = json!({"name": "k", "expiresAt": end});
    let (short, made) = key(&http, &server, body).await;
    let (_, forever) = key(&http, &server, json!({"name": "forever"})).await;
    // Itself, one it makes, one that ends never: nothing gets longer by it.
    for beyond in [json!(late), Value::Null] {
        let change = json!({"expiresAt": beyond});
        let answer = short.patch(&path(&made), &change).await;
        refused(&answer, 403, "FORBIDDEN", LONGER);
        let answer = short.patch(&path(&forever), &change).await;
        refused(&answer, 403, "FORBIDDEN", LONGER);
    }
    let body = json!({"name": "k", "expiresAt": late});
    let answer = short.post("/api/api-keys", &body).await;
    refused(&answer, 403, "FORBIDDEN", LONGER);
    // Nor does one that outlives it get more scopes from it.
    let change = json!({"scopes": ["*"]});
    let answer = short.patch(&path(&forever), &change).await;
    refused(&answer, 403, "FORBIDDEN", LONGER);
    assert_eq!(expiry(&http, &made).await, end);
    assert_eq!(expiry(&http, &forever).await, Value::Null);
    // As much as it has, and by default all of that.
    for (body, expected) in [
        (json!({"name": "k"}), &end),
        (json!({"name": "k", "expiresAt": null}), &end),
        (json!({"name": "k", "expiresAt": end}), &end),
        (json!({"name": "k", "expiresAt": soon}), &soon),
    ] {
        let (_, made) = key(&short, &server, body).await;
        assert_eq!(made["expiresAt"], *expected);
    }
    let change = json!({"name": "renamed"});
    short.patch(&path(&forever), &change).await.expect(200);
    let change = json!({"expiresAt": soon});
    let answer = short.patch(&path(&made), &change).await;
    assert_eq!(answer.expect(200)["expiresAt"], soon);
    // A session is bound by none of it.
    let change = json!({"expiresAt": null});
    let answer = http.patch(&path(&made), &change).await;
    assert_eq!(answer.expect(200)["expiresAt"], Value::Null);
}

#[tokio::test]
async fn no_time_for_what_it_may_not_do() {
    let (server, _, http) = owner().await;
    let body = json!({"name": "k", "scopes": ["account.write"]});
    let (some, _) = key(&http, &server, body).await;
    let body = json!({"name": "all", "expiresAt": later(1)});
    let (_, all) = key(&http, &server, body).await;
    let change = json!({"expiresAt": null});
    let answer = some.patch(&path(&all), &change).await;
    refused(&answer, 403, "FORBIDDEN", "This API key cannot grant *");
    assert_ne!(expiry(&http, &all).await, Value::Null);
}

#[tokio::test]
async fn no_member_who_may_do_more() {
    let (server, own, http) = owner().await;
    let members = format!("/api/organizations/{}/members", own.id);
    let body = json!({"name": "k", "scopes": ["account.read", "account.write"]});
    let (some, _) = key(&http, &server, body).await;
    let (all, _) = key(&http, &server, json!({"name": "all"})).await;
    let add = |role: &str| {
        let email = format!("{role}@example.com");
        json!({"email": email, "role": role, "password": PASSWORD})
    };
    for role in ["owner", "admin", "member", "viewer"] {
        let answer = some.post(&members, &add(role)).await;
        refused(&answer, 403, "FORBIDDEN", NOT_ALL);
    }
    assert_eq!(some.get(&members).await.expect(200)[1], Value::Null);
    let added = all.post(&members, &add("viewer")).await.expect(200);
    let one = format!("{members}/{}", added["userId"]);
    let up = json!({"role": "owner"});
    let answer = some.patch(&one, &up).await;
    refused(&answer, 403, "FORBIDDEN", NOT_ALL);
    assert_eq!(all.patch(&one, &up).await.expect(200)["role"], "owner");
    // To take a member out grants nothing.
    some.delete(&one).await.expect(200);
}
