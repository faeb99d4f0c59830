//! The resources, one file each: columns, rules, and which methods there are.

mod activities;
mod activity_types;
mod api_keys;
mod audit_log;
mod companies;
mod contacts;
mod conversation_files;
mod conversations;
mod custom_fields;
mod deal_products;
mod deals;
mod imports;
mod inbox_channels;
pub(super) mod messages;
mod notes;
mod organizations;
mod pipeline_stages;
mod pipelines;
mod predefined_messages;
mod product_categories;
mod products;
mod role_grants;
mod stages;
mod tags;
mod tickets;
mod told;
mod users;
mod webhooks;

use std::sync::Arc;

use super::Crm;
use super::column::{Column, Record, Source};
use super::export::PAGE;
use super::imports::{Import, Undo, import, undo};
use super::query::Takes;
use super::resource::Resource;
use super::store::{Repoint, Walk, repoint, walk};
use crate::api::{
    ActivityServiceEndpoint, ActivityTypeServiceEndpoint, AuditLogServiceEndpoint,
    CompanyServiceEndpoint, ContactServiceEndpoint, ContactTagServiceEndpoint,
    ConversationFileServiceEndpoint, ConversationMessageServiceEndpoint,
    ConversationPredefinedMessageServiceEndpoint, ConversationServiceEndpoint,
    ConversationViewServiceEndpoint, ConversationsBulkActionServiceEndpoint,
    CustomFieldServiceEndpoint, DealProductServiceEndpoint, DealServiceEndpoint,
    ExportServiceEndpoint, ImportServiceEndpoint, InboxChannelServiceEndpoint, NoteServiceEndpoint,
    OrganizationUserServiceEndpoint, OwnApiKeyServiceEndpoint, OwnOrganizationServiceEndpoint,
    PipelineServiceEndpoint, PipelineStageServiceEndpoint, ProductCategoryServiceEndpoint,
    ProductServiceEndpoint, RecordWebhookDeliveryServiceEndpoint, RecordWebhookServiceEndpoint,
    RoleGrantServiceEndpoint, SupportTicketMessageServiceEndpoint, SupportTicketServiceEndpoint,
    TagServiceEndpoint,
};
use crate::server::dispatch::Endpoint;
pub(super) use audit_log::AuditLog;

// What others name.
const CATEGORIES: Source = Source("crm_product_category");
const CONVERSATIONS: Source = Source("crm_conversation");
pub(super) const COMPANIES: Source = Source("crm_company");
pub(super) const CONTACTS: Source = Source("crm_contact");
const DEALS: Source = Source("crm_deal");
const INBOXES: Source = Source("crm_inbox_channel");
const PIPELINES: Source = Source("crm_pipeline");
const PRODUCTS: Source = Source("crm_product");
const STAGES: Source = Source("crm_pipeline_stage");
const TAGS: Source = Source("crm_tag");
const TICKETS: Source = Source("crm_support_ticket");

/// What is known of a resource wherever its own type does not matter.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: &'static str,
    /// Full name of the message of its records.
    pub(super) message: &'static str,
    /// Its columns.
    pub(super) columns: &'static [Column],
    /// What custom fields of its records are of, if they have some.
    pub(super) entity: Option<&'static str>,
    /// What its lists take besides columns.
    pub(super) takes: Takes,
    /// What tells one of its records from all others.
    pub(super) keys: &'static [&'static str],
    /// Moves what names records that were merged.
    pub(super) repoint: Repoint,
    /// Reads its records in the order of their ids.
    pub(super) walk: Walk,
    /// Imports a part of a file, where its records are known by keys.
    pub(super) import: Option<Import>,
    /// Undoes that.
    pub(super) undo: Option<Undo>,
}

impl Entry {
    const fn of<R: Resource>() -> Self {
        Self {
            name: R::NAME,
            message: R::Record::MESSAGE,
            columns: R::Record::COLUMNS,
            entity: R::ENTITY,
            takes: R::TAKES,
            keys: &[],
            repoint: |tx, context, link| Box::pin(repoint::<R>(tx, context, link)),
            walk: |read, context, find, after| {
                Box::pin(walk::<R>(read, context, find, (after, PAGE)))
            },
            import: None,
            undo: None,
        }
    }

    /// Files are imported into it, and their rows found again by these keys.
    const fn by<R: Resource>(keys: &'static [&'static str]) -> Self {
        let mut own = Self::of::<R>();
        own.keys = keys;
        own.import =
            Some(|tx, context, options, part| Box::pin(import::<R>(tx, context, options, part)));
        own.undo = Some(|tx, context, report| Box::pin(undo::<R>(tx, context, report)));
        own
    }
}

/// Everything an organization writes. A merge asks each of them which of its columns
/// name the records that were merged.
pub(super) const ALL: &[Entry] = &[
    Entry::by::<contacts::Contacts>(&["external_id", "email", "phone"]),
    Entry::by::<companies::Companies>(&["external_id", "website", "name"]),
    Entry::of::<pipelines::Pipelines>(),
    Entry::of::<pipeline_stages::PipelineStages>(),
    Entry::of::<deals::Deals>(),
    Entry::of::<products::Products>(),
    Entry::of::<product_categories::ProductCategories>(),
    Entry::of::<deal_products::DealProducts>(),
    Entry::of::<activities::Activities>(),
    Entry::of::<activity_types::ActivityTypes>(),
    Entry::of::<notes::Notes>(),
    Entry::of::<custom_fields::CustomFields>(),
    Entry::of::<tags::Tags>(),
    Entry::of::<tags::ContactTags>(),
    Entry::of::<webhooks::Webhooks>(),
    Entry::of::<role_grants::RoleGrants>(),
    Entry::of::<inbox_channels::InboxChannels>(),
    Entry::of::<tickets::SupportTickets>(),
    Entry::of::<tickets::SupportTicketMessages>(),
    Entry::of::<conversations::Conversations>(),
    Entry::of::<conversations::ConversationViews>(),
    Entry::of::<messages::Messages>(),
    Entry::of::<predefined_messages::PredefinedMessages>(),
    Entry::of::<conversation_files::ConversationFiles>(),
];

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
        Arc::new(OwnApiKeyServiceEndpoint::new(crm.clone())),
        Arc::new(RoleGrantServiceEndpoint::new(crm.clone())),
        Arc::new(RecordWebhookServiceEndpoint::new(crm.clone())),
        Arc::new(RecordWebhookDeliveryServiceEndpoint::new(crm.clone())),
        Arc::new(ImportServiceEndpoint::new(crm.clone())),
        Arc::new(ExportServiceEndpoint::new(crm.clone())),
        Arc::new(SupportTicketServiceEndpoint::new(crm.clone())),
        Arc::new(SupportTicketMessageServiceEndpoint::new(crm.clone())),
        Arc::new(InboxChannelServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationViewServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationsBulkActionServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationMessageServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationFileServiceEndpoint::new(crm.clone())),
        Arc::new(ConversationPredefinedMessageServiceEndpoint::new(
            crm.clone(),
        )),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::column::Access;
    use super::ALL;
    use crate::policy::options::{Options, flag};

    /// A merge, an export and an import know what is in [`ALL`]: whatever organizations
    /// can make must be there.
    #[test]
    fn everything_that_is_made_is_known() {
        let made = crate::api::METHODS.iter().filter(|spec| {
            let crm = spec.service.product == "crm" && spec.when.is_empty();
            crm && spec.name.starts_with("Create") && spec.one_or_many.is_some()
        });
        let paths = made.flat_map(|spec| spec.bindings.first());
        let paths: BTreeSet<&str> = paths.map(|own| own.template.trim_matches('/')).collect();
        let known: BTreeSet<&str> = ALL.iter().map(|entry| entry.name).collect();
        let missing: Vec<_> = paths.difference(&known).collect();
        assert!(missing.is_empty(), "not in ALL: {missing:?}");
    }

    /// The documentation says of members what their columns say.
    #[test]
    fn members_are_documented_as_their_columns_are() {
        let pool = crate::api::pool();
        let options = Options::new(&pool);
        for entry in ALL {
            let message = pool
                .get_message_by_name(entry.message)
                .expect(entry.message);
            for column in entry.columns {
                let name = format!("{}.{}", entry.message, column.name);
                let field = message.get_field_by_name(column.name).expect(&name);
                let own = options.field(&field);
                let says = |option| own.as_ref().is_some_and(|own| flag(own, option));
                if column.name == "organization_id" {
                    continue;
                }
                let servers = matches!(column.access, Access::Server | Access::Stamp);
                assert_eq!(says("read_only"), servers, "read_only of {name}");
                let always = column.required && column.name != "id";
                assert!(!always || servers || says("always"), "always of {name}");
            }
        }
    }
}
