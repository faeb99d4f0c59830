//! The server's own secret, what is derived from it, and sealing at rest.
//!
//! Sub-keys come from the secret by HKDF, one per purpose. A sealed record names
//! the key that sealed it, so that older keys can still open what they sealed.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};

use crate::config::{Config, ConfigError};
use crate::error::{Error, Result};

const FORMAT: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// The current secret first, then older ones. Cheap to clone.
#[derive(Clone)]
pub struct SecretKeys(Arc<Vec<SecretKey>>);

struct SecretKey {
    id: [u8; KEY_ID],
    material: Vec<u8>,
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKeys({})", self.0.len())
    }
}

impl SecretKeys {
    /// Takes the keys of the configuration, or makes one in the data directory.
    pub fn load(config: &Config) -> Result<Self, ConfigError> {
        let named = config.secret_key.expose_secret();
        let current = if named.is_empty() {
            file(&config.data_dir.join("secret.key"))?
        } else {
            named.to_owned()
        };
        let previous = config.secret_key_previous.expose_secret();
        let all = std::iter::once(current.as_str()).chain(previous.split(','));
        let keys = all.map(str::trim).filter(|text| !text.is_empty());
        Ok(Self(Arc::new(keys.map(SecretKey::new).collect())))
    }

    /// Sub-keys of one purpose, with the id of the key they come from.
    pub fn derive(&self, purpose: &str) -> Vec<([u8; KEY_ID], [u8; 32])> {
        let derive = |key: &SecretKey| (key.id, key.derive(purpose));
        self.0.iter().map(derive).collect()
    }
}

impl SecretKey {
    fn new(text: &str) -> Self {
        let digest = Sha256::digest(format!("apex key id {text}"));
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&digest[..KEY_ID]);
        Self {
            id,
            material: text.as_bytes().to_vec(),
        }
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        // HKDF only refuses lengths beyond 255 hashes; this is one.
        let _ =
            Hkdf::<Sha256>::new(Some(b"apex"), &self.material).expand(purpose.as_bytes(), &mut key);
        key
    }
}

/// Bytes of a key at the least, as of one in the configuration.
const SHORTEST: usize = 32;

/// Reads the key file, or makes it, readable by its owner alone. It has its name
/// only once it is whole.
fn file(path: &Path) -> Result<String, ConfigError> {
    let fail = |what: &str, error: std::io::Error| {
        ConfigError(format!("cannot {what} {}: {error}", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().len() < SHORTEST => {
            return Err(ConfigError(format!(
                "{} holds no whole key: put the one from a backup there; without it, what \
                 is sealed with it is lost, and a new one is made when the file is removed",
                path.display()
            )));
        }
        Ok(text) => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(fail("read", error)),
    }
    let text = super::tokens::random_hex();
    // The data directory has one owner, so nobody else makes one meanwhile.
    let fresh = path.with_extension("key.new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&fresh)
        .map_err(|error| fail("make", error))?;
    let named = writeln!(file, "{text}")
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(&fresh, path))
        .and_then(|()| std::fs::File::open(path.parent().unwrap_or(path))?.sync_all());
    named.map_err(|error| fail("write", error))?;
    Ok(text)
}

/// Seals bytes so that they can be read and trusted only by this server, and
/// only in the place they were sealed for. Cheap to clone.
#[derive(Clone)]
pub struct Sealer(Arc<Vec<([u8; KEY_ID], XChaCha20Poly1305)>>);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer for one purpose.
    pub fn new(keys: &SecretKeys, purpose: &str) -> Self {
        let ciphers = keys.derive(purpose).into_iter();
        let ciphers = ciphers.map(|(id, key)| (id, XChaCha20Poly1305::new(&Key::from(key))));
        Self(Arc::new(ciphers.collect()))
    }

    /// Seals with the current key. `place` is authenticated but not stored.
    pub fn seal(&self, plain: &[u8], place: &[u8]) -> Result<Vec<u8>> {
        let (id, cipher) = self.0.first().ok_or_else(no_key)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| Error::internal(error.to_string()))?;
        let payload = Payload {
            msg: plain,
            aad: place,
        };
        let sealed = cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Error::internal("sealing failed"))?;
        Ok([&[FORMAT], id.as_slice(), &nonce, &sealed].concat())
    }

    /// Whether the key that sealed something is known.
    pub fn knows(&self, sealed: &[u8]) -> bool {
        let id = sealed.get(1..=KEY_ID);
        self.0.iter().any(|(own, _)| id == Some(own.as_slice()))
    }

    /// Opens what any known key sealed for this place.
    pub fn open(&self, sealed: &[u8], place: &[u8]) -> Result<Vec<u8>> {
        let broken = || Error::internal("a sealed record cannot be opened");
        let (header, body) = sealed
            .split_at_checked(1 + KEY_ID + NONCE)
            .filter(|(header, _)| header[0] == FORMAT)
            .ok_or_else(broken)?;
        let id = &header[1..=KEY_ID];
        let (_, cipher) = self
            .0
            .iter()
            .find(|(own, _)| own == id)
            .ok_or_else(no_key)?;
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&header[1 + KEY_ID..]);
        let payload = Payload {
            msg: body,
            aad: place,
        };
        cipher
            .decrypt(&XNonce::from(nonce), payload)
            .map_err(|_| broken())
    }
}

fn no_key() -> Error {
    Error::internal("the key of a sealed record is not known; is APEX_SECRET_KEY right?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> SecretKeys {
        SecretKeys(Arc::new(
            texts.iter().copied().map(SecretKey::new).collect(),
        ))
    }

    #[test]
    fn sealed_records_are_bound_to_key_and_place() {
        let old = Sealer::new(&keys(&["old"]), "test");
        let sealed = old.seal(b"secret", b"here").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"secret"));
        assert_eq!(old.open(&sealed, b"here").unwrap(), b"secret");
        assert!(old.open(&sealed, b"there").is_err());
        assert!(old.knows(&sealed) && !old.knows(b"\x01"));
        assert!(!Sealer::new(&keys(&["new"]), "test").knows(&sealed));
        let rotated = Sealer::new(&keys(&["new", "old"]), "test");
        assert_eq!(rotated.open(&sealed, b"here").unwrap(), b"secret");
        assert!(
            Sealer::new(&keys(&["new"]), "test")
                .open(&sealed, b"here")
                .is_err()
        );
        assert!(
            Sealer::new(&keys(&["old"]), "else")
                .open(&sealed, b"here")
                .is_err()
        );
        assert!(old.open(&sealed[..20], b"here").is_err());
    }
}
