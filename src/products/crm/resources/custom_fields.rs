//! Definitions of custom fields. What a field is of, and what its values are, stays.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Resource};
use super::super::serve::serve;
use crate::api::CustomFieldService;
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

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
        _: &Tx,
        _: &Context,
        new: &mut pb::CustomField,
        _: Option<&pb::CustomField>,
    ) -> Result<()> {
        let selects = new.r#type.as_deref() == Some("select");
        let wrong = |words: &str| Err(Error::invalid_field("options", words));
        match (selects, new.options.is_empty()) {
            (true, true) => wrong("options is required with the type select"),
            (false, false) => wrong("options goes with the type select"),
            (true, false) | (false, true) => Ok(()),
        }
    }
}

impl CustomFieldService for Crm {
    serve!(list CustomFields: list_custom_fields(ListCustomFieldsRequest) -> ListCustomFieldsResponse);
    serve!(get CustomFields: get_custom_field(GetCustomFieldRequest) -> GetCustomFieldResponse.custom_field);
    serve!(create CustomFields: create_custom_fields(CreateCustomFieldsRequest) -> CreateCustomFieldsResponse.custom_fields);
    serve!(update CustomFields: update_custom_field(UpdateCustomFieldRequest) -> UpdateCustomFieldResponse.custom_field);
    serve!(replace CustomFields: replace_custom_field(ReplaceCustomFieldRequest) -> ReplaceCustomFieldResponse.custom_field);
    serve!(delete CustomFields: delete_custom_field(DeleteCustomFieldRequest) -> DeleteCustomFieldResponse.custom_field);
}
