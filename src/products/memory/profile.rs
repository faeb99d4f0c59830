//! The configuration of a tenant: a preset, and single changes on top of it.

use sea_orm::ConnectionTrait;
use serde_json::{Map, Value as Json};

use super::Memory;
use super::engine::presets::{self, PRESETS, Preset, Profile, Refused};
use super::user;
use crate::api::apex::memory::v1 as pb;
use crate::auth::OrganizationId;
use crate::db::sql::{execute, row};
use crate::error::{Error, Result};
use crate::server::Call;

/// What a tenant chose.
#[derive(Debug, Clone)]
struct Choice {
    preset: &'static Preset,
    /// Figures by section.
    overrides: Map<String, Json>,
}

impl Choice {
    /// What a tenant chose, or what holds for who chose nothing.
    async fn read(connection: &impl ConnectionTrait, organization: OrganizationId) -> Result<Self> {
        let sql = "SELECT preset, overrides FROM memory_tenant WHERE organization_id = $1";
        let (mut preset, mut overrides) = (String::new(), String::new());
        if let Some(row) = row(connection, sql, [organization.into()]).await? {
            preset = row.try_get("", "preset")?;
            overrides = row.try_get("", "overrides")?;
        }
        Ok(Self {
            // One that a later version has is unknown to this one.
            preset: presets::named(&preset).unwrap_or(&PRESETS[0]),
            overrides: serde_json::from_str(&overrides).unwrap_or_default(),
        })
    }

    /// What holds: figures this version does not know are passed over.
    fn effective(&self) -> Profile {
        let mut profile = self.preset.effective;
        for (section, figures) in &self.overrides {
            for (key, value) in figures.as_object().into_iter().flatten() {
                if let Some(value) = value.as_f64() {
                    let _ = profile.set(section, key, value);
                }
            }
        }
        profile
    }

    /// Takes single changes on.
    fn change(&mut self, updates: Map<String, Json>) -> Result<()> {
        let mut profile = self.effective();
        for (section, figures) in updates {
            if presets::keys(&section).next().is_none() {
                return Err(refused(&section, "is no section of the profile"));
            }
            let Json::Object(figures) = figures else {
                return Err(refused(&section, "must be an object"));
            };
            for (key, value) in figures {
                let path = format!("{section}.{key}");
                let number = value.as_f64();
                let number = number.ok_or_else(|| refused(&path, "must be a number"))?;
                profile
                    .set(&section, &key, number)
                    .map_err(|why| refused(&path, &words(&why)))?;
                let own = self.overrides.entry(section.clone());
                let own = own.or_insert_with(|| Json::Object(Map::new()));
                if let Json::Object(own) = own {
                    own.insert(key, value);
                }
            }
        }
        Ok(())
    }
}

fn words(why: &Refused) -> String {
    match why {
        Refused::Unknown => "is no member of the profile".to_owned(),
        Refused::Bounds(least, most) => format!("must be between {least} and {most}"),
        Refused::Whole => "must be a whole number".to_owned(),
    }
}

fn refused(path: &str, words: &str) -> Error {
    let path = format!("updates.{path}");
    let words = format!("{path} {words}");
    Error::invalid_field(path, words)
}

impl Memory {
    /// What holds for a tenant.
    pub(super) async fn effective(
        &self,
        connection: &impl ConnectionTrait,
        organization: OrganizationId,
    ) -> Result<Profile> {
        Ok(Choice::read(connection, organization).await?.effective())
    }

    pub(super) async fn profile(&self, call: &Call) -> Result<pb::GetProfileResponse> {
        let read = self.0.db.read(call.deadline()).await?;
        let choice = Choice::read(&read, call.organization()?).await?;
        Ok(pb::GetProfileResponse {
            tenant_id: self.slug(call)?,
            preset: choice.preset.name.to_owned(),
            overrides: Json::from(choice.overrides.clone()).to_string(),
            effective: json(&choice.effective())?,
        })
    }

    pub(super) async fn change_profile(
        &self,
        call: &Call,
        request: pb::UpdateProfileRequest,
    ) -> Result<pb::UpdateProfileResponse> {
        let (organization, tenant_id) = (call.organization()?, self.slug(call)?);
        if request.preset.is_none() && request.updates.is_empty() {
            let words = "Name a preset, or give updates";
            return Err(Error::invalid_field("preset", words));
        }
        let preset = match &request.preset {
            None => None,
            Some(name) => Some(presets::named(name).ok_or_else(|| {
                let words = "preset is not known; GET /profile/presets lists them";
                Error::invalid_field("preset", words)
            })?),
        };
        let updates: Map<String, Json> = match request.updates.as_str() {
            "" => Map::new(),
            text => serde_json::from_str(text)
                .map_err(|_| Error::invalid_field("updates", "updates must be an object"))?,
        };
        let answer = self.0.db.answer(call.attempt(), move |tx| {
            Box::pin(async move {
                user::tenant(tx, organization).await?;
                let mut choice = Choice::read(tx, organization).await?;
                if let Some(preset) = preset {
                    choice = Choice {
                        preset,
                        overrides: Map::new(),
                    };
                }
                choice.change(updates)?;
                let overrides = Json::from(choice.overrides.clone()).to_string();
                let sql = "UPDATE memory_tenant SET preset = $2, overrides = $3 \
                           WHERE organization_id = $1";
                let values = [
                    organization.into(),
                    choice.preset.name.into(),
                    overrides.clone().into(),
                ];
                execute(tx, sql, values).await?;
                Ok(pb::UpdateProfileResponse {
                    tenant_id,
                    preset: choice.preset.name.to_owned(),
                    overrides,
                    effective: json(&choice.effective())?,
                })
            })
        });
        answer.await
    }
}

/// The presets there are.
pub(super) fn all() -> Result<pb::ListPresetsResponse> {
    let shown = |preset: &Preset| {
        Ok(pb::Preset {
            name: preset.name.to_owned(),
            group: preset.group.to_owned(),
            description: preset.description.to_owned(),
            effective: json(&preset.effective)?,
        })
    };
    let presets = PRESETS.iter().map(shown).collect::<Result<Vec<_>>>()?;
    Ok(pb::ListPresetsResponse {
        count: presets.len() as i64,
        presets,
    })
}

fn json(profile: &Profile) -> Result<String> {
    serde_json::to_string(profile).map_err(Error::internal)
}
