//! What follows writes: the log of changes, and who is told of them.

use crate::Step;

/// Every change of a record: who made it, when, and what it changed. On PostgreSQL rows
/// become visible in another order than their numbers'; `turn` is the transaction's own
/// number, by which it can be told that nothing comes in between any more.
pub(super) const CHANGES: Step = Step {
    name: "m0004_changes",
    up: "
CREATE TABLE crm_change (
    id {id},
    organization_id BIGINT NOT NULL,
    entity {text} NOT NULL,
    entity_id BIGINT NOT NULL,
    action {text} NOT NULL,
    changes {text} NOT NULL,
    user_id BIGINT,
    api_key_id {text},
    request_id {text},
    turn BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX crm_change_record ON crm_change (organization_id, entity, entity_id, id);
CREATE INDEX crm_change_own ON crm_change (organization_id, id);
{postgres} CREATE INDEX crm_change_turn ON crm_change (organization_id, turn, id);
",
    down: "
DROP TABLE crm_change;
",
};

/// Addresses that are told of changes, and what each was told. `by_key` is the API key
/// that registered one.
pub(super) const WEBHOOKS: Step = Step {
    name: "m0005_webhooks",
    up: "
CREATE TABLE crm_webhook (
    id {id},
    organization_id BIGINT NOT NULL,
    url {text} NOT NULL,
    events {text} NOT NULL,
    status {text} NOT NULL,
    skip_own BIGINT NOT NULL,
    by_key {text},
    secret {blob},
    former_secret {blob},
    former_until BIGINT,
    failing_since BIGINT,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_webhook_living ON crm_webhook (organization_id, id) WHERE deleted_at IS NULL;
CREATE TABLE crm_delivery (
    number {id},
    id {text} NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL,
    webhook BIGINT NOT NULL,
    message {text} NOT NULL,
    kind {text} NOT NULL,
    body {text} NOT NULL,
    status {text} NOT NULL,
    attempts BIGINT NOT NULL,
    response_status BIGINT,
    error {text},
    created_at BIGINT NOT NULL,
    since BIGINT NOT NULL,
    attempted_at BIGINT,
    finished_at BIGINT
);
CREATE INDEX crm_delivery_webhook ON crm_delivery (webhook, number);
CREATE INDEX crm_delivery_organization ON crm_delivery (organization_id, number);
CREATE INDEX crm_delivery_finished ON crm_delivery (finished_at)
    WHERE finished_at IS NOT NULL;
",
    down: "
DROP TABLE crm_delivery;
DROP TABLE crm_webhook;
",
};
