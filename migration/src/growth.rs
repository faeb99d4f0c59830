//! The growth product: experiments, and webhooks.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "growth",
    steps: &[EXPERIMENTS, WEBHOOKS],
};

/// Experiments. `definition` is the whole experiment as a message; the columns beside
/// it are what it is found by. A change of what visitors see is numbered, in the order
/// of the commits, so that every node learns of it.
const EXPERIMENTS: Step = Step {
    name: "m0001_experiments",
    up: "
CREATE TABLE growth_experiment (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    status TEXT NOT NULL,
    due_at BIGINT,
    definition {blob} NOT NULL
);
CREATE INDEX growth_experiment_project ON growth_experiment (project, status);
CREATE INDEX growth_experiment_due ON growth_experiment (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE growth_generation (
    id SMALLINT PRIMARY KEY,
    generation BIGINT NOT NULL
);
INSERT INTO growth_generation (id, generation) VALUES (1, 1);
CREATE TABLE growth_change (
    project BIGINT NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL
);
CREATE INDEX growth_change_generation ON growth_change (generation);
",
    down: "
DROP TABLE growth_change;
DROP TABLE growth_generation;
DROP TABLE growth_experiment;
",
};

/// Addresses that are told of events, and what each was told. A delivery is tried
/// from `since` on, for a while.
const WEBHOOKS: Step = Step {
    name: "m0002_webhooks",
    up: "
CREATE TABLE growth_webhook (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    url TEXT NOT NULL,
    events TEXT NOT NULL,
    status TEXT NOT NULL,
    secret {blob} NOT NULL,
    former_secret {blob},
    former_until BIGINT,
    failing_since BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX growth_webhook_project ON growth_webhook (project);
CREATE TABLE growth_delivery (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    webhook BIGINT NOT NULL,
    message TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    status TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    response_status BIGINT,
    error TEXT,
    created_at BIGINT NOT NULL,
    since BIGINT NOT NULL,
    attempted_at BIGINT,
    finished_at BIGINT
);
CREATE INDEX growth_delivery_webhook ON growth_delivery (webhook, number);
CREATE INDEX growth_delivery_finished ON growth_delivery (finished_at)
    WHERE finished_at IS NOT NULL;
",
    down: "
DROP TABLE growth_delivery;
DROP TABLE growth_webhook;
",
};
