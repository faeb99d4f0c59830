//! Inbox channels: ways by which messages reach an organization.

use super::super::Crm;
use super::super::column::{Column, Kind, Source, record};
use super::super::query::Takes;
use super::super::resource::Resource;
use super::super::serve::serve;
use super::INBOXES;
use crate::api::InboxChannelService;
use crate::api::apex::crm::v1 as pb;

record! {
    InboxChannel {
        id: Column::id(),
        organization_id: Column::organization(),
        channel: Column::text().needed(),
        name: Column::text().needed(),
        email: Column::of(Kind::Email),
        created_at: Column::stamp(),
        updated_at: Column::stamp(),
        deleted_at: Column::removed(),
    }
}

pub(super) struct InboxChannels;

impl Resource for InboxChannels {
    type Record = pb::InboxChannel;
    const SOURCE: Source = INBOXES;
    const NAME: &'static str = "inbox-channels";
    const TAKES: Takes = Takes::SEARCH;
}

impl InboxChannelService for Crm {
    serve!(list InboxChannels: list_inbox_channels(ListInboxChannelsRequest) -> ListInboxChannelsResponse);
    serve!(get InboxChannels: get_inbox_channel(GetInboxChannelRequest) -> GetInboxChannelResponse.inbox_channel);
    serve!(create InboxChannels: create_inbox_channels(CreateInboxChannelsRequest) -> CreateInboxChannelsResponse.inbox_channels);
    serve!(update InboxChannels: update_inbox_channel(UpdateInboxChannelRequest) -> UpdateInboxChannelResponse.inbox_channel);
    serve!(replace InboxChannels: replace_inbox_channel(ReplaceInboxChannelRequest) -> ReplaceInboxChannelResponse.inbox_channel);
    serve!(delete InboxChannels: delete_inbox_channel(DeleteInboxChannelRequest) -> DeleteInboxChannelResponse.inbox_channel);
    serve!(restore InboxChannels: restore_inbox_channel(RestoreInboxChannelRequest) -> RestoreInboxChannelResponse.inbox_channel);
}
