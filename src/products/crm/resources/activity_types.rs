//! Kinds of activities.

use super::super::Crm;
use super::super::column::{Column, Source, record};
use super::super::resource::Resource;
use super::super::serve::serve;
use crate::api::ActivityTypeService;
use crate::api::apex::crm::v1 as pb;

/// Name, colour and picture of what every organization begins with.
const STOCK: [(&str, &str, &str); 5] = [
    ("Call", "#10B981", "phone"),
    ("Email", "#3B82F6", "mail"),
    ("Meeting", "#F59E0B", "users"),
    ("Task", "#8B5CF6", "check-square"),
    ("Deadline", "#EF4444", "flag"),
];

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

    fn stock() -> Vec<pb::ActivityType> {
        let kind = |(name, color, icon): &(&str, &str, &str)| pb::ActivityType {
            name: Some((*name).to_owned()),
            color: Some((*color).to_owned()),
            icon_key: Some((*icon).to_owned()),
            ..Default::default()
        };
        STOCK.iter().map(kind).collect()
    }
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
