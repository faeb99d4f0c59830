//! Support tickets, conversations with their messages, and files.

use crate::Step;

/// Inbox channels, and support tickets with their messages. Tickets are counted by
/// organization and year.
pub(super) const TICKETS: Step = Step {
    name: "m0008_tickets",
    up: "
CREATE TABLE crm_inbox_channel (
    id {id},
    organization_id BIGINT NOT NULL,
    channel {text} NOT NULL,
    name {text} NOT NULL,
    email {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_inbox_channel_living ON crm_inbox_channel (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_ticket_number (
    organization_id BIGINT NOT NULL,
    year BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (organization_id, year)
) {clustered};
CREATE TABLE crm_support_ticket (
    id {id},
    organization_id BIGINT NOT NULL,
    inbox_channel_id BIGINT,
    channel {text},
    meta_inbox_channel_email {text},
    contact_id BIGINT,
    meta_contact_first_name {text},
    meta_contact_last_name {text},
    meta_contact_email {text},
    reference_number {text} NOT NULL,
    subject {text} NOT NULL,
    status {text} NOT NULL,
    priority {text} NOT NULL,
    tags {text},
    assigned_user_id BIGINT,
    assigned_ai_assistant_id {text},
    thread_id {text},
    last_message_at BIGINT,
    handoff_reason {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_support_ticket_number
    ON crm_support_ticket (organization_id, reference_number);
CREATE INDEX crm_support_ticket_living ON crm_support_ticket (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_created
    ON crm_support_ticket (organization_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_updated
    ON crm_support_ticket (organization_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_status
    ON crm_support_ticket (organization_id, status, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_assigned
    ON crm_support_ticket (organization_id, assigned_user_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_contact ON crm_support_ticket (organization_id, contact_id)
    WHERE deleted_at IS NULL AND contact_id IS NOT NULL;
CREATE TABLE crm_support_ticket_message (
    id {id},
    organization_id BIGINT NOT NULL,
    support_ticket_id BIGINT NOT NULL,
    message_text {text} NOT NULL,
    message_type {text} NOT NULL,
    direction {text} NOT NULL,
    sent_by_user_id BIGINT,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_support_ticket_message_living
    ON crm_support_ticket_message (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_support_ticket_message_ticket
    ON crm_support_ticket_message (organization_id, support_ticket_id, id)
    WHERE deleted_at IS NULL;
",
    down: "
DROP TABLE crm_support_ticket_message;
DROP TABLE crm_support_ticket;
DROP TABLE crm_ticket_number;
DROP TABLE crm_inbox_channel;
",
};

/// Conversations, of which a contact has one that is open over a channel, their views
/// and predefined replies; and their messages, of all channels in one table, with an
/// index of parts of what they say.
pub(super) const CONVERSATIONS: Step = Step {
    name: "m0009_conversations",
    up: "
CREATE TABLE crm_conversation (
    id {id},
    organization_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL,
    channel {text} NOT NULL,
    status {text} NOT NULL,
    unread_count BIGINT NOT NULL,
    assigned_user_id BIGINT,
    assigned_ai_assistant_id {text},
    pipeline_id BIGINT,
    pipeline_stage_id BIGINT,
    ai_context_cut BIGINT,
    ai_auto_assignment_disabled BIGINT NOT NULL,
    ai_auto_assignment_disabled_reason {text},
    blocked BIGINT NOT NULL,
    last_interaction_at BIGINT NOT NULL,
    last_incoming_at BIGINT,
    waiting_response BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_conversation_open
    ON crm_conversation (organization_id, contact_id, channel)
    WHERE status = 'open' AND deleted_at IS NULL;
CREATE INDEX crm_conversation_living ON crm_conversation (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_created ON crm_conversation (organization_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_updated ON crm_conversation (organization_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_last
    ON crm_conversation (organization_id, last_interaction_at, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_status
    ON crm_conversation (organization_id, status, last_interaction_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_assigned
    ON crm_conversation (organization_id, assigned_user_id, last_interaction_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_stage ON crm_conversation (organization_id, pipeline_stage_id, id)
    WHERE deleted_at IS NULL AND pipeline_stage_id IS NOT NULL;
CREATE INDEX crm_conversation_waiting
    ON crm_conversation (organization_id, last_interaction_at, id)
    WHERE deleted_at IS NULL AND waiting_response = 1;
CREATE INDEX crm_conversation_contact ON crm_conversation (organization_id, contact_id, id);
CREATE TABLE crm_conversation_view (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    filter {text} NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_conversation_view_living ON crm_conversation_view (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_conversation_predefined_message (
    id {id},
    organization_id BIGINT NOT NULL,
    title {text} NOT NULL,
    content {text},
    message_type {text} NOT NULL,
    media_url {text},
    filename {text},
    mime_type {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_conversation_predefined_message_title
    ON crm_conversation_predefined_message (organization_id, title, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_conversation_message (
    id {id},
    key {text} NOT NULL,
    organization_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL,
    channel {text} NOT NULL,
    direction {text} NOT NULL,
    message_type {text} NOT NULL,
    message_text {text},
    media_url {text},
    s3_key {text},
    s3_path {text},
    file_name {text},
    file_type {text},
    file_size BIGINT,
    conversation_file_id {text},
    external_id {text},
    template {text},
    status {text} NOT NULL,
    sent_by_user_id BIGINT,
    search {text} NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_conversation_message_key
    ON crm_conversation_message (organization_id, key);
CREATE UNIQUE INDEX crm_conversation_message_external
    ON crm_conversation_message (organization_id, channel, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX crm_conversation_message_living
    ON crm_conversation_message (organization_id, conversation_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_message_created
    ON crm_conversation_message (organization_id, conversation_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_message_contact
    ON crm_conversation_message (organization_id, contact_id);
{sqlite} CREATE VIRTUAL TABLE crm_conversation_message_search USING fts5 (search, content = 'crm_conversation_message', content_rowid = 'id', tokenize = 'trigram', detail = 'full');
{sqlite} CREATE TRIGGER crm_conversation_message_made AFTER INSERT ON crm_conversation_message WHEN new.search <> '' BEGIN INSERT INTO crm_conversation_message_search (rowid, search) VALUES (new.id, new.search); END;
{postgres} DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX crm_conversation_message_search ON crm_conversation_message USING gin (search gin_trgm_ops); EXCEPTION WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported THEN NULL; END $$;
",
    down: "
{sqlite} DROP TABLE crm_conversation_message_search;
DROP TABLE crm_conversation_message;
DROP TABLE crm_conversation_predefined_message;
DROP TABLE crm_conversation_view;
DROP TABLE crm_conversation;
",
};

/// Bytes that were sent, and the files of conversations they are. A row of bytes is there
/// before they are, and says when they may be swept away.
pub(super) const FILES: Step = Step {
    name: "m0008_files",
    up: "
CREATE TABLE crm_upload (
    id {id},
    organization_id BIGINT NOT NULL,
    s3_key {text},
    name {text} NOT NULL,
    file_type {text} NOT NULL,
    file_size BIGINT,
    sweep_at BIGINT
);
CREATE UNIQUE INDEX crm_upload_key ON crm_upload (organization_id, s3_key)
    WHERE s3_key IS NOT NULL;
CREATE INDEX crm_upload_sweep ON crm_upload (sweep_at) WHERE sweep_at IS NOT NULL;
CREATE TABLE crm_conversation_file (
    id {id},
    key {text} NOT NULL,
    organization_id BIGINT NOT NULL,
    conversation_id BIGINT NOT NULL,
    file_name {text} NOT NULL,
    file_type {text} NOT NULL,
    file_size BIGINT NOT NULL,
    s3_key {text} NOT NULL,
    s3_path {text} NOT NULL,
    file_category {text} NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_conversation_file_key ON crm_conversation_file (organization_id, key);
CREATE UNIQUE INDEX crm_conversation_file_bytes ON crm_conversation_file (organization_id, s3_key)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_conversation_file_living
    ON crm_conversation_file (organization_id, conversation_id, id) WHERE deleted_at IS NULL;
",
    down: "
DROP TABLE crm_conversation_file;
DROP TABLE crm_upload;
",
};
