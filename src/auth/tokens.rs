//! Tokens that are made here: 256 random bits, shown once, kept as a hash. A
//! random token needs no slow hash, and one lookup of its SHA-256 leaks nothing
//! about how much of a wrong one was right.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// How every API key begins, but those that a product calls its tokens.
pub const KEY_PREFIX: &str = "apex_key_";
/// How the platform's tokens begin.
pub const TOKEN_PREFIX: &str = "apx_";

/// A token in clear, on its way to the one who asked for it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secret {
    /// Wraps a token made elsewhere.
    pub(super) fn of(token: String) -> Self {
        Self(token)
    }

    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What may be shown again: enough to recognise it, too little to guess it.
    pub fn prefix(&self) -> String {
        let named = self.0.starts_with(TOKEN_PREFIX);
        let known = if named { TOKEN_PREFIX } else { KEY_PREFIX };
        self.0.chars().take(known.len() + 4).collect()
    }
}

/// A new API key.
pub fn api_key() -> Secret {
    Secret(format!("{KEY_PREFIX}{}", random_text()))
}

/// A new API key that begins otherwise.
pub fn token(prefix: &'static str) -> Secret {
    Secret(format!("{prefix}{}", random_text()))
}

/// A new public project key. It is no secret: pages show it.
pub fn project_key() -> String {
    let text = random_text();
    format!("pk_live_{}", &text[..24])
}

/// A new one-time token for the first set-up.
pub fn setup_token() -> Secret {
    Secret(random_text())
}

/// A new password for somebody who gave none.
pub fn password() -> Secret {
    Secret(random_text()[..20].to_owned())
}

/// The hash a token is found by.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn random_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    // Without randomness there is no safe way to go on.
    #[allow(clippy::expect_used)]
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn random_text() -> String {
    URL_SAFE_NO_PAD.encode(random_bytes())
}

/// 256 random bits in hexadecimal.
pub(super) fn random_hex() -> String {
    random_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
