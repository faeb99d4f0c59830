//! What is so becomes what is wanted: after a crash, a bad image, a change half-way, a
//! restart. What others made is left alone, and where nothing changes nothing is done.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Platform, example};

#[tokio::test]
async fn containers_that_end_are_replaced() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    let begun = std::time::Instant::now();
    platform.engine.crash();
    platform.containers(0).await;
    platform.containers(2).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    platform.answers(&own).await;
    platform
        .becomes(&own["id"], |now| now["readyReplicas"] == 2)
        .await;
}

#[tokio::test]
async fn containers_that_answer_no_more_are_replaced() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    platform.containers(2).await;
    let silent = platform.engine.silence();
    // It runs on: only its checks tell.
    let deadline = std::time::Instant::now() + Duration::from_secs(40);
    while platform.engine.has(&silent) {
        assert!(std::time::Instant::now() < deadline, "it stays");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    platform.containers(2).await;
    let now = platform
        .becomes(&own["id"], |now| now["readyReplicas"] == 2)
        .await;
    assert_eq!(now["currentDeploymentId"], own["currentDeploymentId"]);
    for _ in 0..4 {
        platform.visit(&own).await;
    }
}

#[tokio::test]
async fn a_bad_image_changes_nothing_that_runs() {
    let platform = Platform::start();
    let http = &platform.http;
    let own = platform.running(example()).await;
    let path = format!("/api/services/{}", own["id"].as_str().unwrap());
    for (image, why) in [
        (
            "missing:1",
            "The image missing:1 cannot be pulled: manifest unknown",
        ),
        (
            "broken:1",
            "A container ended with code 1 before it was ready: started",
        ),
        (
            "refused:1",
            "The engine refused the container: that cannot be",
        ),
    ] {
        let before = platform.engine.running();
        http.patch(&path, &json!({"image": image}))
            .await
            .expect(200);
        let now = platform
            .becomes(&own["id"], |now| now["message"].is_string())
            .await;
        assert_eq!(now["status"], "RUNNING", "what ran before runs on");
        assert_eq!(now["currentDeploymentId"], own["currentDeploymentId"]);
        let told = now["message"].as_str().unwrap();
        assert!(told.contains(why), "{told}");
        assert_eq!(platform.engine.running(), before);
        let all = http.get(&format!("{path}/deployments")).await.expect(200);
        assert_eq!(all[0]["status"], "FAILED");
        assert!(
            all[0]["reason"].as_str().unwrap().contains(why),
            "{}",
            all[0]
        );
        assert_eq!(platform.visit(&own).await["image"], "nginx:alpine");
    }
    // A first deployment has nothing to fall back on.
    let body = json!({"name": "first", "image": "broken:1"});
    let made = http.post("/api/deploy", &body).await.expect(200);
    platform
        .becomes(&made["id"], |now| now["status"] == "FAILED")
        .await;
    // One that never gets ready is told apart.
    let health = json!({"timeoutSeconds": 1});
    let body = json!({"name": "mute", "image": "silent:1", "healthCheck": health});
    let made = http.post("/api/deploy", &body).await.expect(200);
    let failed = platform
        .becomes(&made["id"], |now| now["status"] == "FAILED")
        .await;
    let told = failed["message"].as_str().unwrap();
    assert!(
        told.contains("takes no connections on port 80 after 1 seconds"),
        "{told}"
    );
    platform.containers(2).await;
}

#[tokio::test]
async fn what_others_made_is_left_alone() {
    let platform = Platform::start();
    let stranger = platform.engine.make_stranger();
    let own = platform.running(example()).await;
    let path = format!("/api/services/{}", own["id"].as_str().unwrap());
    platform.http.delete(&path).await.expect(200);
    platform.containers(0).await;
    assert!(platform.engine.has(&stranger));
}

#[tokio::test]
async fn a_restart_takes_up_what_runs() {
    let mut platform = Platform::start();
    let own = platform.running(example()).await;
    let running = platform.containers(2).await;
    platform.server.kill();
    platform.server.run();
    let token = own["name"].as_str().unwrap().to_owned();
    let own = platform.server.organization("Later");
    assert!(own.id > 0 && !token.is_empty());
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        platform.engine.running(),
        running,
        "nothing was started anew"
    );
}

#[tokio::test]
async fn nothing_is_done_while_nothing_changes() {
    let platform = Platform::start();
    let idle = platform.engine.requests();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        platform.engine.requests(),
        idle,
        "nothing is wanted, nothing is asked"
    );
    platform.running(example()).await;
    platform.containers(2).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let (_, before) = platform.engine.requests();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let (_, after) = platform.engine.requests();
    assert_eq!(before, after, "all is as it is wanted");
}

/// One organization's deployments that take long are waited for by nobody else.
#[tokio::test]
async fn nobody_waits_for_others() {
    let platform = Platform::start();
    let health = json!({"timeoutSeconds": 60});
    for number in 0..24 {
        let name = format!("mute-{number}");
        let body = json!({"name": name, "image": "silent:1", "healthCheck": health});
        platform.http.post("/api/deploy", &body).await.expect(200);
    }
    platform.containers(16).await;
    let other = platform.server.organization("Other");
    let other = platform.server.http().bearer(&other.key);
    let made = other.post("/api/deploy", &example()).await.expect(200);
    let path = format!("/api/services/{}", made["id"].as_str().unwrap());
    let deadline = std::time::Instant::now() + super::PATIENCE;
    while other.get(&path).await.expect(200)["status"] != "RUNNING" {
        assert!(std::time::Instant::now() < deadline, "it waits");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What ended and why is told, without what it was told.
#[tokio::test]
async fn ends_are_told_without_secrets() {
    let platform = Platform::start();
    let own = platform.running(example()).await;
    platform.engine.crash();
    platform.containers(0).await;
    platform.containers(2).await;
    let events = format!("/api/services/{}/events", own["id"].as_str().unwrap());
    let deadline = std::time::Instant::now() + super::PATIENCE;
    loop {
        let all = platform.http.get(&events).await.expect(200);
        let told = all[0]["message"].as_str().unwrap().to_owned();
        if told.starts_with("A container ended with code 0") && told.ends_with("it was replaced") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{all}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let body = json!({"name": "first", "image": "broken:1", "env": {"SAID": "started"}});
    let made = platform.http.post("/api/deploy", &body).await.expect(200);
    let failed = platform
        .becomes(&made["id"], |now| now["status"] == "FAILED")
        .await;
    let told = failed["message"].as_str().unwrap();
    assert!(told.contains("before it was ready: ********"), "{told}");
    // Tried again, it may run: then it has not failed.
    platform.engine.mend();
    let path = format!("/api/services/{}", made["id"].as_str().unwrap());
    for pause in [true, false] {
        let pause = json!({"pause": pause});
        platform
            .http
            .post(&format!("{path}/pause"), &pause)
            .await
            .expect(200);
    }
    platform
        .becomes(&made["id"], |now| now["status"] == "RUNNING")
        .await;
    let all = platform.http.get(&format!("{path}/deployments")).await;
    let all = all.expect(200);
    assert_eq!(
        (&all[0]["status"], &all[0]["reason"]),
        (&json!("SUCCEEDED"), &Value::Null)
    );
}
