//! What somebody meets who guesses: answers that tell nothing, and limits per
//! account and per address that let the owner in again when the window is over.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{refused, session, sign_in, until, with_session};
use crate::support::server::PASSWORD;
use crate::support::{Answer, Server, grpc};

const WRONG: &str = "The e-mail or the password is wrong";
/// Limits that are not what a test is about.
const NO_LIMITS: [(&str, &str); 2] = [
    ("APEX_LIMITS_SIGN_IN_LIMIT", "1000000"),
    ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "1000000"),
];

/// What a caller can tell answers apart by; the rest is an id and the time.
fn visible(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap().to_owned();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    (answer.status, answer.text.clone(), headers.collect())
}

#[tokio::test]
async fn an_unknown_user_and_a_wrong_password_look_alike() {
    let server = Server::with(&NO_LIMITS);
    let known = server.organization("Acme").email;
    let disabled = server.organization("Disabled").email;
    server.apex(&["user", "disable", &disabled]);
    let http = server.http();
    let expected = sign_in(&http, &known, "wrong").await;
    refused(&expected, 401, "UNAUTHORIZED", WRONG);
    let long = "x".repeat(1025);
    for (email, password) in [
        ("unknown@example.com", "wrong"),
        ("unknown@example.com", PASSWORD),
        (&disabled, PASSWORD),
        (&disabled, "wrong"),
        ("no e-mail at all", "wrong"),
        (&known, &long),
        ("unknown@example.com", &long),
    ] {
        let answer = sign_in(&http, email, password).await;
        assert_eq!(visible(&answer), visible(&expected), "{email}");
    }
    let mut times = [const { Vec::new() }; 3];
    for round in 0..30 {
        let unknown = format!("unknown{round}@example.com");
        for (at, email) in [&known, &unknown, &disabled].into_iter().enumerate() {
            let begun = Instant::now();
            assert_eq!(sign_in(&http, email, "wrong").await.status, 401);
            times[at].push(begun.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    assert!(*most < *least * 3, "{medians:?}");
}

/// A server behind a proxy, so that tests come from wherever they like.
fn behind_a_proxy(more: &[(&str, &str)]) -> Server {
    let proxies = [("APEX_TRUSTED_PROXIES", "127.0.0.0/8")];
    Server::with(&[&proxies, more].concat())
}

fn from(server: &Server, address: &str) -> crate::support::Http {
    server.http().with("x-forwarded-for", address)
}

/// Expects the refusal of the account, and answers how long to wait.
#[track_caller]
fn account_is_guarded(answer: &Answer) -> u64 {
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    let message = format!("Too many tries on this account. Retry after {wait} seconds.");
    refused(answer, 429, "RATE_LIMITED", &message);
    wait
}

#[tokio::test]
async fn one_account_from_many_addresses() {
    let server = behind_a_proxy(&[("APEX_LIMITS_SIGN_IN_ACCOUNT_WINDOW", "1h")]);
    let email = server.organization("Acme").email;
    let other = server.organization("Other").email;
    let signed_in = session(&server, &other).await;
    let spellings = [email.clone(), email.to_uppercase(), format!(" {email} ")];
    for account in [spellings, ["nobody@example.com"; 3].map(str::to_owned)] {
        let mut looked_at = 0;
        for guess in 0..1000 {
            let address = format!("203.0.{}.{}", guess / 250, guess % 250 + 1);
            let http = from(&server, &address);
            let answer = sign_in(&http, &account[guess % 3], &format!("guess {guess}")).await;
            if answer.status == 401 {
                refused(&answer, 401, "UNAUTHORIZED", WRONG);
                looked_at += 1;
            } else {
                assert!(account_is_guarded(&answer) <= 3600);
            }
        }
        // Ten an hour; twice as many if the hour turned over meanwhile.
        assert!([10, 20].contains(&looked_at), "{looked_at} guesses");
    }
    // Over gRPC it is the same account.
    use apex::api::apex::account::v1 as pb;
    let channel = grpc::channel(&server.url).await;
    let mut client = pb::session_service_client::SessionServiceClient::new(channel);
    let request = pb::SignInRequest {
        email,
        password: PASSWORD.to_owned(),
    };
    let status = client.sign_in(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    assert_eq!(grpc::reason(&status), "RATE_LIMITED");
    // Nobody else is held back by it.
    assert_eq!(sign_in(&server.http(), &other, PASSWORD).await.status, 200);
    assert_eq!(signed_in.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn the_owner_gets_in_when_the_window_is_over() {
    let window = [
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_WINDOW", "4s"),
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "3"),
        ("APEX_LIMITS_SIGN_IN_LIMIT", "1000"),
    ];
    let server = behind_a_proxy(&window);
    let email = server.organization("Acme").email;
    let inside = session(&server, &email).await;
    let guess = async || sign_in(&from(&server, "203.0.113.9"), &email, "guess").await;
    let refusal = until(429, Duration::from_secs(20), guess).await;
    let wait = account_is_guarded(&refusal);
    assert!((1..=4).contains(&wait));
    // Who is in stays in.
    assert_eq!(inside.get("/api/me").await.status, 200);
    // Refused tries do not push the window: however often the owner asks, it is
    // over when the first refusal said.
    let within = Duration::from_secs(wait + 2);
    let own = async || sign_in(&server.http(), &email, PASSWORD).await;
    let answer = until(200, within, own).await;
    let http = with_session(&server, &answer);
    assert_eq!(http.get("/api/me").await.status, 200);
}

#[tokio::test]
async fn one_address_over_many_accounts() {
    let few = [
        ("APEX_LIMITS_SIGN_IN_LIMIT", "5"),
        ("APEX_LIMITS_SIGN_IN_WINDOW", "1h"),
    ];
    let server = behind_a_proxy(&few);
    let email = server.organization("Acme").email;
    // Addresses of one /64 are one caller's.
    for addresses in [
        ["203.0.113.7"; 2],
        ["2001:db8:1:2::7", "2001:db8:1:2:ffff::8"],
    ] {
        let mut looked_at = 0;
        for guess in 0..40 {
            let http = from(&server, addresses[guess % 2]);
            let answer = sign_in(&http, &format!("user{guess}@example.com"), "guess").await;
            if answer.status == 401 {
                looked_at += 1;
                continue;
            }
            let wait = answer.header("retry-after").unwrap();
            let message = format!("Rate limit exceeded. Retry after {wait} seconds.");
            refused(&answer, 429, "RATE_LIMITED", &message);
        }
        assert!([5, 10].contains(&looked_at), "{looked_at} guesses");
    }
    // What a client writes into the header itself stands further left.
    let spoofed = from(&server, "198.51.100.1, 203.0.113.7");
    assert_eq!(sign_in(&spoofed, &email, PASSWORD).await.status, 429);
    // Setting up and signing up count with it.
    let body = json!({"token": "x", "organization": "O", "email": email, "password": PASSWORD});
    let blocked = from(&server, "203.0.113.7");
    for path in ["/api/setup", "/api/auth/sign-up"] {
        assert_eq!(blocked.post(path, &body).await.status, 429, "{path}");
    }
    // The owner, from anywhere else, is not locked out.
    let owner = from(&server, "203.0.113.8");
    assert_eq!(sign_in(&owner, &email, PASSWORD).await.status, 200);
}

/// Whoever found an open session cannot guess the password through it.
#[tokio::test]
async fn the_current_password_is_guarded_too() {
    let few = [
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_LIMIT", "4"),
        ("APEX_LIMITS_SIGN_IN_ACCOUNT_WINDOW", "1h"),
    ];
    let server = Server::with(&few);
    let email = server.organization("Acme").email;
    let http = session(&server, &email).await;
    let mut looked_at = 0;
    for guess in 0..12 {
        let body = json!({"current": format!("guess {guess}"), "new": "a new password"});
        let answer = http.post("/api/auth/password", &body).await;
        match answer.status {
            400 => looked_at += 1,
            _ => assert!(account_is_guarded(&answer) <= 3600),
        }
    }
    // One of the window's four was the sign-in; the hour may turn over meanwhile.
    assert!([3, 4, 7].contains(&looked_at), "{looked_at} guesses");
}
