//! Definitions of custom fields. What a field is of, and what its values are, stays.

use std::collections::HashSet;

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use crate::api::CustomFieldService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::db::sql::rows;
use crate::error::{Error, Result};

/// Most fields of a kind of records: pages read them all.
const MOST: usize = 500;

/// What may have custom fields.
const ENTITIES: Kind = Kind::Word(&["contact", "company", "deal"]);
/// What their values may be.
const TYPES: Kind = Kind::Word(&["text", "number", "boolean", "date", "select"]);

record! {
    CustomField {
        id: Column::id(),
        organization_id: Column::organization(),
        entity_type: Column::of(ENTITIES).needed().once(),
        name: Column::text().needed(),
        r#type: Column::of(TYPES).needed().once(),
        options: Column::of(Kind::Opaque),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct CustomFields;

impl Resource for CustomFields {
    type Record = pb::CustomField;
    const SOURCE: Source = Source("crm_custom_field");
    const NAME: &'static str = "custom-fields";
    const TAKES: Takes = Takes::SEARCH;

    async fn prepare(
        tx: &Tx,
        context: &Context,
        new: &mut pb::CustomField,
        old: Option<&pb::CustomField>,
    ) -> Result<()> {
        if old.is_none_or(|old| old.name != new.name) {
            is_name(new.name.as_deref().unwrap_or_default())?;
        }
        if old.is_some_and(|old| old.name != new.name) {
            alone(tx, context, new).await?;
        }
        let selects = new.r#type.as_deref() == Some("select");
        let wrong = |words: &str| Err(Error::invalid_field("options", words));
        match (selects, new.options.is_empty()) {
            (true, true) => wrong("options is required with the type select"),
            (false, false) => wrong("options goes with the type select"),
            (true, false) if !are_options(&new.options) => {
                wrong("options must be different, and none of them empty")
            }
            (true, false) | (false, true) => Ok(()),
        }
    }

    async fn made(tx: &Tx, context: &Context, new: &pb::CustomField) -> Result<()> {
        alone(tx, context, new).await
    }
}

/// Whether each is something to choose.
fn are_options(options: &[String]) -> bool {
    let different: HashSet<&str> = options.iter().map(|own| own.trim()).collect();
    different.len() == options.len() && !different.contains("")
}

/// Refuses a name that no question could have.
fn is_name(name: &str) -> Result<()> {
    let bare = name.trim() == name;
    match bare && !name.starts_with('$') && !name.contains(['[', ']']) {
        true => Ok(()),
        false => {
            let words = "name must not begin with $, contain [ or ], or begin or end with a space";
            Err(Error::invalid_field("name", words))
        }
    }
}

/// Refuses a name that another field has, be it in other letters.
async fn alone(tx: &Tx, context: &Context, new: &pb::CustomField) -> Result<()> {
    let sql = "SELECT name FROM crm_custom_field WHERE organization_id = $1 \
               AND entity_type = $2 AND id <> $3 AND deleted_at IS NULL";
    let entity = new.entity_type.clone();
    let values = [context.organization.into(), entity.into(), new.id.into()];
    let folded = new.name.as_deref().unwrap_or_default().to_lowercase();
    let others = rows(tx, sql, values).await?;
    if others.len() >= MOST {
        let words = format!("There are at most {MOST} custom fields of each kind of records");
        return Err(Error::invalid(words));
    }
    for row in others {
        let name: String = row.try_get_by_index(0)?;
        if name.to_lowercase() == folded {
            let words = format!("There is the custom field {name} already");
            return Err(Error::exists(words));
        }
    }
    Ok(())
}

impl CustomFieldService for Crm {
    serve!(list CustomFields: list_custom_fields(ListCustomFieldsRequest) -> ListCustomFieldsResponse);
    serve!(get CustomFields: get_custom_field(GetCustomFieldRequest) -> GetCustomFieldResponse.custom_field);
    serve!(create CustomFields: create_custom_fields(CreateCustomFieldsRequest) -> CreateCustomFieldsResponse.custom_fields);
    serve!(update CustomFields: update_custom_field(UpdateCustomFieldRequest) -> UpdateCustomFieldResponse.custom_field);
    serve!(replace CustomFields: replace_custom_field(ReplaceCustomFieldRequest) -> ReplaceCustomFieldResponse.custom_field);
    serve!(delete CustomFields: delete_custom_field(DeleteCustomFieldRequest) -> DeleteCustomFieldResponse.custom_field);
}
