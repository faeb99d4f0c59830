//! Tags, and which contacts have them.

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::query::Takes;
use super::super::resource::{Context, Moving, Resource};
use super::super::serve::serve;
use super::{CONTACTS, TAGS};
use crate::api::apex::crm::v1 as pb;
use crate::api::{ContactTagService, TagService};
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::Result;

record! {
    Tag {
        id: Column::id(),
        organization_id: Column::organization(),
        name: Column::text().needed(),
        color: Column::text(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct Tags;

impl Resource for Tags {
    type Record = pb::Tag;
    const SOURCE: Source = TAGS;
    const NAME: &'static str = "tags";
    const TAKES: Takes = Takes::SEARCH;
}

record! {
    ContactTag {
        id: Column::id(),
        organization_id: Column::organization(),
        contact_id: Column::to(CONTACTS).needed().once(),
        tag_id: Column::to(TAGS).needed().once(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct ContactTags;

impl Resource for ContactTags {
    type Record = pb::ContactTag;
    const SOURCE: Source = Source("crm_contact_tag");
    const NAME: &'static str = "contact-tags";

    /// A contact has a tag once.
    async fn moved(
        tx: &Tx,
        context: &Context,
        new: &mut pb::ContactTag,
        _: &'static str,
    ) -> Result<Moving> {
        let sql = "SELECT 1 AS one FROM crm_contact_tag WHERE organization_id = $1 \
                   AND contact_id = $2 AND tag_id = $3 AND deleted_at IS NULL";
        let values = [
            context.organization.into(),
            new.contact_id.into(),
            new.tag_id.into(),
        ];
        Ok(match row(tx, sql, values).await? {
            Some(_) => Moving::Remove,
            None => Moving::Keep,
        })
    }
}

impl TagService for Crm {
    serve!(list Tags: list_tags(ListTagsRequest) -> ListTagsResponse);
    serve!(get Tags: get_tag(GetTagRequest) -> GetTagResponse.tag);
    serve!(create Tags: create_tags(CreateTagsRequest) -> CreateTagsResponse.tags);
    serve!(update Tags: update_tag(UpdateTagRequest) -> UpdateTagResponse.tag);
    serve!(replace Tags: replace_tag(ReplaceTagRequest) -> ReplaceTagResponse.tag);
    serve!(delete Tags: delete_tag(DeleteTagRequest) -> DeleteTagResponse.tag);
    serve!(restore Tags: restore_tag(RestoreTagRequest) -> RestoreTagResponse.tag);
}

impl ContactTagService for Crm {
    serve!(list ContactTags: list_contact_tags(ListContactTagsRequest) -> ListContactTagsResponse);
    serve!(get ContactTags: get_contact_tag(GetContactTagRequest) -> GetContactTagResponse.contact_tag);
    serve!(create ContactTags: create_contact_tags(CreateContactTagsRequest) -> CreateContactTagsResponse.contact_tags);
    serve!(delete ContactTags: delete_contact_tag(DeleteContactTagRequest) -> DeleteContactTagResponse.contact_tag);
    serve!(restore ContactTags: restore_contact_tag(RestoreContactTagRequest) -> RestoreContactTagResponse.contact_tag);
}
