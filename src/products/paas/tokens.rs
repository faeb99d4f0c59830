//! The platform's tokens: API keys that allow this product and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Paas;
use crate::api::TokenService;
use crate::api::apex::paas::v1 as pb;
use crate::auth::TOKEN_PREFIX;
use crate::error::{Error, Result};
use crate::products::account::{NewToken, Token};
use crate::products::timestamp;
use crate::server::{Call, Reply};

/// What a token allows.
const SCOPES: [&str; 2] = ["paas.read", "paas.write"];

impl TokenService for Paas {
    async fn create_token(
        &self,
        call: Call,
        request: pb::CreateTokenRequest,
    ) -> Result<Reply<pb::CreateTokenResponse>> {
        let named = (name(&request.name), TOKEN_PREFIX);
        let NewToken { secret, token } = self.account().make_token(&call, named, &SCOPES).await?;
        let answer = pb::CreateTokenResponse {
            token: secret.reveal().to_owned(),
            id: token.id,
            created_at: Some(timestamp(token.created_at)),
        };
        Ok(answer.into())
    }

    async fn create_first_token(
        &self,
        call: Call,
        request: pb::CreateFirstTokenRequest,
    ) -> Result<Reply<pb::CreateFirstTokenResponse>> {
        let shown = call.client().bearer.as_ref();
        let pair = shown.and_then(|value| basic(value.as_bytes()));
        let (email, password) = pair.ok_or_else(|| {
            Error::unauthenticated("Send e-mail and password as Authorization: Basic")
        })?;
        let named = (name(&request.name), TOKEN_PREFIX);
        let account = self.account();
        let made = account.make_first_token(&call, (&email, &password), named, &SCOPES);
        let NewToken { secret, token } = made.await?;
        let answer = pb::CreateFirstTokenResponse {
            token: secret.reveal().to_owned(),
            id: token.id,
            created_at: Some(timestamp(token.created_at)),
        };
        Ok(answer.into())
    }

    async fn list_tokens(
        &self,
        call: Call,
        _: pb::ListTokensRequest,
    ) -> Result<Reply<pb::ListTokensResponse>> {
        let found = self.account().tokens(&call, TOKEN_PREFIX).await?;
        let tokens = found.into_iter().map(shown).collect();
        Ok(pb::ListTokensResponse { tokens }.into())
    }

    async fn revoke_token(
        &self,
        call: Call,
        request: pb::RevokeTokenRequest,
    ) -> Result<Reply<pb::RevokeTokenResponse>> {
        let account = self.account();
        account.end_token(&call, TOKEN_PREFIX, &request.id).await?;
        Ok(pb::RevokeTokenResponse { success: true }.into())
    }
}

/// What a token is called that nobody named.
fn name(given: &str) -> &str {
    match given.trim() {
        "" => "token",
        given => given,
    }
}

fn shown(token: Token) -> pb::Token {
    pb::Token {
        id: token.id,
        prefix: token.prefix,
        name: token.name,
        created_at: Some(timestamp(token.created_at)),
        last_used_at: token.last_used_at.map(timestamp),
    }
}

/// E-mail and password of an `Authorization` header.
fn basic(header: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, coded) = text.split_once(' ')?;
    let plain = STANDARD.decode(coded.trim()).ok()?;
    let plain = String::from_utf8(plain).ok()?;
    let (email, password) = plain.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic");
    is_basic.then(|| (email.to_owned(), password.to_owned()))
}
