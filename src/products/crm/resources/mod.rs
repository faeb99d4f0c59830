//! The resources, one file each: columns, rules, and which methods there are.

mod activities;
mod activity_types;
mod audit_log;
mod companies;
mod contacts;
mod custom_fields;
mod deal_products;
mod deals;
mod notes;
mod organizations;
mod pipeline_stages;
mod pipelines;
mod product_categories;
mod products;
mod tags;
mod told;
mod users;
mod webhooks;

use std::sync::Arc;

use super::Crm;
use super::column::Source;
use crate::api::{
    ActivityServiceEndpoint, ActivityTypeServiceEndpoint, AuditLogServiceEndpoint,
    CompanyServiceEndpoint, ContactServiceEndpoint, ContactTagServiceEndpoint,
    CustomFieldServiceEndpoint, DealProductServiceEndpoint, DealServiceEndpoint,
    NoteServiceEndpoint, OrganizationUserServiceEndpoint, OwnOrganizationServiceEndpoint,
    PipelineServiceEndpoint, PipelineStageServiceEndpoint, ProductCategoryServiceEndpoint,
    ProductServiceEndpoint, RecordWebhookDeliveryServiceEndpoint, RecordWebhookServiceEndpoint,
    TagServiceEndpoint,
};
use crate::server::dispatch::Endpoint;
pub(super) use audit_log::AuditLog;

// What others name.
const CATEGORIES: Source = Source("crm_product_category");
const COMPANIES: Source = Source("crm_company");
const CONTACTS: Source = Source("crm_contact");
const DEALS: Source = Source("crm_deal");
const PIPELINES: Source = Source("crm_pipeline");
const PRODUCTS: Source = Source("crm_product");
const STAGES: Source = Source("crm_pipeline_stage");
const TAGS: Source = Source("crm_tag");

/// A service for each of them.
pub(super) fn endpoints(crm: &Crm) -> Vec<Arc<dyn Endpoint>> {
    vec![
        Arc::new(OwnOrganizationServiceEndpoint::new(crm.clone())),
        Arc::new(OrganizationUserServiceEndpoint::new(crm.clone())),
        Arc::new(ContactServiceEndpoint::new(crm.clone())),
        Arc::new(CompanyServiceEndpoint::new(crm.clone())),
        Arc::new(PipelineServiceEndpoint::new(crm.clone())),
        Arc::new(PipelineStageServiceEndpoint::new(crm.clone())),
        Arc::new(DealServiceEndpoint::new(crm.clone())),
        Arc::new(ProductServiceEndpoint::new(crm.clone())),
        Arc::new(ProductCategoryServiceEndpoint::new(crm.clone())),
        Arc::new(DealProductServiceEndpoint::new(crm.clone())),
        Arc::new(ActivityServiceEndpoint::new(crm.clone())),
        Arc::new(ActivityTypeServiceEndpoint::new(crm.clone())),
        Arc::new(NoteServiceEndpoint::new(crm.clone())),
        Arc::new(CustomFieldServiceEndpoint::new(crm.clone())),
        Arc::new(TagServiceEndpoint::new(crm.clone())),
        Arc::new(ContactTagServiceEndpoint::new(crm.clone())),
        Arc::new(AuditLogServiceEndpoint::new(crm.clone())),
        Arc::new(RecordWebhookServiceEndpoint::new(crm.clone())),
        Arc::new(RecordWebhookDeliveryServiceEndpoint::new(crm.clone())),
    ]
}
