//! A flood of sign-ins: as many hashes at once as there are cores, a short wait
//! for the rest, then 429; everybody else is served meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{refused, session, sign_in};
use crate::support::{Answer, Server};

/// MiB of memory a process had at the most.
fn peak_mib(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

#[tokio::test]
async fn hundreds_of_sign_ins_at_once() {
    let server = Server::with(&[
        ("APEX_LIMITS_SIGN_IN_LIMIT", "1000000"),
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "1000000"),
        ("APEX_LIMITS_ACCOUNT_READ_LIMIT", "1000000"),
        ("APEX_TRANSPORT_MAX_CONNECTIONS_PER_ADDRESS", "10000"),
    ]);
    let own = server.organization("Acme");
    let signed_in = session(&server, &own.email).await;
    let by_key = server.http().bearer(&own.key);
    let before = peak_mib(server.pid());

    let cores = std::thread::available_parallelism().unwrap().get();
    let many = 300.max(200 * cores);
    let left = Arc::new(AtomicUsize::new(many));
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..many {
        let (http, left, email) = (server.http(), left.clone(), own.email.clone());
        tasks.spawn(async move {
            // A megabyte costs no more than a short password.
            let long = "x".repeat(1 << 20);
            let password = if at % 50 == 0 { &long } else { "wrong" };
            let answer = sign_in(&http, &email, password).await;
            left.fetch_sub(1, Ordering::Relaxed);
            answer
        });
    }
    // Everybody else is served meanwhile, signed in or by key.
    let mut served = 0;
    while left.load(Ordering::Relaxed) > 0 {
        for http in [&signed_in, &by_key] {
            assert_eq!(http.get("/api/me").await.status, 200);
            served += 1;
        }
    }
    assert!(served > 0);
    let (mut wrong, mut too_many) = (0, 0);
    for answer in tasks.join_all().await {
        if answer.status == 401 {
            let message = "The e-mail or the password is wrong";
            refused(&answer, 401, "UNAUTHORIZED", message);
            wrong += 1;
        } else {
            is_too_many(&answer);
            too_many += 1;
        }
    }
    println!("{wrong} were looked at, {too_many} sent away, {served} others served");
    assert!(wrong > 0 && too_many > 0);
    // One hash takes 19 MiB; the rest is what hundreds of connections take, and
    // far from the 19 MiB that each would take.
    let grown = peak_mib(server.pid()) - before;
    assert!(grown < 19 * cores + 128, "{grown} MiB for {cores} cores");
    // It is over when it is over.
    assert_eq!(signed_in.get("/api/me").await.status, 200);
    session(&server, &own.email).await;
}

#[track_caller]
fn is_too_many(answer: &Answer) {
    refused(answer, 429, "RATE_LIMITED", "Too many sign-ins at once");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait));
}
