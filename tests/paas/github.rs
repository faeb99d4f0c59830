//! GitHub's webhook: signed deliveries deploy, once; others have no effect.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Platform, example};
use crate::support::{Answer, Http};

const SHA: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// A push, in the shape GitHub documents.
fn push(branch: &str) -> Value {
    json!({
        "ref": format!("refs/heads/{branch}"), "before": "0".repeat(40), "after": SHA,
        "created": false, "deleted": false, "forced": false,
        "repository": {"id": 1296269, "name": "hello-world", "full_name": "Octocat/Hello-World"},
        "pusher": {"name": "octocat"}, "head_commit": {"id": SHA, "message": "Mend it"},
        "commits": [{"id": SHA, "message": "Mend it", "added": [], "modified": ["README.md"]}],
    })
}

fn pull_request(action: &str) -> Value {
    json!({
        "action": action, "number": 7,
        "pull_request": {
            "number": 7, "state": "open",
            "head": {"ref": "topic", "sha": SHA, "repo": {"full_name": "octocat/hello-world"}},
            "base": {"ref": "main", "sha": "1".repeat(40)},
        },
        "repository": {"id": 1296269, "full_name": "octocat/hello-world"},
    })
}

struct Hook<'a> {
    http: Http,
    secret: &'a str,
}

impl Hook<'_> {
    async fn deliver(&self, kind: &str, id: &str, body: &Value) -> Answer {
        let body = body.to_string().into_bytes();
        let signed = signature(self.secret, &body);
        self.send(kind, id, Some(&signed), body).await
    }

    async fn send(&self, kind: &str, id: &str, signed: Option<&str>, body: Vec<u8>) -> Answer {
        let mut http = self
            .http
            .with("content-type", "application/json")
            .with("x-github-event", kind)
            .with("x-github-delivery", id);
        if let Some(signed) = signed {
            http = http.with("x-hub-signature-256", signed);
        }
        http.send(Method::POST, "/api/webhooks/github", Some(body))
            .await
    }
}

async fn bound(platform: &Platform, previews: bool) -> (Value, String) {
    let own = platform.running(example()).await;
    let path = format!("/api/services/{}/source", own["id"].as_str().unwrap());
    let body = json!({
        "repository": "octocat/hello-world", "imageTemplate": "registry.example.com/app:{sha}",
        "previews": previews,
    });
    let http = &platform.http;
    let own_http = http.with("content-type", "application/json");
    let made = own_http
        .send(Method::PUT, &path, Some(body.to_string().into_bytes()))
        .await
        .expect(200);
    assert_eq!(made["branch"], "main");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let shown = http.get(&path).await;
    assert!(!shown.text.contains(&secret), "it is shown once");
    assert_eq!(shown.expect(200)["repository"], "octocat/hello-world");
    (own, secret)
}

#[tokio::test]
async fn a_signed_push_deploys_once() {
    let platform = Platform::start();
    let (own, secret) = bound(&platform, false).await;
    let hook = Hook {
        http: platform.server.http(),
        secret: &secret,
    };
    let ignored = json!({"received": true, "ignored": true});
    let ping =
        json!({"zen": "Keep it simple.", "repository": {"full_name": "octocat/hello-world"}});
    assert_eq!(
        hook.deliver("ping", "d-0", &ping).await.expect(200),
        ignored
    );
    let taken = hook.deliver("push", "d-1", &push("main")).await;
    assert_eq!(
        taken.expect(200),
        json!({"received": true, "ignored": false})
    );
    let now = platform
        .becomes(&own["id"], |now| {
            now["currentDeploymentId"] != own["currentDeploymentId"]
        })
        .await;
    assert_eq!(now["image"], format!("registry.example.com/app:{SHA}"));
    assert_eq!(platform.visit(&now).await["image"], now["image"]);
    // The same delivery, another branch, and what nobody waits for change nothing.
    assert_eq!(
        hook.deliver("push", "d-1", &push("main")).await.expect(200),
        ignored
    );
    assert_eq!(
        hook.deliver("push", "d-2", &push("other"))
            .await
            .expect(200),
        ignored
    );
    let request = pull_request("opened");
    assert_eq!(
        hook.deliver("pull_request", "d-3", &request)
            .await
            .expect(200),
        ignored
    );
    let path = format!("/api/services/{}/deployments", own["id"].as_str().unwrap());
    let all = platform.http.get(&path).await.expect(200);
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(all[0]["trigger"], "push");
}

#[tokio::test]
async fn what_is_not_signed_has_no_effect() {
    let platform = Platform::start();
    let (own, secret) = bound(&platform, false).await;
    let hook = Hook {
        http: platform.server.http(),
        secret: &secret,
    };
    let body = push("main").to_string().into_bytes();
    let right = signature(&secret, &body);
    let other_body = signature(&secret, push("other").to_string().as_bytes());
    let other_secret = signature("another secret", &body);
    let sha1 = format!("sha1={}", &right[7..47]);
    for wrong in [
        None,
        Some(""),
        Some("sha256="),
        Some(sha1.as_str()),
        Some(&right[7..]),
        Some(&right[..70]),
        Some(other_body.as_str()),
        Some(other_secret.as_str()),
    ] {
        let answer = hook.send("push", "d-1", wrong, body.clone()).await;
        let told = answer.expect(401);
        assert_eq!(told["code"], "UNAUTHORIZED", "{wrong:?}");
    }
    // The same JSON in other bytes is another body.
    let spaced = serde_json::to_vec_pretty(&push("main")).unwrap();
    assert_eq!(
        hook.send("push", "d-1", Some(&right), spaced).await.status,
        401
    );
    // Nobody is bound to it.
    let mut other = push("main");
    other["repository"]["full_name"] = json!("octocat/other");
    assert_eq!(hook.deliver("push", "d-1", &other).await.status, 401);
    assert_eq!(hook.deliver("push", "d-1", &json!([])).await.status, 401);
    // Headers that must be there.
    let http = platform.server.http().with("x-hub-signature-256", &right);
    let answer = http
        .send(Method::POST, "/api/webhooks/github", Some(body.clone()))
        .await;
    assert_eq!(answer.status, 400);
    // 30 MB are refused by their announcement, before any of them is sent.
    let address = platform.server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/webhooks/github HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\
         X-GitHub-Event: push\r\nX-GitHub-Delivery: d-9\r\nX-Hub-Signature-256: {right}\r\n\r\n",
        30 * 1024 * 1024
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    let now = platform.becomes(&own["id"], |_| true).await;
    assert_eq!(now["currentDeploymentId"], own["currentDeploymentId"]);
    // Large ones are GitHub's own right.
    let mut large = push("main");
    large["padding"] = json!("x".repeat(8 * 1024 * 1024));
    assert_eq!(
        hook.deliver("push", "d-1", &large).await.expect(200)["ignored"],
        false
    );
}

#[tokio::test]
async fn pull_requests_have_previews() {
    let platform = Platform::start();
    let (own, secret) = bound(&platform, true).await;
    let hook = Hook {
        http: platform.server.http(),
        secret: &secret,
    };
    hook.deliver("pull_request", "d-1", &pull_request("opened"))
        .await
        .expect(200);
    let http = &platform.http;
    let deadline = std::time::Instant::now() + super::PATIENCE;
    let preview = loop {
        let all = http.get("/api/services").await.expect(200);
        if all[1]["status"] == "RUNNING" {
            break all[1].clone();
        }
        assert!(std::time::Instant::now() < deadline, "{all}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert_eq!(preview["name"], "my-service-pr-7");
    assert_eq!(preview["replicas"], 1);
    let said = platform.visit(&preview).await;
    assert_eq!(said["env"], json!(["NODE_ENV=production"]));
    assert_eq!(said["image"], format!("registry.example.com/app:{SHA}"));
    // What strangers propose is not run.
    let mut foreign = pull_request("opened");
    foreign["number"] = json!(8);
    foreign["pull_request"]["head"]["repo"]["full_name"] = json!("stranger/hello-world");
    let answer = hook.deliver("pull_request", "d-2", &foreign).await;
    assert_eq!(answer.expect(200)["ignored"], true);
    hook.deliver("pull_request", "d-3", &pull_request("closed"))
        .await
        .expect(200);
    platform.containers(2).await;
    let all = http.get("/api/services").await.expect(200);
    assert_eq!(all, json!([platform.becomes(&own["id"], |_| true).await]));
}
