//! Passwords: argon2id (19 MiB, 2 passes), as many at a time as there are cores.
//! Verifying for an unknown user hashes against a dummy, so that the answer for a
//! known and an unknown one takes the same time.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::error::{Error, Kind, Result};

/// Shortest password, in bytes.
pub const MIN_PASSWORD: usize = 8;
/// Longest password, in bytes.
pub const MAX_PASSWORD: usize = 1024;

/// How long a sign-in waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);

/// Hashes and verifies passwords. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    dummy: Arc<str>,
}

impl Passwords {
    /// Allows one hash per core at a time.
    pub fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Arc::new(Semaphore::new(cores)),
            // A hash of nothing anybody knows, of the parameters in use.
            dummy: "$argon2id$v=19$m=19456,t=2,p=1$YXBleCBkdW1teSBzYWx0$\
                    9sQmT8pAH8h0sGhrzWkPHf5mwcTkV3lGxwCcK6wMYyI"
                .into(),
        }
    }

    /// Refuses a password that is too short or too long. `field` is the member of the
    /// request that holds it.
    pub fn check(field: &str, password: &str) -> Result<()> {
        if (MIN_PASSWORD..=MAX_PASSWORD).contains(&password.len()) {
            return Ok(());
        }
        Err(Error::invalid_field(
            field,
            format!("{field} must have {MIN_PASSWORD} to {MAX_PASSWORD} bytes"),
        ))
    }

    /// The hash to keep of a request's `password`.
    pub async fn hash(&self, password: &str) -> Result<String> {
        self.hash_of("password", password).await
    }

    /// The hash to keep of a password in another member.
    pub async fn hash_of(&self, field: &str, password: &str) -> Result<String> {
        Self::check(field, password)?;
        let password = password.to_owned();
        self.run(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string())
                .map_err(|error| Error::internal(error.to_string()))
        })
        .await?
    }

    /// Whether the password is right. `None` is an unknown user.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let known = hash.is_some() && password.len() <= MAX_PASSWORD;
        let hash = hash.unwrap_or(&self.dummy).to_owned();
        // No longer password was ever kept; it costs what a short one does.
        let password = if known { password } else { "" }.to_owned();
        self.run(move || {
            let parsed = PasswordHash::new(&hash);
            let right = parsed.is_ok_and(|parsed| {
                Argon2::default()
                    .verify_password(password.as_bytes(), &parsed)
                    .is_ok()
            });
            right && known
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let turn = self.turns.clone().acquire_owned();
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        let Ok(Ok(turn)) = turn else {
            return Err(
                Error::new(Kind::ResourceExhausted, "Too many sign-ins at once")
                    .retry_after(PATIENCE),
            );
        };
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        });
        done.await.map_err(Error::internal)
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn right_and_wrong_passwords() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(
            passwords
                .verify("correct horse", Some(&hash))
                .await
                .unwrap()
        );
        assert!(!passwords.verify("wrong horse", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("anything", None).await.unwrap());
        assert!(passwords.hash("short").await.is_err());
        assert!(passwords.hash(&"x".repeat(1025)).await.is_err());
    }

    #[test]
    fn the_dummy_is_a_real_hash() {
        let dummy = Passwords::new().dummy;
        assert!(PasswordHash::new(&dummy).is_ok());
    }
}
