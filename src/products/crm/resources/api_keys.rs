//! API keys. They are the account's: it makes, changes and revokes them, and they are
//! shown here as other records are.

use sea_orm::ConnectionTrait;

use super::super::Crm;
use super::super::column::{Column, Kind, Record as _, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use super::super::store;
use crate::api::apex::account::v1 as account;
use crate::api::apex::crm::v1 as pb;
use crate::api::{ApiKeyService as _, OwnApiKeyService};
use crate::db::sql::row;
use crate::error::{Error, Result};
use crate::products::timestamp;
use crate::server::{Call, Reply};

record! {
    OwnApiKey {
        id: Column::id(),
        organization_id: Column::organization(),
        key_id: Column::text().server(),
        name: Column::text().needed(),
        prefix: Column::text().server(),
        scopes: Column::of(Kind::Opaque),
        active: Column::of(Kind::Flag),
        user_id: Column::of(Kind::Integer).server(),
        created_at: Column::stamp(),
        expires_at: Column::of(Kind::Time),
        last_used_at: Column::stamp(),
        deleted_at: Column::removed(),
    } + key
}

struct OwnApiKeys;

impl Resource for OwnApiKeys {
    type Record = pb::OwnApiKey;
    const SOURCE: Source = Source(
        "(SELECT number AS id, organization_id, id AS key_id, name, prefix, \
         '[\"' || REPLACE(scopes, ' ', '\",\"') || '\"]' AS scopes, \
         CAST(CASE WHEN disabled_at IS NULL THEN 1 ELSE 0 END AS BIGINT) AS active, user_id, \
         created_at, expires_at, last_used_at, created_at AS updated_at, \
         revoked_at AS deleted_at FROM api_key)",
    );
    const NAME: &'static str = "api-keys";
    const TAKES: Takes = Takes::NOTHING;
}

/// What is said of a key.
async fn own_key(
    connection: &impl ConnectionTrait,
    context: &Context,
    id: i64,
) -> Result<pb::OwnApiKey> {
    store::get::<OwnApiKeys>(connection, context, id, &pb::Find::default()).await
}

impl Crm {
    /// The number of a key that was just made.
    async fn number_of(&self, call: &Call, id: &str) -> Result<i64> {
        let read = self.db().read(call.deadline()).await?;
        let sql = "SELECT number FROM api_key WHERE organization_id = $1 AND id = $2";
        let values = [call.organization()?.into(), id.into()];
        let found = row(&read, sql, values).await?;
        let found = found.ok_or_else(|| Error::internal("a key that was made is not there"))?;
        Ok(found.try_get("", "number")?)
    }
}

/// Members callers write.
const OWN: [&str; 4] = ["name", "scopes", "active", "expires_at"];

/// Refuses members that callers do not write, unless they say what is there. What the
/// server sets may be sent back as it was shown.
fn refuse_others(
    call: &Call,
    given: &pb::OwnApiKey,
    old: &pb::OwnApiKey,
    said: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let named = |column: &&Column| said(column.name) && !OWN.contains(&column.name);
    for column in OwnApiKeys::columns().iter().filter(named) {
        let name = column.name;
        if name == "organization_id" {
            let own = call.organization()?.0;
            if given.organization_id.is_some_and(|id| id != own) {
                return Err(Error::forbidden("This organization is not the caller's"));
            }
            continue;
        }
        let mut probe = old.clone();
        probe.adopt(given, &|column| column.name == name);
        if !column.is_stamp() && probe != *old {
            return Err(store::read_only(name));
        }
    }
    given
        .key
        .as_ref()
        .map_or(Ok(()), |_| Err(store::read_only("key")))
}

impl OwnApiKeyService for Crm {
    serve!(list OwnApiKeys: list_own_api_keys(ListOwnApiKeysRequest) -> ListOwnApiKeysResponse);
    serve!(get OwnApiKeys: get_own_api_key(GetOwnApiKeyRequest) -> GetOwnApiKeyResponse.own_api_key);

    async fn create_own_api_key(
        &self,
        call: Call,
        request: pb::CreateOwnApiKeyRequest,
    ) -> Result<Reply<pb::CreateOwnApiKeyResponse>> {
        let given = request.own_api_key.unwrap_or_default();
        let none = pb::OwnApiKey::default();
        refuse_others(&call, &given, &none, &|name| given.has(name))?;
        if given.active == Some(false) {
            return Err(Error::invalid_field(
                "active",
                "active must be true of a new key",
            ));
        }
        let name = given.name.unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Error::invalid_field("name", "name is required"));
        }
        let asked = account::CreateApiKeyRequest {
            name,
            scopes: given.scopes,
            project_id: None,
            expires_at: given.expires_at,
        };
        let made = self.account().create_api_key(call.clone(), asked).await?;
        let made = made.message.api_key.unwrap_or_default();
        let number = self.number_of(&call, &made.id).await?;
        let read = self.db().read(call.deadline()).await?;
        let mut own = own_key(&read, &self.context(&call)?, number).await?;
        own.key = made.key;
        let own_api_key = Some(own);
        Ok(pb::CreateOwnApiKeyResponse { own_api_key }.into())
    }

    async fn update_own_api_key(
        &self,
        call: Call,
        request: pb::UpdateOwnApiKeyRequest,
    ) -> Result<Reply<pb::UpdateOwnApiKeyResponse>> {
        let given = request.own_api_key.unwrap_or_default();
        let named = request.update_mask.unwrap_or_default().paths;
        let own = |name: &&String| OWN.contains(&name.as_str());
        let paths = named.iter().filter(own).cloned().collect();
        let asked = account::UpdateApiKeyRequest {
            id: String::new(),
            name: given.name.clone().unwrap_or_default(),
            scopes: given.scopes.clone(),
            expires_at: given.expires_at,
            active: given.active,
            update_mask: Some(prost_types::FieldMask { paths }),
        };
        let change = self.account().key_change(&call, asked)?;
        let (context, caller) = (self.context(&call)?, call.clone());
        let answer = self.account().change_once(&call, move |tx| {
            Box::pin(async move {
                let old = own_key(tx, &context, request.id).await?;
                store::matches(&old, caller.if_match())?;
                let said = |name: &str| named.iter().any(|own| own == name);
                refuse_others(&caller, &given, &old, &said)?;
                change.make(tx, &old.key_id.unwrap_or_default()).await?;
                let own_api_key = Some(own_key(tx, &context, request.id).await?);
                Ok(pb::UpdateOwnApiKeyResponse { own_api_key })
            })
        });
        Ok(answer.await?.into())
    }

    async fn delete_own_api_key(
        &self,
        call: Call,
        request: pb::DeleteOwnApiKeyRequest,
    ) -> Result<Reply<pb::DeleteOwnApiKeyResponse>> {
        let (account, caller) = (self.account().clone(), call.clone());
        let context = self.context(&call)?;
        let answer = self.account().change_once(&call, move |tx| {
            Box::pin(async move {
                let mut own = own_key(tx, &context, request.id).await?;
                store::matches(&own, caller.if_match())?;
                let of = (context.organization, caller.principal().project);
                let id = own.key_id.as_deref().unwrap_or_default();
                account.revoke_key(tx, of, id).await?;
                own.deleted_at = Some(timestamp(context.now));
                let own_api_key = Some(own);
                Ok(pb::DeleteOwnApiKeyResponse { own_api_key })
            })
        });
        Ok(answer.await?.into())
    }
}
