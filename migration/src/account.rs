//! Organizations, users, members, projects, keys and sessions.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "account",
    steps: &[
        Step {
            name: "m0001_account",
            // Times are microseconds since 1970, UTC. Organizations count from 101,
            // as the documented examples do: on SQLite a row of id 100, removed at
            // once, makes it so.
            up: "
CREATE TABLE organization (
    id {id},
    name TEXT NOT NULL,
    slug TEXT NOT NULL UNIQUE,
    plan TEXT NOT NULL,
    trial_ends_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE TABLE account_user (
    id {id},
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    sessions_from BIGINT NOT NULL,
    disabled_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE TABLE member (
    organization_id BIGINT NOT NULL REFERENCES organization (id),
    user_id BIGINT NOT NULL REFERENCES account_user (id),
    role SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX member_user ON member (user_id);
CREATE TABLE project (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL REFERENCES organization (id),
    name TEXT NOT NULL,
    timezone TEXT NOT NULL,
    allowed_origins TEXT NOT NULL,
    consent_mode TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX project_organization ON project (organization_id);
CREATE TABLE project_key (
    key TEXT NOT NULL PRIMARY KEY,
    project BIGINT NOT NULL REFERENCES project (number),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE TABLE api_key (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization_id BIGINT NOT NULL REFERENCES organization (id),
    user_id BIGINT NOT NULL REFERENCES account_user (id),
    project BIGINT REFERENCES project (number),
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash {blob} NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_key_organization ON api_key (organization_id);
CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES account_user (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX session_user_id ON session (user_id);
CREATE INDEX session_revoked ON session (revoked_at);
CREATE TABLE setup (
    id SMALLINT PRIMARY KEY,
    token_hash {blob} NOT NULL,
    used_at BIGINT
);
CREATE TABLE credential_generation (
    id SMALLINT PRIMARY KEY,
    generation BIGINT NOT NULL
);
INSERT INTO credential_generation (id, generation) VALUES (1, 1);
CREATE TABLE request_count (
    organization_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    PRIMARY KEY (organization_id, day)
);
INSERT INTO organization (id, name, slug, plan, created_at) VALUES (100, '', '', '', 0);
DELETE FROM organization WHERE id = 100;
{postgres} ALTER TABLE organization ALTER COLUMN id RESTART WITH 101;
",
            down: "
DROP TABLE request_count;
DROP TABLE credential_generation;
DROP TABLE setup;
DROP TABLE session;
DROP TABLE api_key;
DROP TABLE project_key;
DROP TABLE project;
DROP TABLE member;
DROP TABLE account_user;
DROP TABLE organization;
",
        },
        Step {
            name: "m0002_passwords",
            // Who chose a user's password, until the user sets another; sessions that
            // are over are found by when they end.
            up: "
ALTER TABLE account_user ADD COLUMN password_by BIGINT;
CREATE INDEX session_expires ON session (expires_at);
",
            down: "
DROP INDEX session_expires;
ALTER TABLE account_user DROP COLUMN password_by;
",
        },
        Step {
            name: "m0003_project_keys",
            // The key of a project is what its webhooks are told it by.
            up: "
CREATE INDEX project_key_project ON project_key (project);
",
            down: "
DROP INDEX project_key_project;
",
        },
        Step {
            name: "m0004_grants",
            // What a role may do with a resource instead of what it may by default;
            // keys that are not let in for the time being.
            up: "
CREATE TABLE role_grant (
    id {id},
    organization_id BIGINT NOT NULL REFERENCES organization (id),
    role {text} NOT NULL,
    resource {text} NOT NULL,
    can_view BIGINT NOT NULL,
    can_create BIGINT NOT NULL,
    can_update BIGINT NOT NULL,
    can_delete BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX role_grant_one ON role_grant (organization_id, role, resource)
    WHERE deleted_at IS NULL;
ALTER TABLE api_key ADD COLUMN disabled_at BIGINT;
",
            down: "
ALTER TABLE api_key DROP COLUMN disabled_at;
DROP TABLE role_grant;
",
        },
    ],
};
