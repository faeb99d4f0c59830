//! Kinds of activities.

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::resource::Resource;
use super::super::serve::serve;
use crate::api::ActivityTypeService;
use crate::api::apex::crm::v1 as pb;

record! {
    ActivityType {
        id: Column::id(),
        name: Column::text().needed(),
        color: Column::text(),
        icon_key: Column::text(),
        organization_id: Column::organization(),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct ActivityTypes;

impl Resource for ActivityTypes {
    type Record = pb::ActivityType;
    const SOURCE: Source = Source("crm_activity_type");
    const NAME: &'static str = "activity-types";
}

impl ActivityTypeService for Crm {
    serve!(list ActivityTypes: list_activity_types(ListActivityTypesRequest) -> ListActivityTypesResponse);
    serve!(get ActivityTypes: get_activity_type(GetActivityTypeRequest) -> GetActivityTypeResponse.activity_type);
    serve!(create ActivityTypes: create_activity_types(CreateActivityTypesRequest) -> CreateActivityTypesResponse.activity_types);
    serve!(update ActivityTypes: update_activity_type(UpdateActivityTypeRequest) -> UpdateActivityTypeResponse.activity_type);
    serve!(replace ActivityTypes: replace_activity_type(ReplaceActivityTypeRequest) -> ReplaceActivityTypeResponse.activity_type);
    serve!(delete ActivityTypes: delete_activity_type(DeleteActivityTypeRequest) -> DeleteActivityTypeResponse.activity_type);
    serve!(restore ActivityTypes: restore_activity_type(RestoreActivityTypeRequest) -> RestoreActivityTypeResponse.activity_type);
}
