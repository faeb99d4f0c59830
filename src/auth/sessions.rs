//! Session tokens: JWTs with one algorithm, required claims and a header that
//! holds nothing but what this server writes. A token names its session, which
//! can be revoked.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::secrets::SecretKeys;
use super::{Secret, UserId};
use crate::clock::{Clock, MICROS};
use crate::db::sql::execute;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

const ISSUER: &str = "apex";
/// A token of ours is about 350 bytes.
const MAX_TOKEN: usize = 4096;
/// Clocks of nodes may differ by so many seconds.
const LEEWAY: i64 = 5;
/// A session in use is signed anew this often, in seconds.
const RENEW_AFTER: i64 = 86_400;
/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "apex_session";

/// Signs and checks session tokens.
#[derive(Clone)]
pub struct SessionTokens {
    keys: Vec<(String, EncodingKey, DecodingKey)>,
    validation: Validation,
    clock: Clock,
    lifetime_s: i64,
    /// When the latest session began that was signed or let in here, in seconds: a
    /// clock that is put back must not shut out whoever came before.
    latest: Arc<AtomicI64>,
}

impl std::fmt::Debug for SessionTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionTokens")
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    iss: String,
    aud: String,
    sub: String,
    /// The session.
    pub sid: String,
    /// When the session began, in seconds since 1970.
    pub iat: i64,
    nbf: i64,
    /// When the token ends, in seconds since 1970.
    pub exp: i64,
}

impl Claims {
    /// The user.
    pub fn user(&self) -> Option<UserId> {
        self.sub.parse().ok().map(UserId)
    }
}

/// The only header there is. Anything else (`jku`, `jwk`, `crit`, …) is refused.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnHeader {
    alg: String,
    typ: String,
    kid: String,
}

impl SessionTokens {
    /// Signs with the current key and accepts the older ones.
    pub fn new(keys: &SecretKeys, clock: Clock, lifetime: std::time::Duration) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[ISSUER]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        // Times are checked below, by the server's own clock.
        validation.validate_exp = false;
        let keys = keys.derive("session").into_iter().map(|(id, key)| {
            let kid = URL_SAFE_NO_PAD.encode(id);
            (
                kid,
                EncodingKey::from_secret(&key),
                DecodingKey::from_secret(&key),
            )
        });
        Self {
            keys: keys.collect(),
            validation,
            clock,
            lifetime_s: lifetime.as_secs() as i64,
            latest: Arc::default(),
        }
    }

    /// Begins a session, in the transaction of a sign-in.
    pub async fn begin(&self, tx: &Tx, user: UserId) -> Result<Secret> {
        self.begin_at(tx, user, self.clock.micros()).await
    }

    /// Begins a session that counts from a given time.
    pub async fn begin_at(&self, tx: &Tx, user: UserId, now: i64) -> Result<Secret> {
        let id = Uuid::now_v7().to_string();
        let values = [
            id.as_str().into(),
            user.into(),
            now.into(),
            (now + self.lifetime_s * MICROS).into(),
        ];
        let sql = "INSERT INTO session (id, user_id, created_at, expires_at) \
                   VALUES ($1, $2, $3, $4)";
        execute(tx, sql, values).await?;
        self.sign(user, &id, now.div_euclid(MICROS))
    }

    /// Ends a session.
    pub async fn end(&self, tx: &Tx, id: &str) -> Result<()> {
        let sql = "UPDATE session SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
        let values = [self.clock.micros().into(), id.into()];
        execute(tx, sql, values).await?;
        Ok(())
    }

    /// Ends all sessions a user has.
    pub async fn end_all(&self, tx: &Tx, user: UserId) -> Result<()> {
        let sql = "UPDATE session SET revoked_at = $1 WHERE user_id = $2 AND revoked_at IS NULL";
        let values = [self.clock.micros().into(), user.into()];
        execute(tx, sql, values).await?;
        Ok(())
    }

    /// Signs a session in use anew, once a day. Its row must live as long as its
    /// token, or a revoked one would be forgotten too early. The password may have
    /// been changed, or the user shut out, since the token was looked at.
    pub async fn renew(&self, db: &Db, claims: &Claims) -> Result<Option<Secret>> {
        let now = self.clock.seconds();
        let Some(user) = claims.user().filter(|_| now - claims.iat >= RENEW_AFTER) else {
            return Ok(None);
        };
        let until = (now + self.lifetime_s) * MICROS;
        let (id, begun) = (claims.sid.clone(), claims.iat * MICROS);
        let renewed = db.write(move |tx| {
            Box::pin(async move {
                let sql = "UPDATE session SET expires_at = $1 \
                           WHERE id = $2 AND revoked_at IS NULL AND EXISTS \
                           (SELECT 1 FROM account_user AS own WHERE own.id = session.user_id \
                           AND own.disabled_at IS NULL AND own.sessions_from <= $3)";
                let values = [until.into(), id.into(), begun.into()];
                Ok(execute(tx, sql, values).await? == 1)
            })
        });
        match renewed.await? {
            true => self.sign(user, &claims.sid, now).map(Some),
            false => Ok(None),
        }
    }

    /// The cookie that carries a token.
    pub fn cookie(&self, token: &Secret, secure: bool) -> HeaderValue {
        cookie(token.reveal(), self.lifetime_s, secure)
    }

    /// The cookie that takes the token away.
    pub fn no_cookie(&self, secure: bool) -> HeaderValue {
        cookie("", 0, secure)
    }

    fn sign(&self, user: UserId, session: &str, now: i64) -> Result<Secret> {
        self.latest.fetch_max(now, Ordering::Relaxed);
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: user.to_string(),
            sid: session.to_owned(),
            iat: now,
            nbf: now,
            exp: now + self.lifetime_s,
        };
        let no_key = || Error::internal("there is no key to sign sessions with");
        let (kid, key, _) = self.keys.first().ok_or_else(no_key)?;
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(kid.clone());
        let token = jsonwebtoken::encode(&header, &claims, key).map_err(Error::internal)?;
        Ok(Secret::of(token))
    }

    /// Checks a token; `None` for anything that is not right in every way.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: OwnHeader = serde_json::from_slice(&header).ok()?;
        if header.alg != "HS256" || header.typ != "JWT" {
            return None;
        }
        let (_, _, key) = self.keys.iter().find(|(kid, ..)| *kid == header.kid)?;
        let data = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?;
        let (claims, now) = (data.claims, self.clock.seconds());
        let latest = self.latest.load(Ordering::Relaxed);
        let begun = latest.max(now + LEEWAY);
        let current = claims.nbf <= begun && now < claims.exp.checked_add(LEEWAY)?;
        // Nothing is signed here that begins later or lasts longer. A lifetime
        // that was made shorter ends the sessions of the longer one.
        let ours = claims.iat <= begun && claims.exp.checked_sub(claims.iat)? <= self.lifetime_s;
        if !(current && ours) {
            return None;
        }
        if claims.iat > latest {
            self.latest.fetch_max(claims.iat, Ordering::Relaxed);
        }
        Some(claims)
    }
}

/// `SameSite=Lax` keeps other sites' forms from using it; `HttpOnly` keeps scripts
/// from reading it; no `Domain` keeps it on this host.
fn cookie(token: &str, max_age_s: i64, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let text = format!(
        "{SESSION_COOKIE}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"
    );
    // Tokens are base64 and dots.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
