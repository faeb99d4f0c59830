//! Hostile session tokens, in the cookie and as a bearer, over every protocol.
//! Most are signed with the server's own key: it is what they say that must be
//! refused. The same forge makes a token that is let in, so that nothing passes
//! for the wrong reason.

use apex::auth::SecretKeys;
use apex::config::Layers;
use apex::error::Kind;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use super::catalogue::find;
use super::forgeries;
use super::wire::{Caller, Credential, ways};
use super::world::sign_in;
use crate::support::Server;

const SECRET: &str = "the very secret key of these tests has enough bytes";

/// Signs what a test says.
pub struct Forge {
    key: [u8; 32],
    /// A header the server would write.
    pub header: Value,
    /// Claims the server would write, of a session that lives.
    pub claims: Value,
}

impl Forge {
    /// Learns from a token of the server's own.
    fn new(token: &str) -> Self {
        let part = |at: usize| {
            let text = token.split('.').nth(at).expect("a part");
            let json = URL_SAFE_NO_PAD.decode(text).expect("base64");
            serde_json::from_slice(&json).expect("JSON")
        };
        Self {
            key: sub_key(SECRET, "session"),
            header: part(0),
            claims: part(1),
        }
    }

    /// A token of these texts, signed with the server's key.
    pub fn signed(&self, header: &str, claims: &str) -> String {
        signed_with(&self.key, Algorithm::HS256, header, claims)
    }

    /// The same with another algorithm.
    pub fn signed_as(&self, algorithm: Algorithm, header: &str, claims: &str) -> String {
        signed_with(&self.key, algorithm, header, claims)
    }

    /// The server's header with other members; null takes one away.
    pub fn header_with(&self, changes: Value) -> String {
        changed(&self.header, changes)
    }

    /// The server's claims with other members; null takes one away.
    pub fn claims_with(&self, changes: Value) -> String {
        changed(&self.claims, changes)
    }
}

/// A key the server derives from a secret.
pub fn sub_key(secret: &str, purpose: &str) -> [u8; 32] {
    let config = Layers::new().unwrap().flag("secret_key", Some(secret));
    let keys = SecretKeys::load(&config.unwrap().build().unwrap()).unwrap();
    keys.derive(purpose)[0].1
}

/// A token signed with any key.
pub fn signed_with(key: &[u8], algorithm: Algorithm, header: &str, claims: &str) -> String {
    let message = unsigned(header, claims);
    let key = EncodingKey::from_secret(key);
    let signature = crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// The two parts that are signed.
pub fn unsigned(header: &str, claims: &str) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", part(header), part(claims))
}

fn changed(base: &Value, changes: Value) -> String {
    let mut all = base.as_object().cloned().unwrap();
    let Value::Object(changes) = changes else {
        panic!("members to change, not {changes}");
    };
    for (name, value) in changes {
        match value {
            Value::Null => all.remove(&name),
            value => all.insert(name, value),
        };
    }
    Value::Object(all).to_string()
}

async fn start() -> (Server, Forge, Caller) {
    let settings = [
        ("APEX_SECRET_KEY", SECRET),
        ("APEX_RATE_LIMIT_ENABLED", "false"),
    ];
    let server = Server::with(&settings);
    let organization = server.organization("Acme");
    let forge = Forge::new(&sign_in(&server, &organization.email).await);
    let caller = Caller::new(&server.url).await;
    (server, forge, caller)
}

/// The token in the cookie and as a bearer.
fn carriers(caller: &Caller, token: &str) -> [Caller; 2] {
    let cookie = caller.who(Credential::Session(token.to_owned()));
    let bearer = caller.with("authorization", &format!("Bearer {token}"));
    [cookie, bearer]
}

#[tokio::test]
async fn what_the_server_would_sign_is_let_in() {
    let (_server, forge, caller) = start().await;
    let me = find("apex.account.v1.SessionService/GetMe");
    let token = forge.signed(&forge.header.to_string(), &forge.claims.to_string());
    for caller in carriers(&caller, &token) {
        for way in ways(me) {
            let answer = caller.call(me, way, &json!({})).await.json();
            assert_eq!(answer["user"]["email"], "acme@example.com");
        }
    }
}

#[tokio::test]
async fn what_it_would_not_sign_is_refused() {
    let (server, forge, caller) = start().await;
    // Whoever follows a URL in a header comes here.
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/keys.json", trap.local_addr().unwrap());
    let me = find("apex.account.v1.SessionService/GetMe");
    let out = find("apex.account.v1.SessionService/SignOut");
    for (what, token) in forgeries::all(&forge, SECRET, &url) {
        for caller in carriers(&caller, &token) {
            for spec in [me, out] {
                for way in ways(spec) {
                    let outcome = caller.call(spec, way, &json!({})).await;
                    assert!(outcome.failed(Kind::Unauthenticated), "{what}: {outcome}");
                    assert_eq!(outcome.reason, "UNAUTHORIZED", "{what}");
                }
            }
        }
    }
    let visited = trap.accept().expect_err("no visitor").kind();
    assert_eq!(visited, std::io::ErrorKind::WouldBlock);
    // It all was refused before it meant anything: the session is alive.
    let token = forge.signed(&forge.header.to_string(), &forge.claims.to_string());
    let whole = caller.who(Credential::Session(token));
    assert!(whole.call(me, ways(me)[0], &json!({})).await.succeeded());
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

/// What does not fit into the headers of a request ends there.
#[tokio::test]
async fn a_token_of_a_megabyte_is_refused() {
    let (server, forge, caller) = start().await;
    let long = forge.claims_with(json!({"sid": "x".repeat(800_000)}));
    let token = forge.signed(&forge.header.to_string(), &long);
    assert!(token.len() > 1_000_000);
    let me = find("apex.account.v1.SessionService/GetMe");
    for carrier in carriers(&caller, &token) {
        let outcome = carrier.call(me, ways(me)[0], &json!({})).await;
        assert!(!outcome.succeeded(), "{outcome}");
    }
    for name in ["cookie: apex_session=", "authorization: Bearer "] {
        let answer = raw(&server.url, &format!("{name}{token}")).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let token = forge.signed(&forge.header.to_string(), &forge.claims.to_string());
    let whole = caller.who(Credential::Session(token));
    assert!(whole.call(me, ways(me)[0], &json!({})).await.succeeded());
}

/// Sends a request whose headers the server may refuse before their end.
async fn raw(url: &str, header: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = url.strip_prefix("http://").unwrap();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let request = format!("GET /api/me HTTP/1.1\r\nhost: {address}\r\n{header}\r\n\r\n");
    let sending = tokio::spawn(async move {
        let _ = to.write_all(request.as_bytes()).await;
        to
    });
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        answer.extend_from_slice(&buffer[..n]);
    }
    drop(sending);
    String::from_utf8_lossy(&answer).into_owned()
}
