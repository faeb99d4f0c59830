//! Every row of the error table, and the words of the documentation to the letter.

use reqwest::Method;
use serde_json::json;

use super::{client, make};
use crate::support::server::PASSWORD;

#[tokio::test]
async fn keys_that_are_missing_or_wrong() {
    let (server, _http, _own) = client();
    let missing = server.http().get("/contacts").await;
    assert_eq!(missing.status, 401);
    assert_eq!(
        missing.text,
        r#"{"name":"NotAuthenticated","message":"Not authenticated","code":401,"className":"not-authenticated"}"#
    );
    for wrong in ["nope", "apex_key_0000000000000000000000000000000000000000"] {
        let answer = server
            .http()
            .with("x-api-key", wrong)
            .get("/contacts")
            .await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.text,
            r#"{"name":"NotAuthenticated","message":"Invalid API key","code":401,"className":"not-authenticated"}"#
        );
    }
}

#[tokio::test]
async fn what_a_caller_may_not() {
    let (server, _http, own) = client();
    let key = server.key(&own, "crm.write")["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = server.http().with("x-api-key", &key).get("/contacts").await;
    assert_eq!(answer.status, 403);
    assert_eq!(
        answer.text,
        r#"{"name":"Forbidden","message":"Access denied: You do not have permission to view contacts. Please contact your organization administrator.","code":403,"className":"forbidden"}"#
    );
    // A user who only reads.
    let body = json!({"email": "eve@example.com", "role": "viewer", "password": PASSWORD});
    let members = format!("/api/organizations/{}/members", own.id);
    server
        .http()
        .bearer(&own.key)
        .post(&members, &body)
        .await
        .expect(200);
    let body = json!({"email": "eve@example.com", "password": PASSWORD});
    let signed = server.http().post("/api/auth/sign-in", &body).await;
    let cookie = signed
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let eve = server
        .http()
        .with("cookie", &cookie)
        .with("origin", &server.url);
    eve.get("/contacts").await.expect(200);
    for (answer, action) in [
        (eve.post("/deals", &json!({})).await, "create deals"),
        (
            eve.patch("/contacts/1", &json!({})).await,
            "update contacts",
        ),
        (
            eve.delete("/activity-types/1").await,
            "delete activity types",
        ),
    ] {
        let words = format!(
            "Access denied: You do not have permission to {action}. Please contact your organization administrator."
        );
        assert_eq!(answer.expect(403)["message"], words);
    }
}

#[tokio::test]
async fn what_is_not_there() {
    let (server, http, _own) = client();
    let answer = http.get("/contacts/999").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text,
        r#"{"name":"NotFound","message":"No record found for id '999'","code":404,"className":"not-found"}"#
    );
    let answer = http.get("/contacts/1/2").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text,
        r#"{"name":"NotFound","message":"Page not found","code":404,"className":"not-found","data":{"url":"/contacts/1/2"}}"#
    );
    // Another organization's record is not there either, for whatever is done with it.
    let other = server.organization("Other");
    let others = server.http().with("x-api-key", &other.key);
    let foreign = make(&others, "/contacts", json!({"first_name": "Far"})).await;
    let path = format!("/contacts/{}", foreign["id"]);
    let words = format!("No record found for id '{}'", foreign["id"]);
    for answer in [
        http.get(&path).await,
        http.patch(&path, &json!({"first_name": "Near"})).await,
        super::put(&http, &path, &json!({"first_name": "Near"})).await,
        http.delete(&path).await,
    ] {
        assert_eq!(answer.expect(404)["message"], words);
    }
    assert_eq!(others.get(&path).await.expect(200), foreign);
}

#[tokio::test]
async fn what_is_not_valid() {
    let (_server, http, _own) = client();
    for (path, body, field, message) in [
        (
            "/contacts",
            json!({}),
            "first_name",
            "A contact needs a first_name, last_name, email, phone or channel",
        ),
        (
            "/contacts",
            json!({"email": "nope"}),
            "email",
            "email is no e-mail address",
        ),
        (
            "/contacts",
            json!({"first_name": 7}),
            "first_name",
            "first_name must be a string",
        ),
        (
            "/contacts",
            json!({"shoe_size": 7}),
            "shoe_size",
            "shoe_size is not known",
        ),
        (
            "/contacts",
            json!({"first_name": "x".repeat(256)}),
            "first_name",
            "first_name must have at most 255 bytes",
        ),
        (
            "/contacts",
            json!({"first_name": "A", "system_type": "x"}),
            "system_type",
            "system_type cannot be set",
        ),
        (
            "/contacts",
            json!({"first_name": "A", "owner": {"id": 1}}),
            "owner",
            "owner cannot be set",
        ),
        (
            "/contacts",
            json!([{"first_name": "A"}, {"email": "nope"}]),
            "[1].email",
            "email is no e-mail address",
        ),
        ("/companies", json!({}), "name", "name is required"),
        (
            "/activities",
            json!({"subject": "s", "start_date": "soon"}),
            "start_date",
            "start_date must be a date such as 2024-01-31",
        ),
    ] {
        let answer = http.post(path, &body).await.expect(400);
        assert_eq!(answer["name"], "BadRequest");
        assert_eq!(answer["className"], "bad-request");
        assert_eq!(answer["message"], message);
        assert_eq!(
            answer["errors"],
            json!([{"path": field, "message": message}])
        );
    }
    let http = http.with("content-type", "application/json");
    let broken = http
        .send(Method::POST, "/contacts", Some(b"{\"a\":".to_vec()))
        .await;
    assert_eq!(broken.expect(400)["name"], "BadRequest");
    assert_eq!(
        http.get("/contacts").await.json()["total"],
        0,
        "all or nothing"
    );
}

#[tokio::test]
async fn verbs_and_methods_there_are_none_of() {
    let (_server, http, _own) = client();
    let json = http.with("content-type", "application/json");
    let body = || Some(b"{\"first_name\":\"A\"}".to_vec());
    for (verb, path, status, words) in [
        ("PATCH", "/contacts", 405, "Can not patch multiple entries"),
        (
            "DELETE",
            "/contacts",
            405,
            "Can not remove multiple entries",
        ),
        (
            "PUT",
            "/contacts",
            400,
            "You can not replace multiple instances. Did you mean 'patch'?",
        ),
        (
            "PATCH",
            "/contact-tags/1",
            405,
            "Method `patch` is not supported by this endpoint.",
        ),
        (
            "DELETE",
            "/organizations",
            405,
            "Method `remove` is not supported by this endpoint.",
        ),
        (
            "PUT",
            "/organizations/101",
            405,
            "Method `update` is not supported by this endpoint.",
        ),
    ] {
        let answer = json
            .send(Method::from_bytes(verb.as_bytes()).unwrap(), path, body())
            .await;
        assert_eq!(answer.expect(status)["message"], words, "{verb} {path}");
    }
    let named = json.with("x-service-method", "explode");
    let answer = named
        .send(Method::POST, "/contacts", body())
        .await
        .expect(405);
    assert_eq!(answer["name"], "MethodNotAllowed");
    assert_eq!(answer["className"], "method-not-allowed");
    assert_eq!(
        answer["message"],
        "The method of X-Service-Method is not supported by this endpoint."
    );
    assert_eq!(
        http.get("/contacts/").await.json()["total"],
        0,
        "nothing was made"
    );
}

#[tokio::test]
async fn whose_a_record_is() {
    let (server, http, own) = client();
    let other = server.organization("Other");
    let body = json!({"first_name": "A", "organization_id": other.id});
    let refused = http.post("/contacts", &body).await.expect(403);
    assert_eq!(refused["className"], "forbidden");
    let made = make(&http, "/contacts", json!({"first_name": "A"})).await;
    assert_eq!(made["organization_id"], own.id);
    let path = format!("/contacts/{}", made["id"]);
    let moved = http
        .patch(&path, &json!({"organization_id": other.id}))
        .await;
    moved.expect(403);
    let passed = json!({"organization_id": own.id, "id": 7, "created_at": null});
    let kept = http.patch(&path, &passed).await.expect(200);
    assert_eq!(kept, made, "what is passed over changes nothing");
    let read_only = http
        .patch(&path, &json!({"created_by_user_id": 999}))
        .await
        .expect(400);
    assert_eq!(read_only["message"], "created_by_user_id cannot be set");
    for (id, total) in [(own.id, 1), (other.id, 0)] {
        let page = http.get(&format!("/contacts?organization_id={id}")).await;
        assert_eq!(page.expect(200)["total"], total);
    }
}
