//! By what records are known again, what organizations begin with, and imports.

use crate::Step;

/// What contacts and companies are known by, beside their numbers: other programs'
/// numbers, and their e-mail addresses, phones, names and sites as they are compared.
/// What was kept before is filled in as far as SQL can tell. And which records every
/// organization begins with were made.
pub(super) const KEYS: Step = Step {
    name: "m0006_keys",
    up: "
ALTER TABLE crm_contact ADD COLUMN external_id {text};
ALTER TABLE crm_contact ADD COLUMN merged_into_id BIGINT;
ALTER TABLE crm_contact ADD COLUMN match_email {text};
ALTER TABLE crm_contact ADD COLUMN match_phone {text};
ALTER TABLE crm_contact ADD COLUMN match_name {text};
UPDATE crm_contact SET
    match_email = NULLIF(LOWER(TRIM(email)), ''),
    match_phone = NULLIF(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(
        CASE WHEN TRIM(phone) LIKE '+%' THEN phone
             ELSE COALESCE(phone_country_code, '') || LTRIM(phone, '0 ') END,
        '+', ''), ' ', ''), '-', ''), '(', ''), ')', ''), '.', ''), '/', ''), ''),
    match_name = NULLIF(LOWER(TRIM(COALESCE(first_name, '') || ' ' || COALESCE(last_name, ''))), '');
CREATE UNIQUE INDEX crm_contact_external ON crm_contact (organization_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX crm_contact_match_email ON crm_contact (organization_id, match_email)
    WHERE deleted_at IS NULL AND match_email IS NOT NULL;
CREATE INDEX crm_contact_match_phone ON crm_contact (organization_id, match_phone)
    WHERE deleted_at IS NULL AND match_phone IS NOT NULL;
CREATE INDEX crm_contact_match_name ON crm_contact (organization_id, match_name)
    WHERE deleted_at IS NULL AND match_name IS NOT NULL;
CREATE INDEX crm_contact_last_name ON crm_contact (organization_id, LOWER(last_name))
    WHERE deleted_at IS NULL AND last_name IS NOT NULL;
ALTER TABLE crm_company ADD COLUMN external_id {text};
ALTER TABLE crm_company ADD COLUMN merged_into_id BIGINT;
ALTER TABLE crm_company ADD COLUMN match_name {text};
ALTER TABLE crm_company ADD COLUMN match_site {text};
UPDATE crm_company SET
    match_name = NULLIF(LOWER(TRIM(name)), ''),
    match_site = NULLIF(REPLACE(REPLACE(REPLACE(RTRIM(LOWER(TRIM(website)), '/'),
        'https://', ''), 'http://', ''), 'www.', ''), '');
CREATE UNIQUE INDEX crm_company_external ON crm_company (organization_id, external_id)
    WHERE deleted_at IS NULL AND external_id IS NOT NULL;
CREATE INDEX crm_company_match_name ON crm_company (organization_id, match_name)
    WHERE deleted_at IS NULL AND match_name IS NOT NULL;
CREATE INDEX crm_company_match_site ON crm_company (organization_id, match_site)
    WHERE deleted_at IS NULL AND match_site IS NOT NULL;
CREATE INDEX crm_activity_company ON crm_activity (organization_id, company_id)
    WHERE deleted_at IS NULL AND company_id IS NOT NULL;
CREATE TABLE crm_stock (
    organization_id BIGINT NOT NULL,
    resource {text} NOT NULL,
    PRIMARY KEY (organization_id, resource)
) {clustered};
",
    down: "
DROP TABLE crm_stock;
DROP INDEX crm_activity_company;
DROP INDEX crm_company_match_site;
DROP INDEX crm_company_match_name;
DROP INDEX crm_company_external;
ALTER TABLE crm_company DROP COLUMN match_site;
ALTER TABLE crm_company DROP COLUMN match_name;
ALTER TABLE crm_company DROP COLUMN merged_into_id;
ALTER TABLE crm_company DROP COLUMN external_id;
DROP INDEX crm_contact_last_name;
DROP INDEX crm_contact_match_name;
DROP INDEX crm_contact_match_phone;
DROP INDEX crm_contact_match_email;
DROP INDEX crm_contact_external;
ALTER TABLE crm_contact DROP COLUMN match_name;
ALTER TABLE crm_contact DROP COLUMN match_phone;
ALTER TABLE crm_contact DROP COLUMN match_email;
ALTER TABLE crm_contact DROP COLUMN merged_into_id;
ALTER TABLE crm_contact DROP COLUMN external_id;
",
};

/// Imports, and their files in pieces of whole rows. A piece is emptied once its rows
/// were written, in the same transaction, and says then what became of each.
pub(super) const IMPORTS: Step = Step {
    name: "m0007_imports",
    up: "
CREATE TABLE crm_import (
    id {id},
    organization_id BIGINT NOT NULL,
    resource {text} NOT NULL,
    format {text} NOT NULL,
    name {text},
    status {text} NOT NULL,
    options {text} NOT NULL,
    digest {text},
    received_bytes BIGINT NOT NULL,
    total_rows BIGINT NOT NULL,
    processed_rows BIGINT NOT NULL,
    created_count BIGINT NOT NULL,
    updated_count BIGINT NOT NULL,
    unchanged_count BIGINT NOT NULL,
    failed_count BIGINT NOT NULL,
    undone_count BIGINT NOT NULL,
    undone_at BIGINT,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_import_of ON crm_import (organization_id, id);
CREATE INDEX crm_import_digest ON crm_import (organization_id, digest);
CREATE INDEX crm_import_open ON crm_import (updated_at)
    WHERE status IN ('queued', 'running', 'undoing');
CREATE TABLE crm_import_part (
    import BIGINT NOT NULL,
    number BIGINT NOT NULL,
    first_row BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    body {blob},
    report {blob},
    undone BIGINT NOT NULL,
    PRIMARY KEY (import, number)
);
",
    down: "
DROP TABLE crm_import_part;
DROP TABLE crm_import;
",
};

/// Who imports, and who undoes it, beside the user: the API key and the request.
pub(super) const CALLERS: Step = Step {
    name: "m0011_import_callers",
    up: "
ALTER TABLE crm_import ADD COLUMN by_key {text};
ALTER TABLE crm_import ADD COLUMN by_request {text};
ALTER TABLE crm_import ADD COLUMN undone_by_user_id BIGINT;
ALTER TABLE crm_import ADD COLUMN undone_by_key {text};
ALTER TABLE crm_import ADD COLUMN undone_by_request {text};
",
    down: "
ALTER TABLE crm_import DROP COLUMN undone_by_request;
ALTER TABLE crm_import DROP COLUMN undone_by_key;
ALTER TABLE crm_import DROP COLUMN undone_by_user_id;
ALTER TABLE crm_import DROP COLUMN by_request;
ALTER TABLE crm_import DROP COLUMN by_key;
",
};

/// Contacts without a phone or a company need no place among those that have one: they
/// are never looked for there, and every index costs each contact that is made.
pub(super) const SPARSE: Step = Step {
    name: "m0012_sparse",
    up: "
DROP INDEX crm_contact_phone;
CREATE INDEX crm_contact_phone ON crm_contact (organization_id, phone)
    WHERE deleted_at IS NULL AND phone IS NOT NULL;
DROP INDEX crm_contact_company;
CREATE INDEX crm_contact_company ON crm_contact (organization_id, company_id)
    WHERE deleted_at IS NULL AND company_id IS NOT NULL;
",
    down: "
DROP INDEX crm_contact_company;
CREATE INDEX crm_contact_company ON crm_contact (organization_id, company_id)
    WHERE deleted_at IS NULL;
DROP INDEX crm_contact_phone;
CREATE INDEX crm_contact_phone ON crm_contact (organization_id, phone)
    WHERE deleted_at IS NULL;
",
};
