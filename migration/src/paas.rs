//! The platform: services, their deployments and what became of them, environment groups,
//! teams, databases, and repositories.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "paas",
    steps: &[SERVICES, ENV_GROUPS, TEAMS, DATABASES, SOURCES],
};

/// Services and their deployments. `target` is the deployment that is wanted, `current`
/// the one that runs; they differ while one is rolled out. `paas_state` has one row: who
/// this installation is to the engine, and a number that grows with every change of what
/// is wanted.
const SERVICES: Step = Step {
    name: "m0001_services",
    up: "
CREATE TABLE paas_state (
    id SMALLINT PRIMARY KEY,
    instance TEXT NOT NULL,
    generation BIGINT NOT NULL
);
INSERT INTO paas_state (id, instance, generation) VALUES (1, '', 1);
CREATE TABLE paas_service (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    team BIGINT,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT,
    public SMALLINT NOT NULL,
    paused SMALLINT NOT NULL,
    replicas BIGINT NOT NULL,
    ready BIGINT NOT NULL,
    image TEXT NOT NULL,
    env_names TEXT NOT NULL,
    plan TEXT NOT NULL,
    env {blob} NOT NULL,
    target TEXT NOT NULL,
    current TEXT,
    preview_of BIGINT,
    preview BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX paas_service_name ON paas_service (organization, name)
    WHERE deleted_at IS NULL;
CREATE INDEX paas_service_organization ON paas_service (organization, number);
CREATE INDEX paas_service_preview ON paas_service (preview_of, preview)
    WHERE preview_of IS NOT NULL;
CREATE TABLE paas_deployment (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    service BIGINT NOT NULL,
    image TEXT NOT NULL,
    digest TEXT,
    plan TEXT NOT NULL,
    env {blob} NOT NULL,
    own_env {blob},
    status TEXT NOT NULL,
    cause TEXT NOT NULL,
    actor BIGINT,
    reason TEXT,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX paas_deployment_service ON paas_deployment (service, number);
CREATE TABLE paas_event (
    number {id},
    organization BIGINT NOT NULL,
    service BIGINT NOT NULL,
    before TEXT,
    after TEXT NOT NULL,
    message TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX paas_event_service ON paas_event (service, number);
CREATE TABLE paas_domain (
    number {id},
    organization BIGINT NOT NULL,
    service BIGINT NOT NULL,
    host TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
CREATE INDEX paas_domain_service ON paas_domain (service, number);
",
    down: "
DROP TABLE paas_domain;
DROP TABLE paas_event;
DROP TABLE paas_deployment;
DROP TABLE paas_service;
DROP TABLE paas_state;
",
};

/// Variables that services share, sealed; their names stand beside, for lists.
const ENV_GROUPS: Step = Step {
    name: "m0002_env_groups",
    up: "
CREATE TABLE paas_env_group (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    name TEXT NOT NULL,
    names TEXT NOT NULL,
    variables {blob} NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX paas_env_group_name ON paas_env_group (organization, name);
CREATE TABLE paas_attachment (
    number {id},
    organization BIGINT NOT NULL,
    service BIGINT NOT NULL,
    env_group BIGINT NOT NULL
);
CREATE UNIQUE INDEX paas_attachment_service ON paas_attachment (service, env_group);
CREATE INDEX paas_attachment_group ON paas_attachment (env_group);
",
    down: "
DROP TABLE paas_attachment;
DROP TABLE paas_env_group;
",
};

/// Teams, who is in them, and who was invited. Who leaves the organization leaves its teams:
/// by a trigger, which does not keep the table of members from being undone.
const TEAMS: Step = Step {
    name: "m0003_teams",
    up: "
CREATE TABLE paas_team (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX paas_team_name ON paas_team (organization, name);
CREATE TABLE paas_team_member (
    number {id},
    organization BIGINT NOT NULL,
    team BIGINT NOT NULL,
    member BIGINT NOT NULL,
    role SMALLINT NOT NULL,
    created_at BIGINT NOT NULL
);
{sqlite} CREATE TRIGGER paas_member_left AFTER DELETE ON member BEGIN DELETE FROM paas_team_member WHERE organization = old.organization_id AND member = old.user_id; END;
{postgres} CREATE FUNCTION paas_member_left() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN DELETE FROM paas_team_member WHERE organization = OLD.organization_id AND member = OLD.user_id; RETURN NULL; END $$;
{postgres} CREATE TRIGGER paas_member_left AFTER DELETE ON member FOR EACH ROW EXECUTE FUNCTION paas_member_left();
CREATE UNIQUE INDEX paas_team_member_team ON paas_team_member (team, member);
CREATE TABLE paas_invitation (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    team BIGINT NOT NULL,
    email TEXT NOT NULL,
    role SMALLINT NOT NULL,
    hash {blob} NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX paas_invitation_team ON paas_invitation (team, number);
CREATE UNIQUE INDEX paas_invitation_hash ON paas_invitation (hash);
",
    down: "
{sqlite} DROP TRIGGER IF EXISTS paas_member_left;
{postgres} DROP TRIGGER IF EXISTS paas_member_left ON member;
{postgres} DROP FUNCTION IF EXISTS paas_member_left();
DROP TABLE paas_invitation;
DROP TABLE paas_team_member;
DROP TABLE paas_team;
",
};

/// Managed databases and their backups. The password is sealed; `task` is what is to be
/// done while a database is stopped.
const DATABASES: Step = Step {
    name: "m0004_databases",
    up: "
CREATE TABLE paas_database (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    size TEXT NOT NULL,
    status TEXT NOT NULL,
    message TEXT,
    password {blob} NOT NULL,
    host TEXT,
    port BIGINT,
    task TEXT,
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE TABLE paas_backup (
    number {id},
    id TEXT NOT NULL UNIQUE,
    organization BIGINT NOT NULL,
    database BIGINT NOT NULL,
    status TEXT NOT NULL,
    message TEXT,
    size BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX paas_backup_database ON paas_backup (database, number);
CREATE UNIQUE INDEX paas_database_name ON paas_database (organization, name)
    WHERE deleted_at IS NULL;
CREATE INDEX paas_database_organization ON paas_database (organization, number);
",
    down: "
DROP TABLE paas_backup;
DROP TABLE paas_database;
",
};

/// Repositories services are deployed from, and the deliveries that were taken.
const SOURCES: Step = Step {
    name: "m0005_sources",
    up: "
CREATE TABLE paas_source (
    service BIGINT NOT NULL PRIMARY KEY,
    organization BIGINT NOT NULL,
    repository TEXT NOT NULL,
    branch TEXT NOT NULL,
    image_template TEXT NOT NULL,
    previews SMALLINT NOT NULL,
    secret {blob} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX paas_source_repository ON paas_source (repository);
CREATE TABLE paas_delivery (
    id TEXT NOT NULL,
    service BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    PRIMARY KEY (id, service)
) {clustered};
CREATE INDEX paas_delivery_received ON paas_delivery (received_at);
",
    down: "
DROP TABLE paas_delivery;
DROP TABLE paas_source;
",
};
