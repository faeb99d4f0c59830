//! What is additive to the documented API: reading, changing, scaling, going back and
//! deleting, pages, and what is told of a service's past.

use serde_json::{Value, json};

use super::{Platform, example};

fn path(service: &Value, rest: &str) -> String {
    format!("/api/services/{}{rest}", service["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_service_is_changed_scaled_and_deleted() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let change = json!({"image": "nginx:1.29", "env": {"MODE": "b"}, "containerPort": 8080});
    let changed = http.patch(&path(&own, ""), &change).await.expect(200);
    assert_eq!(changed["status"], "DEPLOYING");
    let now = platform
        .becomes(&own["id"], |now| {
            now["currentDeploymentId"] != own["currentDeploymentId"]
        })
        .await;
    assert_eq!(now["image"], "nginx:1.29");
    assert_eq!(platform.visit(&now).await["env"], json!(["MODE=b"]));
    // What nobody named stays.
    assert_eq!(
        (&now["public"], &now["replicas"]),
        (&json!(true), &json!(2))
    );
    for (replicas, status) in [
        (3, "RUNNING"),
        (1, "RUNNING"),
        (0, "STOPPED"),
        (2, "DEPLOYING"),
    ] {
        let body = json!({"replicas": replicas});
        let scaled = http.post(&path(&own, "/scale"), &body).await.expect(200);
        assert_eq!(scaled["status"], status);
        platform.containers(replicas).await;
    }
    platform
        .becomes(&own["id"], |now| now["status"] == "RUNNING")
        .await;
    // Hidden, it is not reached any more, and runs on.
    let hidden = http
        .patch(&path(&own, ""), &json!({"public": false}))
        .await
        .expect(200);
    assert_eq!(hidden.get("url"), None);
    assert_eq!(hidden["status"], "RUNNING");
    let gone = http.delete(&path(&own, "")).await.expect(200);
    assert_eq!(gone, json!({"success": true}));
    assert_eq!(http.get(&path(&own, "")).await.status, 404);
    platform.containers(0).await;
    // Its name is free.
    http.post("/api/deploy", &example()).await.expect(200);
}

#[tokio::test]
async fn a_deployment_is_gone_back_to() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let first = own["currentDeploymentId"].clone();
    let none = http.post(&path(&own, "/rollback"), &json!({})).await;
    assert_eq!(
        none.expect(400)["error"],
        "There is no earlier deployment to go back to"
    );
    let change = json!({"image": "nginx:1.29", "env": {"MODE": "b"}});
    http.patch(&path(&own, ""), &change).await.expect(200);
    let second = platform
        .becomes(&own["id"], |now| now["currentDeploymentId"] != first)
        .await;
    let back = http
        .post(&path(&own, "/rollback"), &json!({}))
        .await
        .expect(200);
    assert_eq!(back["status"], "DEPLOYING");
    let third = platform
        .becomes(&own["id"], |now| {
            now["currentDeploymentId"] != second["currentDeploymentId"]
        })
        .await;
    let said = platform.visit(&third).await;
    assert_eq!(said["image"], "nginx:alpine", "its image");
    assert_eq!(
        said["env"],
        json!(["NODE_ENV=production"]),
        "and its environment"
    );
    let all = http.get(&path(&own, "/deployments")).await.expect(200);
    let causes: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["trigger"])
        .collect();
    assert_eq!(causes, ["rollback", "update", "deploy"]);
    for one in all.as_array().unwrap() {
        assert_eq!(one["status"], "SUCCEEDED");
        assert!(
            one["userId"].is_i64() && one["finishedAt"].is_string(),
            "{one}"
        );
        assert!(one["digest"].is_string(), "{one}");
    }
    // To one that is named.
    let to = json!({"deploymentId": second["currentDeploymentId"]});
    http.post(&path(&own, "/rollback"), &to).await.expect(200);
    let unknown = json!({"deploymentId": uuid::Uuid::nil().to_string()});
    let answer = http.post(&path(&own, "/rollback"), &unknown).await;
    assert_eq!(answer.expect(404)["error"], "Deployment not found");
    let events = http.get(&path(&own, "/events?limit=2")).await.expect(200);
    assert_eq!(events.as_array().unwrap().len(), 2);
    let events = http.get(&path(&own, "/events")).await.expect(200);
    let first = events.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&first["from"], &first["to"]),
        (&json!("PENDING"), &json!("DEPLOYING"))
    );
}

#[tokio::test]
async fn services_come_in_pages() {
    let platform = Platform::start();
    let http = &platform.http;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let body = json!({"name": name, "image": "nginx", "replicas": 0});
        let made = http.post("/api/deploy", &body).await.expect(200);
        assert_eq!(made["status"], "STOPPED");
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let names = |page: Value| {
        let all = page.as_array().unwrap().clone();
        all.iter()
            .map(|own| own["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = http.get("/api/services?limit=2").await.expect(200);
    assert_eq!(names(first), ["one", "two"]);
    let next = format!("/api/services?limit=2&after={}", ids[1]);
    assert_eq!(names(http.get(&next).await.expect(200)), ["three"]);
    // Neither after what is not there, nor after another organization's.
    let other = platform.server.organization("Other");
    let other = platform.server.http().bearer(&other.key);
    let theirs = json!({"name": "theirs", "image": "nginx", "replicas": 0});
    let theirs = other.post("/api/deploy", &theirs).await.expect(200);
    for id in [
        uuid::Uuid::nil().to_string(),
        theirs["id"].as_str().unwrap().to_owned(),
    ] {
        let told = http.get(&format!("/api/services?after={id}")).await;
        assert_eq!(told.expect(400)["error"], "after is no service's id");
    }
}

#[tokio::test]
async fn logs_are_followed_as_lines_and_as_events() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    let http = &platform.http;
    let logs = path(&own, "/logs");
    for (query, accept, kind) in [
        ("?follow=true", "*/*", "application/x-ndjson"),
        ("", "text/event-stream", "text/event-stream"),
    ] {
        let mut stream = reqwest::Client::new()
            .get(format!("{}{logs}{query}", platform.server.url))
            .header("accept", accept)
            .bearer_auth(
                &platform
                    .server
                    .organization(&format!("X{}", query.len()))
                    .key,
            );
        // Another organization's service is not there.
        let refused = stream.try_clone().unwrap().send().await.unwrap();
        assert_eq!(refused.status(), 404);
        let made = http
            .post("/api/account/token", &json!({}))
            .await
            .expect(200);
        let token = made["token"].as_str().unwrap();
        stream = reqwest::Client::new()
            .get(format!("{}{logs}{query}", platform.server.url))
            .header("accept", accept)
            .bearer_auth(token);
        let mut answer = stream.send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], kind);
        let mut text = String::new();
        while text.matches("warning: nothing runs here").count() < 2 {
            let piece = answer.chunk().await.unwrap().expect("more");
            text.push_str(&String::from_utf8_lossy(&piece));
        }
        assert!(text.contains(r#""stream":"stderr""#), "{text}");
    }
    let wrong = http.get(&format!("{logs}?tail=10001")).await;
    assert_eq!(wrong.expect(400)["code"], "VALIDATION_ERROR");
    let since = http
        .get(&format!("{logs}?since=2027-01-01T00:00:00Z"))
        .await;
    assert_eq!(since.expect(200)["logs"], "");
}

#[tokio::test]
async fn a_service_has_other_names() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let domains = path(&own, "/domains");
    let body = json!({"host": "WWW.Example.com"});
    let added = http.post(&domains, &body).await.expect(200);
    assert_eq!(added["host"], "www.example.com");
    assert_eq!(http.get(&domains).await.expect(200), json!([added]));
    let mut named = own.clone();
    let url = own["url"].as_str().unwrap();
    let port = url.rsplit(':').next().unwrap();
    named["url"] = json!(format!("http://www.example.com:{port}"));
    platform.answers(&named).await;
    for (host, words) in [
        ("www.example.com", "host is taken"),
        ("localhost", "host must be a name such as www.example.com"),
        ("127.0.0.1", "host must be a name such as www.example.com"),
        (
            "a b.example.com",
            "host must be a name such as www.example.com",
        ),
        (
            "x.101.localhost",
            "host must not be below the domain of this installation",
        ),
    ] {
        let told = http
            .post(&domains, &json!({"host": host}))
            .await
            .expect(400);
        assert_eq!(told["error"], words, "{host}");
    }
    // What leads to another organization's service stays there.
    let other = platform.server.organization("Other");
    let other = platform.server.http().bearer(&other.key);
    let theirs = json!({"name": "theirs", "image": "nginx"});
    let theirs = other.post("/api/deploy", &theirs).await.expect(200);
    let taken = other.post(&path(&theirs, "/domains"), &body).await;
    assert_eq!(taken.expect(400)["error"], "host is taken");
    let gone = http.delete(&format!("{domains}/www.example.com")).await;
    gone.expect(200);
    assert_eq!(
        http.delete(&format!("{domains}/www.example.com"))
            .await
            .status,
        404
    );
    other
        .post(&path(&theirs, "/domains"), &body)
        .await
        .expect(200);
}

#[tokio::test]
async fn what_containers_use_is_told() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    let used = platform.http.get(&path(&own, "/metrics")).await.expect(200);
    let one = |replica: &str| {
        json!({
            "replica": replica, "cpuPercent": 50, "memoryBytes": 67_108_864,
            "memoryLimitBytes": 536_870_912,
        })
    };
    assert_eq!(used, json!([one("0"), one("1")]));
}

#[tokio::test]
async fn a_database_is_copied_and_put_back() {
    let platform = Platform::start();
    let http = &platform.http;
    let body = json!({"name": "store", "type": "redis"});
    let made = http.post("/api/databases", &body).await.expect(200);
    let own = format!("/api/databases/{}", made["id"].as_str().unwrap());
    let becomes = |what: String, is_so: fn(&Value) -> bool| async move {
        let deadline = std::time::Instant::now() + super::PATIENCE;
        loop {
            let now = http.get(&what).await.expect(200);
            if is_so(&now) {
                return now;
            }
            assert!(std::time::Instant::now() < deadline, "it stays {now}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let runs: fn(&Value) -> bool = |now| now["status"] == "RUNNING";
    becomes(own.clone(), runs).await;
    platform.engine.write_volumes("before");
    let backups = format!("{own}/backups");
    let asked = http.post(&backups, &json!({})).await.expect(200);
    assert_eq!(asked["status"], "PENDING");
    let again = http.post(&backups, &json!({})).await;
    assert_eq!(
        again.expect(400)["error"],
        "The database is being copied or restored"
    );
    let listed = becomes(backups.clone(), |now| now[0]["status"] == "SUCCEEDED").await;
    assert_eq!(listed[0]["size"], 6);
    becomes(own.clone(), runs).await;
    platform.engine.write_volumes("after");
    let restore = json!({"backupId": asked["id"]});
    let now = http
        .post(&format!("{own}/restore"), &restore)
        .await
        .expect(200);
    assert_eq!(now["status"], "PENDING");
    becomes(own.clone(), runs).await;
    assert_eq!(platform.engine.volumes(), ["before"]);
    let unknown = json!({"backupId": uuid::Uuid::nil().to_string()});
    let answer = http.post(&format!("{own}/restore"), &unknown).await;
    assert_eq!(answer.expect(404)["error"], "Backup not found");
    let path = format!("{backups}/{}", asked["id"].as_str().unwrap());
    http.delete(&path).await.expect(200);
    assert_eq!(http.get(&backups).await.text, "[]");
    let files = std::fs::read_dir(platform.server.data.join("backups")).unwrap();
    assert_eq!(files.count(), 0);
}

/// What there is stays until there is something to put in its place.
#[tokio::test]
async fn a_backup_that_is_not_whole_takes_nothing_away() {
    let platform = Platform::start();
    let http = &platform.http;
    let body = json!({"name": "store", "type": "redis"});
    let made = http.post("/api/databases", &body).await.expect(200);
    let own = format!("/api/databases/{}", made["id"].as_str().unwrap());
    let becomes = |what: String, is_so: fn(&Value) -> bool| async move {
        let deadline = std::time::Instant::now() + super::PATIENCE;
        loop {
            let now = http.get(&what).await.expect(200);
            if is_so(&now) {
                return now;
            }
            assert!(std::time::Instant::now() < deadline, "it stays {now}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    becomes(own.clone(), |now| now["status"] == "RUNNING").await;
    platform.engine.write_volumes("before");
    let backups = format!("{own}/backups");
    let asked = http.post(&backups, &json!({})).await.expect(200);
    becomes(backups.clone(), |now| now[0]["status"] == "SUCCEEDED").await;
    becomes(own.clone(), |now| now["status"] == "RUNNING").await;
    platform.engine.write_volumes("after");
    let id = asked["id"].as_str().unwrap();
    let file = platform.server.data.join(format!("backups/{id}.tar"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let restore = json!({"backupId": id});
    std::fs::write(&file, "bef").unwrap();
    for _ in 0..2 {
        http.post(&format!("{own}/restore"), &restore)
            .await
            .expect(200);
        let now = becomes(own.clone(), |now| now["status"] == "RUNNING").await;
        let told = "The file of the backup is gone, or not whole";
        assert_eq!(now["message"], told);
        assert_eq!(platform.engine.volumes(), ["after"]);
        let _ = std::fs::remove_file(&file);
    }
    // One that cannot be written says so, and the database runs on.
    std::fs::remove_dir_all(platform.server.data.join("backups")).unwrap();
    std::fs::write(platform.server.data.join("backups"), "in the way").unwrap();
    http.post(&backups, &json!({})).await.expect(200);
    let listed = becomes(backups.clone(), |now| now[1]["status"] == "FAILED").await;
    let told = listed[1]["message"].as_str().unwrap();
    assert!(told.contains("There is no folder for backups"), "{told}");
    becomes(own.clone(), |now| now["status"] == "RUNNING").await;
}

/// A deployment that failed leaves no trace in what is wanted, and one that is gone back to
/// brings its environment with it.
#[tokio::test]
async fn what_is_shown_is_what_runs() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let change = json!({"image": "missing:1", "env": {"OTHER": "x"}});
    http.patch(&path(&own, ""), &change).await.expect(200);
    let now = platform
        .becomes(&own["id"], |now| now["message"].is_string())
        .await;
    assert_eq!(
        (&now["image"], &now["env"]),
        (&json!("nginx:alpine"), &json!(["NODE_ENV"]))
    );
    let change = json!({"env": {"NODE_ENV": "test", "MORE": "y"}});
    http.patch(&path(&own, ""), &change).await.expect(200);
    let before = &own["currentDeploymentId"];
    platform
        .becomes(&own["id"], |now| now["currentDeploymentId"] != *before)
        .await;
    let back = http.post(&path(&own, "/rollback"), &json!({})).await;
    assert_eq!(back.expect(200)["env"], json!(["NODE_ENV"]));
    let now = platform
        .becomes(&own["id"], |now| now["status"] == "RUNNING")
        .await;
    let said = platform.visit(&now).await;
    assert_eq!(said["env"], json!(["NODE_ENV=production"]));
    // Two names of one network lead to one thing.
    let body = json!({"name": "my-service", "type": "redis"});
    let told = http.post("/api/databases", &body).await.expect(400);
    assert_eq!(
        told["error"],
        "name is taken by a service or a database of the organization"
    );
}

#[tokio::test]
async fn who_may_not_look_any_more_follows_nothing() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let made = http.post("/api/account/token", &json!({})).await;
    let made = made.expect(200);
    let url = format!("{}{}", platform.server.url, path(&own, "/logs?follow=true"));
    let follow = reqwest::Client::new().get(url);
    let follow = follow.bearer_auth(made["token"].as_str().unwrap());
    let mut answer = follow.send().await.unwrap();
    assert!(answer.chunk().await.unwrap().is_some());
    let token = format!("/api/account/tokens/{}", made["id"].as_str().unwrap());
    http.delete(&token).await.expect(200);
    let over = async { while let Ok(Some(_)) = answer.chunk().await {} };
    let over = tokio::time::timeout(super::PATIENCE, over).await;
    assert!(over.is_ok(), "it goes on");
}
