//! What every product leans on: replayed answers, and what is to be handed on.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "core",
    steps: &[IDEMPOTENCY, OUTBOX],
};

const IDEMPOTENCY: Step = Step {
    name: "m0001_idempotency",
    up: "
CREATE TABLE idempotency (
    tenant TEXT NOT NULL,
    method TEXT NOT NULL,
    key TEXT NOT NULL,
    digest {blob} NOT NULL,
    response {blob} NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, method, key)
) {clustered};
CREATE INDEX idempotency_expires ON idempotency (expires_at);
",
    down: "DROP TABLE idempotency;",
};

/// What is to be handed on once its effect is committed. A row that is taken is due
/// again when the time of whoever took it is over.
const OUTBOX: Step = Step {
    name: "m0002_outbox",
    up: "
CREATE TABLE outbox (
    number {id},
    topic TEXT NOT NULL,
    target TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    claim {blob}
);
CREATE INDEX outbox_due ON outbox (topic, due_at);
CREATE INDEX outbox_target ON outbox (topic, target);
",
    down: "
DROP TABLE outbox;
",
};
