//! What every product leans on: replayed answers.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "core",
    steps: &[Step {
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
    }],
};
