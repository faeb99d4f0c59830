//! The memory product: end users, what they said, what that names, and what a tenant
//! chose.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "memory",
    steps: &[MEMORIES, ANSWERS],
};

/// End users are found by their tenant and the tenant's own id; everything else of
/// theirs by the user's number. `version` counts what was written of a user, so that
/// every node knows whether what it has in memory is what there is. What
/// questions go by is kept beside the texts, a user's rows together, so that it is quickly in
/// memory.
const MEMORIES: Step = Step {
    name: "m0001_memories",
    up: "
CREATE TABLE memory_tenant (
    organization_id BIGINT NOT NULL PRIMARY KEY,
    users BIGINT NOT NULL,
    preset TEXT NOT NULL,
    overrides TEXT NOT NULL
);
CREATE TABLE memory_user (
    number {id},
    organization_id BIGINT NOT NULL,
    user_id {text} NOT NULL,
    version BIGINT NOT NULL,
    nodes BIGINT NOT NULL,
    crisis TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX memory_user_id ON memory_user (organization_id, user_id);
CREATE TABLE memory_node (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL,
    user_number BIGINT NOT NULL,
    content TEXT NOT NULL,
    topic TEXT NOT NULL,
    summary TEXT NOT NULL,
    kind TEXT NOT NULL,
    domain TEXT NOT NULL,
    session TEXT NOT NULL,
    role TEXT NOT NULL,
    speaker TEXT NOT NULL,
    said_at BIGINT NOT NULL,
    accessed_at BIGINT NOT NULL,
    base DOUBLE PRECISION NOT NULL,
    sdv DOUBLE PRECISION NOT NULL,
    cscv DOUBLE PRECISION NOT NULL,
    lcs DOUBLE PRECISION NOT NULL,
    swv DOUBLE PRECISION NOT NULL,
    pdv DOUBLE PRECISION NOT NULL,
    event DOUBLE PRECISION NOT NULL,
    modified SMALLINT NOT NULL,
    pinned SMALLINT NOT NULL,
    metadata TEXT NOT NULL,
    merged_metadata TEXT NOT NULL
);
CREATE INDEX memory_node_user ON memory_node (user_number, number);
CREATE TABLE memory_index (
    user_number BIGINT NOT NULL,
    node BIGINT NOT NULL,
    processed BIGINT NOT NULL,
    reinforced_at BIGINT NOT NULL,
    kept {blob} NOT NULL,
    reading {blob} NOT NULL,
    PRIMARY KEY (user_number, node)
) {clustered};
CREATE TABLE memory_vector (
    user_number BIGINT NOT NULL,
    node BIGINT NOT NULL,
    model TEXT NOT NULL,
    vector {blob} NOT NULL,
    PRIMARY KEY (user_number, node)
) {clustered};
CREATE TABLE memory_entity (
    number {id},
    id TEXT NOT NULL UNIQUE,
    user_number BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    domain TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE INDEX memory_entity_user ON memory_entity (user_number, number);
CREATE TABLE memory_edge (
    user_number BIGINT NOT NULL,
    node BIGINT NOT NULL,
    entity BIGINT NOT NULL,
    weight DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (user_number, node, entity)
) {clustered};
CREATE TABLE memory_event (
    number {id},
    user_number BIGINT NOT NULL,
    node BIGINT NOT NULL,
    kind TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX memory_event_node ON memory_event (user_number, node, number);
CREATE TABLE memory_suppression (
    number {id},
    user_number BIGINT NOT NULL,
    topic {text} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX memory_suppression_topic ON memory_suppression (user_number, topic);
",
    down: "
DROP TABLE memory_suppression;
DROP TABLE memory_event;
DROP TABLE memory_edge;
DROP TABLE memory_entity;
DROP TABLE memory_vector;
DROP TABLE memory_index;
DROP TABLE memory_node;
DROP TABLE memory_user;
DROP TABLE memory_tenant;
",
};

/// Answers kept for repeats by a key in the request, and where answers are kept for
/// repeats by a header: both go with the user. How much of a day a tenant has used.
const ANSWERS: Step = Step {
    name: "m0002_answers",
    up: "
CREATE TABLE memory_answer (
    user_number BIGINT NOT NULL,
    key {text} NOT NULL,
    digest {blob} NOT NULL,
    answer {blob} NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_number, key)
) {clustered};
CREATE INDEX memory_answer_expires ON memory_answer (expires_at);
CREATE TABLE memory_replay (
    user_number BIGINT NOT NULL,
    tenant {text} NOT NULL,
    method {text} NOT NULL,
    key {text} NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_number, tenant, method, key)
) {clustered};
CREATE INDEX memory_replay_expires ON memory_replay (expires_at);
CREATE TABLE memory_day (
    organization_id BIGINT NOT NULL PRIMARY KEY,
    day BIGINT NOT NULL,
    requests BIGINT NOT NULL
);
",
    down: "
DROP TABLE memory_day;
DROP TABLE memory_replay;
DROP TABLE memory_answer;
",
};
