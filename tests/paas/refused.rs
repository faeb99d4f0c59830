//! What cannot be is refused with the field's name, and nothing is changed.

use serde_json::{Value, json};

use super::{Platform, example};

fn with(changes: &Value) -> Value {
    let mut body = example();
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn bad_input_is_refused_by_name() {
    let platform = Platform::start();
    let http = &platform.http;
    for (changes, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": null}), "name"),
        (json!({"name": "-v"}), "name"),
        (json!({"name": "My-Service"}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"name": "a".repeat(64)}), "name"),
        (json!({"image": ""}), "image"),
        (json!({"image": "--privileged"}), "image"),
        (json!({"image": "nginx:alpine; id"}), "image"),
        (json!({"image": "$(id)"}), "image"),
        (json!({"image": "../../etc/passwd"}), "image"),
        (json!({"image": "nginx\n"}), "image"),
        (json!({"image": "127.0.0.1:5000/x"}), "image"),
        (
            json!({"image": "169.254.169.254/latest/meta-data"}),
            "image",
        ),
        (json!({"image": "2130706433:8080/x"}), "image"),
        (json!({"image": "localhost:6379/x"}), "image"),
        (json!({"image": "registry.internal/x"}), "image"),
        (json!({"containerPort": 0}), "containerPort"),
        (json!({"containerPort": 65536}), "containerPort"),
        (json!({"containerPort": "http"}), "containerPort"),
        (json!({"replicas": -1}), "replicas"),
        (json!({"replicas": 1001}), "replicas"),
        (json!({"replicas": 1.5}), "replicas"),
        (json!({"public": "yes"}), "public"),
        (json!({"env": {"A-B": "x"}}), "env"),
        (json!({"env": {"": "x"}}), "env"),
        (json!({"env": {"A=B": "x"}}), "env"),
        (json!({"env": {"A": "x\0y"}}), "env.A"),
        (json!({"env": {"A": 5}}), "env"),
        (json!({"env": {"A": "x".repeat(32 * 1024 + 1)}}), "env.A"),
        (json!({"command": ["a\0b"]}), "command"),
        (json!({"healthCheck": {"path": "up"}}), "healthCheck.path"),
        (json!({"healthCheck": {"path": "/a b"}}), "healthCheck.path"),
        (
            json!({"healthCheck": {"path": "/\r\nx: y"}}),
            "healthCheck.path",
        ),
        (
            json!({"healthCheck": {"timeoutSeconds": 0}}),
            "timeoutSeconds",
        ),
        (json!({"volumes": ["/:/host"]}), "volumes"),
        (json!({"privileged": true}), "privileged"),
    ] {
        let answer = http.post("/api/deploy", &with(&changes)).await;
        let told = answer.expect(400);
        assert_eq!(told["code"], "VALIDATION_ERROR", "{changes}");
        let words = told["error"].as_str().unwrap();
        assert!(words.contains(field), "{changes}: {words}");
    }
    assert_eq!(http.get("/api/services").await.text, "[]");
    assert!(platform.engine.running().is_empty());
}

/// Whatever stands in a value is a value: no shell ever sees it.
#[tokio::test]
async fn values_are_handed_on_as_they_are() {
    let platform = Platform::start();
    let strange = "line\nnext $(id) `id` \"quoted\" 'x' ; rm -rf / \u{1b}[31m";
    let command = json!(["/bin/app", "$(id)", "`id`", "--flag=a b"]);
    let body = with(&json!({"env": {"STRANGE": strange}, "command": command, "replicas": 1}));
    platform.running(body).await;
    let spec = &platform.containers(1).await[0];
    assert_eq!(spec["Env"], json!([format!("STRANGE={strange}")]));
    assert_eq!(spec["Cmd"], command);
    let host = &spec["HostConfig"];
    assert_eq!(host["Privileged"], Value::Null);
    assert_eq!(host["Binds"], Value::Null);
    assert_eq!(host["SecurityOpt"], json!(["no-new-privileges"]));
    let port = &host["PortBindings"]["80/tcp"][0];
    assert_eq!(
        port["HostIp"], "127.0.0.1",
        "nothing is published to the network"
    );
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let platform = Platform::start();
    let http = &platform.http;
    http.post("/api/deploy", &example()).await.expect(200);
    let told = http.post("/api/deploy", &example()).await.expect(400);
    assert_eq!(
        told["error"],
        "name is taken by another service of the organization"
    );
    // Of another organization it is not.
    let other = platform.server.organization("Other");
    let other = platform.server.http().bearer(&other.key);
    other.post("/api/deploy", &example()).await.expect(200);
    // A request that is repeated is answered the same.
    let once = http.with("idempotency-key", "one");
    let body = with(&json!({"name": "other"}));
    let first = once.post("/api/deploy", &body).await.expect(200);
    let again = once.post("/api/deploy", &body).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.expect(200)["id"], first["id"]);
    assert_eq!(
        http.get("/api/services")
            .await
            .json()
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
