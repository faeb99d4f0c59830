//! Who may pass. In this order: encrypted where that is demanded, known, allowed,
//! not made by another site's page, within the rate limit. The request's body has
//! not been read by then, so that 401 and 429 come before 400.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use super::call::Client;
use super::client::Peer;
use super::headers::{X_API_KEY, X_ORGANIZATION};
use super::plan::Bound;
use super::resolve;
use super::respond::words_of;
use super::shared::Shared;
use super::{csrf, health};
use crate::auth::{Actor, Claims, OrganizationId, Principal, SESSION_COOKIE};
use crate::error::{Error, Kind, Result};
use crate::limit::{Standing, Subject};
use crate::policy::{Auth, Dialect, MethodSpec};

/// The rate group of callers who are not known, by address.
const STRANGERS: &str = "address";

/// What the gate found, whether or not it let the request pass.
#[derive(Debug, Default)]
pub(super) struct Passage {
    /// How the caller's rate limit stands, or its address's.
    pub(super) standing: Option<Standing>,
    /// Days the caller's trial lasts yet, if it is on one.
    pub(super) trial_days: Option<i64>,
    /// The session, if a cookie carries it: it may be time to sign it anew.
    pub(super) cookie_session: Option<Claims>,
}

/// What the gate looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visitor<'a> {
    pub(super) spec: &'static MethodSpec,
    pub(super) client: &'a Client,
    pub(super) peer: Peer,
    pub(super) headers: &'a HeaderMap,
    pub(super) query: Option<&'a str>,
    /// Whether the request may change something.
    pub(super) is_unsafe: bool,
}

impl Visitor<'_> {
    /// Lets the caller pass or says why not.
    pub(super) async fn admit(self, shared: &Shared, passage: &mut Passage) -> Result<Principal> {
        let spec = self.spec;
        if shared.require_https && !self.client.secure && !is_vital(spec) {
            let error = Error::forbidden("HTTPS is required");
            // Who documents what 403 says has one word for all of them.
            return Err(match spec.service.plans {
                true => self.count_stranger(shared, passage, error).await,
                false => error.reason("HTTPS_REQUIRED"),
            });
        }
        let principal = match self.authenticate(shared, passage) {
            Ok(principal) => principal,
            Err(error) => return Err(self.count_stranger(shared, passage, error).await),
        };
        let allowed = principal
            .authorize(spec, shared.directory.grant(&principal, spec))
            .and_then(|()| self.same_site(shared, passage));
        let bound = Bound::of(shared, spec, &principal);
        passage.trial_days = bound.and_then(|bound| bound.days_left(shared));
        let allowed = allowed.and_then(|()| bound.map_or(Ok(()), |bound| bound.lasts(shared)));
        // A page's project is known only once its request is read.
        let (group, caller) = match spec.auth {
            Auth::ProjectKey => ("pages", Subject::Address(self.client.address)),
            _ => (
                spec.rate_group,
                Subject::Caller(&principal, self.client.address),
            ),
        };
        passage.standing = match bound.filter(|_| shared.limits.is_per_plan(group)) {
            Some(bound) => shared.limits.take_of(group, bound.place()).await,
            None => shared.limits.take(group, caller).await,
        };
        allowed?;
        within(shared, group, passage.standing, spec.dialect)?;
        if spec.until_set_up && shared.directory.is_set_up() {
            // Whatever was sent to it, and so before anybody looks at that.
            return Err(Error::not_found(words_of(spec).not_found()));
        }
        Ok(principal)
    }

    /// Who calls a route that several methods share, before its body tells which of
    /// them: whoever one of them knows. Who is known to none is refused as the
    /// route's owner does.
    pub(super) async fn recognize(
        self,
        specs: impl Iterator<Item = &'static MethodSpec>,
        shared: &Shared,
        passage: &mut Passage,
    ) -> Result<Principal> {
        let mut refusal = None;
        for spec in specs {
            match (Visitor { spec, ..self }).authenticate(shared, passage) {
                Ok(principal) => return Ok(principal),
                Err(error) if std::ptr::eq(spec, self.spec) => refusal = Some(error),
                Err(_) => {}
            }
        }
        let refusal = match refusal {
            Some(error) => Err(error),
            // The owner was not among them.
            None => self.authenticate(shared, passage),
        };
        match refusal {
            Ok(principal) => Ok(principal),
            Err(error) => Err(self.count_stranger(shared, passage, error).await),
        }
    }

    /// A stranger is counted by address, and refused as too many before as
    /// unknown. Callers with a valid credential are never held back by it.
    async fn count_stranger(self, shared: &Shared, passage: &mut Passage, error: Error) -> Error {
        let (standing, error) = stray(shared, self.client, self.spec.dialect, error).await;
        passage.standing = standing;
        error
    }

    fn authenticate(self, shared: &Shared, passage: &mut Passage) -> Result<Principal> {
        if self.peer.is_operator() {
            let organization = self.organization_choice()?;
            let known = &shared.directory.snapshot().organizations;
            if organization.is_some_and(|named| !known.contains_key(&named)) {
                return Err(Error::not_found("Organization not found"));
            }
            return Ok(Principal {
                actor: Actor::Operator,
                organization,
                ..Principal::anonymous()
            });
        }
        match self.spec.auth {
            Auth::Public | Auth::ProjectKey => Ok(Principal::anonymous()),
            Auth::Operator => Err(Error::forbidden("Only the operator may do this")),
            Auth::ApiKey => self.key(shared)?.ok_or_else(|| self.missing()),
            Auth::Session => match self.session(shared, passage)? {
                Some(principal) => Ok(principal),
                // Who it is, is known; it is nobody who signed in.
                None if matches!(self.key(shared), Ok(Some(_))) => {
                    Err(Error::forbidden("This needs a signed-in user"))
                }
                None => Err(self.missing()),
            },
            Auth::SessionOrApiKey => match self.key(shared)? {
                Some(principal) => Ok(principal),
                None => self.session(shared, passage)?.ok_or_else(|| self.missing()),
            },
        }
    }

    /// There is no credential, or it stands where this service does not look. Whether
    /// that one is any good is not said.
    fn missing(self) -> Error {
        let (carriers, auth) = (self.spec.service.carriers, self.spec.auth);
        let takes_keys = matches!(auth, Auth::ApiKey | Auth::SessionOrApiKey);
        Error::unauthenticated(if let Some(words) = self.spec.service.unknown_key {
            words
        } else if self.spec.dialect == Dialect::Feathers {
            // What its clients know it by.
            "Not authenticated"
        } else if takes_keys && !carriers.x_api_key && self.headers.contains_key(&X_API_KEY) {
            "Send the API key as Authorization: Bearer"
        } else if takes_keys && !carriers.bearer && bearer(self.headers).is_some() {
            "Send the API key as x-api-key"
        } else {
            "Authentication is required"
        })
    }

    /// The caller of an API key. A key that is given and wrong is never passed
    /// over in favour of a cookie.
    fn key(self, shared: &Shared) -> Result<Option<Principal>> {
        let carriers = self.spec.service.carriers;
        let bearer = bearer(self.headers).filter(|_| carriers.bearer);
        let header = self.headers.get(&X_API_KEY).filter(|_| carriers.x_api_key);
        let header = header.map(|value| value.to_str().unwrap_or_default());
        let takes_sessions = self.spec.auth == Auth::SessionOrApiKey;
        let unknown_key = self.spec.service.unknown_key;
        if let (Some(words), Some(query)) = (unknown_key, self.query)
            && resolve::has_key(query)
        {
            return Err(Error::unauthenticated(words));
        }
        let Some(token) = header.or(bearer) else {
            return Ok(None);
        };
        match shared.directory.key(token) {
            Some(principal) => match self.organization_choice()? {
                // A key is bound to its organization: no other is there for it.
                Some(named) if Some(named) != principal.organization => {
                    Err(Error::not_found("Organization not found"))
                }
                Some(_) | None => Ok(Some(principal)),
            },
            // A session may come as a bearer too; it is a JWT.
            None if takes_sessions && header.is_none() && is_jwt(token) => Ok(None),
            None => match shared.directory.project_key(token) {
                Ok(None) => Err(Error::unauthenticated(
                    unknown_key.unwrap_or("Invalid API key"),
                )),
                Ok(Some(_)) | Err(_) => Err(Error::forbidden(
                    "A public project key allows nothing but what pages send",
                )),
            },
        }
    }

    fn session(self, shared: &Shared, passage: &mut Passage) -> Result<Option<Principal>> {
        let bearer = bearer(self.headers).filter(|token| is_jwt(token));
        let cookie = cookie(self.headers);
        let Some(token) = bearer.or(cookie) else {
            return Ok(None);
        };
        let invalid = || Error::unauthenticated("The session is over; sign in again");
        let claims = shared.sessions.verify(token).ok_or_else(invalid)?;
        let principal = shared
            .directory
            .session(&claims, self.organization_choice()?)?
            .ok_or_else(invalid)?;
        if bearer.is_none() {
            passage.cookie_session = Some(claims);
        }
        Ok(Some(principal))
    }

    fn organization_choice(self) -> Result<Option<OrganizationId>> {
        let Some(value) = self.headers.get(&X_ORGANIZATION) else {
            return Ok(None);
        };
        let id = value.to_str().ok().and_then(|text| text.parse().ok());
        let id = id.ok_or_else(|| {
            Error::invalid_field(
                "X-Organization",
                "X-Organization must be an organization's id",
            )
        })?;
        Ok(Some(OrganizationId(id)))
    }

    /// A browser adds the cookie by itself, also for other sites' pages. It must
    /// not help to add something that looks like a credential and is none.
    fn same_site(self, shared: &Shared, passage: &Passage) -> Result<()> {
        let named =
            || self.headers.contains_key(AUTHORIZATION) || self.headers.contains_key(&X_API_KEY);
        let explicit = || self.peer.is_operator() || passage.cookie_session.is_none() && named();
        let open = self.spec.any_origin || self.spec.auth == Auth::ProjectKey;
        if !self.is_unsafe || open || explicit() {
            return Ok(());
        }
        csrf::check(
            self.headers,
            self.client.host.as_deref(),
            &shared.cors_origins,
        )
    }
}

/// What is answered however crowded it is and however the question came: who asks
/// whether the server lives stands next to it, and must not be told that it is busy.
pub(super) fn is_vital(spec: &MethodSpec) -> bool {
    spec.service.product == "operations" || spec.service.name == health::NAME
}

/// Counts a stranger by address: how that stands, and `error` unless there are too
/// many of them.
pub(super) async fn stray(
    shared: &Shared,
    client: &Client,
    dialect: Dialect,
    error: Error,
) -> (Option<Standing>, Error) {
    let subject = Subject::Address(client.address);
    let standing = shared.limits.take(STRANGERS, subject).await;
    let within = within(shared, STRANGERS, standing, dialect);
    (standing, within.err().unwrap_or(error))
}

/// How strangers from an address stand.
pub(super) async fn standing_of(shared: &Shared, address: IpAddr) -> Option<Standing> {
    shared
        .limits
        .peek(STRANGERS, Subject::Address(address))
        .await
}

/// Refuses what is beyond the limit of a group, and counts the refusal.
pub(super) fn within(
    shared: &Shared,
    group: &'static str,
    standing: Option<Standing>,
    dialect: Dialect,
) -> Result<()> {
    let Some(standing) = standing.filter(|standing| !standing.allowed) else {
        return Ok(());
    };
    shared.metrics.refused(group);
    let wait = standing.retry_after.as_secs();
    let message = match dialect {
        Dialect::Feathers => "Rate limit exceeded".to_owned(),
        Dialect::Flat | Dialect::Nested | Dialect::Envelope | Dialect::Ofrep => {
            format!("Rate limit exceeded. Retry after {wait} seconds.")
        }
    };
    Err(Error::new(Kind::ResourceExhausted, message)
        .retry_after(standing.retry_after)
        .with("limit", standing.limit)
        .with("current", standing.limit + 1)
        .with("window", standing.window.as_secs()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn is_jwt(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE).then_some(value)
    })
}
