//! What webhooks may ask for.

use super::super::resource::Resource;
use super::super::store::Action;
use super::{
    activities, activity_types, companies, contacts, conversation_files, conversations,
    custom_fields, deal_products, deals, inbox_channels, messages, notes, pipeline_stages,
    pipelines, predefined_messages, product_categories, products, tags, tickets,
};
use crate::products::crm::hooks::OUTGOING;

/// Resources whose changes are told.
const RESOURCES: [&str; 22] = [
    contacts::Contacts::NAME,
    companies::Companies::NAME,
    pipelines::Pipelines::NAME,
    pipeline_stages::PipelineStages::NAME,
    deals::Deals::NAME,
    deal_products::DealProducts::NAME,
    products::Products::NAME,
    product_categories::ProductCategories::NAME,
    activities::Activities::NAME,
    activity_types::ActivityTypes::NAME,
    notes::Notes::NAME,
    custom_fields::CustomFields::NAME,
    tags::Tags::NAME,
    tags::ContactTags::NAME,
    tickets::SupportTickets::NAME,
    tickets::SupportTicketMessages::NAME,
    inbox_channels::InboxChannels::NAME,
    conversations::Conversations::NAME,
    conversations::ConversationViews::NAME,
    messages::Messages::NAME,
    predefined_messages::PredefinedMessages::NAME,
    conversation_files::ConversationFiles::NAME,
];

/// What is told besides.
const OTHERS: [&str; 1] = [OUTGOING];

/// Whether changes of a resource are told.
pub(super) fn is_resource(name: &str) -> bool {
    RESOURCES.contains(&name)
}

/// All of those resources, in words.
pub(super) fn resources() -> String {
    format!("one of {}", RESOURCES.join(", "))
}

/// Whether something is told by this name.
pub(super) fn is_event(event: &str) -> bool {
    let changes = event.split_once('.').is_some_and(|(resource, action)| {
        is_resource(resource) && Action::ALL.iter().any(|own| own.word() == action)
    });
    changes || OTHERS.contains(&event)
}

/// All that is told of a resource.
pub(super) fn events_of(resource: &str) -> Vec<String> {
    let changes = Action::ALL.iter().map(|action| action.word());
    let events = changes.map(|word| format!("{resource}.{word}"));
    let of = |event: &&str| {
        event
            .split_once('.')
            .is_some_and(|(own, _)| own == resource)
    };
    let others = OTHERS.iter().copied().filter(of).map(str::to_owned);
    events.chain(others).collect()
}

/// What may be granted besides resources whose changes are told.
const GRANTED: [&str; 3] = ["audit-log", "organization-users", "webhooks"];

/// Whether it may be granted what is done with a resource.
pub(super) fn is_granted(name: &str) -> bool {
    is_resource(name) || GRANTED.contains(&name)
}

/// All those resources, in words.
pub(super) fn granted() -> String {
    format!("{}, {}", resources(), GRANTED.join(", "))
}

/// All that is told, in words.
pub(super) fn words() -> String {
    format!(
        "{} with .created, .updated, .removed or .restored, or {}",
        resources(),
        OTHERS.join(", ")
    )
}
