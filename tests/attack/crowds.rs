//! More connections than there may be: whoever is too many is refused at once, the
//! others stay, and room is given again. Without a descriptor left the server
//! waits for one and goes on.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use super::Target;
use crate::support::Server;
use crate::support::attacker::{Attacker, until};
use crate::support::skip::{program, skip};

const REQUEST: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Connections that have been served once and are kept.
async fn kept(url: &str, source: &str, count: usize) -> Vec<Attacker> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut attacker = Attacker::from(source, url).await;
        assert!(served(&mut attacker).await);
        all.push(attacker);
    }
    all
}

async fn served(attacker: &mut Attacker) -> bool {
    attacker.send(REQUEST).await && attacker.answer().await.status == 200
}

async fn refused(url: &str, source: &str) {
    let mut attacker = Attacker::from(source, url).await;
    attacker.send(REQUEST).await;
    assert_eq!(attacker.closed().await, "");
}

#[tokio::test]
async fn connections_per_address() {
    let target = Target::new(&[
        ("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "20"),
        ("APEX_TRUSTED_PROXIES", "127.0.0.9/32"),
    ]);
    let mut crowd = kept(target.url(), "127.0.0.2", 20).await;
    for _ in 0..50 {
        refused(target.url(), "127.0.0.2").await;
    }
    // Others are served, and those who are in stay.
    kept(target.url(), "127.0.0.3", 5).await;
    target.alive().await;
    for attacker in &mut crowd {
        assert!(served(attacker).await);
    }
    // A proxy connects for everybody.
    kept(target.url(), "127.0.0.9", 30).await;
    // Who leaves makes room.
    drop(crowd.pop());
    until("room", || async {
        let mut attacker = Attacker::from("127.0.0.2", target.url()).await;
        attacker.send(REQUEST).await;
        attacker.closed_or_answered().await
    })
    .await;
}

#[tokio::test]
async fn connections_in_all() {
    let target = Target::new(&[("APEX_TRANSPORT_MAX_CONNECTIONS", "30")]);
    // The honest client is one of them.
    target.event().await.expect(200);
    let mut crowd = kept(target.url(), "127.0.0.2", 29).await;
    for source in ["127.0.0.3", "127.0.0.4"] {
        refused(target.url(), source).await;
    }
    target.event().await.expect(200);
    assert!(served(&mut crowd[0]).await);
    drop(crowd);
    until("room", || async {
        let mut attacker = Attacker::from("127.0.0.3", target.url()).await;
        attacker.send(REQUEST).await;
        attacker.closed_or_answered().await
    })
    .await;
    target.alive().await;
}

#[tokio::test]
async fn without_descriptors_it_waits_for_one() {
    const NAME: &str = "attack::crowds::without_descriptors_it_waits_for_one";
    let Some(prlimit) = program("prlimit") else {
        return skip(NAME, "prlimit is not installed");
    };
    let target = Target::new(&[("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "1000")]);
    target.event().await.expect(200);
    let pid = target.server.pid().to_string();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .count();
    let limit = |most: usize| {
        let nofile = format!("--nofile={most}:");
        let done = Command::new(&prlimit)
            .args(["--pid", &pid, &nofile])
            .status();
        assert!(done.unwrap().success());
    };
    limit(open + 20);
    let mut crowd = Vec::new();
    for _ in 0..100 {
        // The system accepts for the server until its backlog is full.
        let mut attacker = Attacker::connect(target.url()).await;
        attacker.send(REQUEST).await;
        crowd.push(attacker);
    }
    until("running out", || async {
        target.server.log().contains("cannot accept a connection")
    })
    .await;
    // Who is connected is served, to the database and back.
    for _ in 0..20 {
        target.event().await.expect(200);
    }
    // Those who wait are served as others leave.
    for mut attacker in crowd {
        assert_eq!(attacker.answer().await.status, 200);
    }
    target.alive().await;
    let told = target.server.log().matches("cannot accept").count();
    assert!(told < 10, "told {told} times");
}

/// A server that may open only so many files.
struct Limited(Child);

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn fewer_descriptors_than_connections() {
    let own = Server::stopped(&[("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "1000")]);
    if crate::support::database::is_postgres() {
        own.apex(&["migrate", "up"]);
    }
    let command = own.command();
    let settings = command
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    let child = Command::new("/bin/sh")
        .env_clear()
        .envs(settings)
        .args(["-c", "ulimit -n 256; exec \"$0\" serve"])
        .arg(command.get_program())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut limited = Limited(child.unwrap());
    let mut line = String::new();
    let stdout = limited.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http"));
    let url = url.unwrap();
    // 64 are kept for the server's own files.
    let mut crowd = kept(url, "127.0.0.2", 192).await;
    for _ in 0..200 {
        refused(url, "127.0.0.3").await;
    }
    let readyz = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    assert!(crowd[0].send(readyz).await);
    assert_eq!(crowd[0].answer().await.status, 200);
}
