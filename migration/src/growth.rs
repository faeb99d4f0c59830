//! The growth product: experiments, webhooks, who visitors are, and goals.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "growth",
    steps: &[EXPERIMENTS, WEBHOOKS, LEADS, GOALS, RUNNING],
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

/// Leads, what they are called, and which visitors they are. A merged lead points to
/// the one it is part of. Of a visitor's links one is `own`: to whom the visitor's
/// history belongs. `growth_follow` says how far the log was followed.
const LEADS: Step = Step {
    name: "m0003_leads",
    up: "
CREATE TABLE growth_lead (
    number {id},
    id TEXT NOT NULL,
    project BIGINT NOT NULL,
    email TEXT,
    external TEXT,
    traits TEXT,
    source TEXT NOT NULL,
    merged_into BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX growth_lead_id ON growth_lead (project, id);
CREATE INDEX growth_lead_number ON growth_lead (project, number);
CREATE INDEX growth_lead_created ON growth_lead (project, created_at);
CREATE INDEX growth_lead_merged ON growth_lead (project, merged_into)
    WHERE merged_into IS NOT NULL;
CREATE TABLE growth_lead_name (
    project BIGINT NOT NULL,
    name TEXT NOT NULL,
    lead BIGINT NOT NULL,
    PRIMARY KEY (project, name)
) {clustered};
CREATE TABLE growth_link (
    project BIGINT NOT NULL,
    visitor TEXT NOT NULL,
    lead BIGINT NOT NULL,
    own SMALLINT NOT NULL,
    source TEXT NOT NULL,
    linked_at BIGINT NOT NULL,
    undone_at BIGINT,
    PRIMARY KEY (project, visitor, lead)
) {clustered};
CREATE TABLE growth_merge (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    lead BIGINT NOT NULL,
    merged BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    undone_at BIGINT
);
CREATE INDEX growth_merge_project ON growth_merge (project, number);
CREATE TABLE growth_refusal (
    project BIGINT NOT NULL,
    reason TEXT NOT NULL,
    visitor TEXT NOT NULL,
    name TEXT NOT NULL,
    times BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (project, reason, visitor, name)
) {clustered};
CREATE INDEX growth_refusal_latest ON growth_refusal (project, last_at);
CREATE INDEX growth_refusal_oldest ON growth_refusal (last_at);
CREATE TABLE growth_follow (
    name TEXT NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);
INSERT INTO growth_follow (name, position) VALUES ('identity', 0);
",
    down: "
DROP TABLE growth_follow;
DROP TABLE growth_refusal;
DROP TABLE growth_merge;
DROP TABLE growth_link;
DROP TABLE growth_lead_name;
DROP TABLE growth_lead;
",
};

/// What is to be reached, and which events count as conversions. `current` and
/// `status` hold what somebody set; without them the server says.
const GOALS: Step = Step {
    name: "m0004_goals",
    up: "
CREATE TABLE growth_goal (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    metric TEXT NOT NULL,
    target DOUBLE PRECISION NOT NULL,
    current DOUBLE PRECISION,
    deadline TEXT NOT NULL,
    description TEXT,
    unit TEXT,
    status TEXT,
    reached_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX growth_goal_project ON growth_goal (project);
CREATE INDEX growth_goal_open ON growth_goal (number)
    WHERE reached_at IS NULL AND current IS NULL;
CREATE TABLE growth_conversion_goal (
    number {id},
    id TEXT NOT NULL UNIQUE,
    project BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    form_selector TEXT NOT NULL,
    url_pattern TEXT NOT NULL,
    selector TEXT NOT NULL,
    event_name TEXT NOT NULL,
    is_primary SMALLINT NOT NULL,
    value DOUBLE PRECISION,
    created_at BIGINT NOT NULL
);
CREATE INDEX growth_conversion_goal_project ON growth_conversion_goal (project);
",
    down: "
DROP TABLE growth_conversion_goal;
DROP TABLE growth_goal;
",
};

/// Running experiments are looked at again and again.
const RUNNING: Step = Step {
    name: "m0005_running",
    up: "
CREATE INDEX growth_experiment_running ON growth_experiment (number) WHERE status = 'running';
",
    down: "
DROP INDEX growth_experiment_running;
",
};
