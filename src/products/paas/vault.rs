//! Variables at rest: sealed as one JSON object, each for the record it belongs to, so
//! that what is sealed for one is of no use in another's place.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;

use crate::auth::{OrganizationId, Sealer};
use crate::db::sql::row;
use crate::error::{Error, Result};

/// Variables by name.
pub(super) type Variables = BTreeMap<String, String>;

/// Whose something is that is sealed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    Service(&'a str),
    Deployment(&'a str),
    /// What a deployment has of its service alone, without its groups.
    DeploymentOwn(&'a str),
    EnvGroup(&'a str),
    Database(&'a str),
    Source(&'a str),
}

impl Place<'_> {
    fn bytes(self, organization: OrganizationId) -> Vec<u8> {
        let (kind, id) = match self {
            Self::Service(id) => ("service", id),
            Self::Deployment(id) => ("deployment", id),
            Self::DeploymentOwn(id) => ("own of deployment", id),
            Self::EnvGroup(id) => ("env group", id),
            Self::Database(id) => ("database", id),
            Self::Source(id) => ("source", id),
        };
        format!("{kind} {id} of organization {organization}").into_bytes()
    }
}

/// Seals and opens. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Vault(Sealer);

impl Vault {
    pub(super) fn new(sealer: Sealer) -> Self {
        Self(sealer)
    }

    /// Whether what was sealed last can be opened.
    pub(super) async fn fits(&self, connection: &impl ConnectionTrait) -> Result<bool> {
        let sql = "SELECT env FROM paas_deployment ORDER BY number DESC LIMIT 1";
        let last = row(connection, sql, []).await?;
        let sealed = last.map(|row| row.try_get::<Vec<u8>>("", "env"));
        Ok(sealed.transpose()?.is_none_or(|own| self.0.knows(&own)))
    }

    /// Seals variables for a place.
    pub(super) fn seal(
        &self,
        variables: &Variables,
        organization: OrganizationId,
        place: Place<'_>,
    ) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(variables).map_err(Error::internal)?;
        self.0.seal(&text, &place.bytes(organization))
    }

    /// Opens variables of a place.
    pub(super) fn open(
        &self,
        sealed: &[u8],
        organization: OrganizationId,
        place: Place<'_>,
    ) -> Result<Variables> {
        let text = self.0.open(sealed, &place.bytes(organization))?;
        serde_json::from_slice(&text).map_err(Error::internal)
    }

    /// Seals a text for a place.
    pub(super) fn seal_text(
        &self,
        text: &str,
        organization: OrganizationId,
        place: Place<'_>,
    ) -> Result<Vec<u8>> {
        self.0.seal(text.as_bytes(), &place.bytes(organization))
    }

    /// Opens a text of a place.
    pub(super) fn open_text(
        &self,
        sealed: &[u8],
        organization: OrganizationId,
        place: Place<'_>,
    ) -> Result<String> {
        let text = self.0.open(sealed, &place.bytes(organization))?;
        String::from_utf8(text).map_err(Error::internal)
    }
}
