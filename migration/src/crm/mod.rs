//! The CRM product: contacts and companies, deals and what is sold, activities, and
//! what hangs on them. Every table begins with its organization; `deleted_at` is set of
//! what was removed, and indexes leave that out.

mod effects;
mod records;
mod search;
mod support;

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "crm",
    steps: &[
        PEOPLE,
        SALES,
        WORK,
        effects::CHANGES,
        effects::WEBHOOKS,
        records::KEYS,
        records::IMPORTS,
        support::TICKETS,
        support::CONVERSATIONS,
        support::FILES,
        search::DUE,
        records::CALLERS,
        records::SPARSE,
    ],
};

/// Contacts and companies, what is searched of them, and what all resources share: how
/// many living records there are (in shards, so that writers need not wait for each
/// other), and custom fields, whose values also stand in a table they are found by.
const PEOPLE: Step = Step {
    name: "m0001_people",
    up: "
CREATE TABLE crm_count (
    organization_id BIGINT NOT NULL,
    resource {text} NOT NULL,
    shard BIGINT NOT NULL,
    living BIGINT NOT NULL,
    PRIMARY KEY (organization_id, resource, shard)
) {clustered};
CREATE TABLE crm_company (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    description {text},
    website {text},
    industry {text},
    size {text},
    custom {text},
    created_by_user_id BIGINT,
    owned_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_company_living ON crm_company (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_company_created ON crm_company (organization_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_company_updated ON crm_company (organization_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_company_name ON crm_company (organization_id, name, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_contact (
    id {id},
    organization_id BIGINT NOT NULL,
    first_name {text},
    last_name {text},
    email {text},
    phone {text},
    phone_country_code {text},
    phone_country_iso {text},
    company_id BIGINT,
    channel_whatsapp_wa_id {text},
    channel_instagram_user_id {text},
    system_type {text} NOT NULL,
    avatar_url {text},
    custom {text},
    search {text} NOT NULL,
    created_by_user_id BIGINT,
    owned_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_contact_living ON crm_contact (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_created ON crm_contact (organization_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_updated ON crm_contact (organization_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_email ON crm_contact (organization_id, email)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_phone ON crm_contact (organization_id, phone)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_company ON crm_contact (organization_id, company_id)
    WHERE deleted_at IS NULL;
{sqlite} CREATE VIRTUAL TABLE crm_contact_search USING fts5 (search, content = 'crm_contact', content_rowid = 'id', tokenize = 'trigram', detail = 'full');
{sqlite} CREATE TRIGGER crm_contact_made AFTER INSERT ON crm_contact BEGIN INSERT INTO crm_contact_search (rowid, search) VALUES (new.id, new.search); END;
{sqlite} CREATE TRIGGER crm_contact_changed AFTER UPDATE OF search ON crm_contact WHEN old.search <> new.search BEGIN INSERT INTO crm_contact_search (crm_contact_search, rowid, search) VALUES ('delete', old.id, old.search); INSERT INTO crm_contact_search (rowid, search) VALUES (new.id, new.search); END;
{sqlite} CREATE TRIGGER crm_contact_erased AFTER DELETE ON crm_contact BEGIN INSERT INTO crm_contact_search (crm_contact_search, rowid, search) VALUES ('delete', old.id, old.search); END;
{postgres} DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS pg_trgm; CREATE INDEX crm_contact_search ON crm_contact USING gin (search gin_trgm_ops); EXCEPTION WHEN insufficient_privilege OR undefined_file OR undefined_object OR feature_not_supported THEN NULL; END $$;
CREATE TABLE crm_custom_field (
    id {id},
    organization_id BIGINT NOT NULL,
    entity_type {text} NOT NULL,
    name {text} NOT NULL,
    type {text} NOT NULL,
    options {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_custom_field_name
    ON crm_custom_field (organization_id, entity_type, name) WHERE deleted_at IS NULL;
CREATE TABLE crm_custom_value (
    field BIGINT NOT NULL,
    record BIGINT NOT NULL,
    text {text},
    number DOUBLE PRECISION,
    PRIMARY KEY (field, record)
) {clustered};
CREATE INDEX crm_custom_value_text ON crm_custom_value (field, text, record);
CREATE INDEX crm_custom_value_number ON crm_custom_value (field, number, record);
CREATE TABLE crm_tag (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    color {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_tag_name ON crm_tag (organization_id, name) WHERE deleted_at IS NULL;
CREATE TABLE crm_contact_tag (
    id {id},
    organization_id BIGINT NOT NULL,
    contact_id BIGINT NOT NULL,
    tag_id BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX crm_contact_tag_pair
    ON crm_contact_tag (organization_id, contact_id, tag_id) WHERE deleted_at IS NULL;
CREATE INDEX crm_contact_tag_tag ON crm_contact_tag (organization_id, tag_id, contact_id)
    WHERE deleted_at IS NULL;
",
    down: "
DROP TABLE crm_contact_tag;
DROP TABLE crm_tag;
DROP TABLE crm_custom_value;
DROP TABLE crm_custom_field;
{sqlite} DROP TABLE crm_contact_search;
DROP TABLE crm_contact;
DROP TABLE crm_company;
DROP TABLE crm_count;
",
};

/// Pipelines and deals, products and what of them is in a deal. Money is hundredths of
/// the major unit; prices, quantities and percentages are ten-thousandths.
const SALES: Step = Step {
    name: "m0002_sales",
    up: "
CREATE TABLE crm_pipeline (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    type {text} NOT NULL,
    position BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_pipeline_living ON crm_pipeline (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_pipeline_stage (
    id {id},
    organization_id BIGINT NOT NULL,
    pipeline_id BIGINT NOT NULL,
    name {text} NOT NULL,
    position BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_pipeline_stage_living ON crm_pipeline_stage (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_pipeline_stage_pipeline
    ON crm_pipeline_stage (organization_id, pipeline_id, position, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_deal (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    amount BIGINT,
    currency {text} NOT NULL,
    status {text} NOT NULL,
    pipeline_id BIGINT NOT NULL,
    pipeline_stage_id BIGINT NOT NULL,
    contact_id BIGINT,
    company_id BIGINT,
    custom {text},
    created_by_user_id BIGINT,
    owned_by_user_id BIGINT,
    won_date BIGINT,
    lost_date BIGINT,
    expected_close_date BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_deal_living ON crm_deal (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_created ON crm_deal (organization_id, created_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_updated ON crm_deal (organization_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_stage ON crm_deal (organization_id, pipeline_stage_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_pipeline ON crm_deal (organization_id, pipeline_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_contact ON crm_deal (organization_id, contact_id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_company ON crm_deal (organization_id, company_id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_product_category (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_product_category_living ON crm_product_category (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_product (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    description {text},
    status {text} NOT NULL,
    type {text} NOT NULL,
    price BIGINT,
    parent_id BIGINT,
    sku {text},
    stock_quantity BIGINT,
    is_variant BIGINT NOT NULL,
    product_category_id BIGINT,
    main_media_path {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_product_living ON crm_product (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_product_sku ON crm_product (organization_id, sku) WHERE deleted_at IS NULL;
CREATE INDEX crm_product_in_category ON crm_product (organization_id, product_category_id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_deal_product (
    id {id},
    organization_id BIGINT NOT NULL,
    deal_id BIGINT NOT NULL,
    product_id BIGINT NOT NULL,
    quantity BIGINT NOT NULL,
    price BIGINT NOT NULL,
    description {text},
    discount_type {text} NOT NULL,
    discount_amount BIGINT,
    discount_percentage BIGINT,
    tax_percentage BIGINT NOT NULL,
    total_amount_with_tax BIGINT NOT NULL,
    total_amount_without_tax BIGINT NOT NULL,
    name {text} NOT NULL,
    sku {text},
    main_media_path {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_deal_product_living ON crm_deal_product (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_deal_product_deal ON crm_deal_product (organization_id, deal_id, id)
    WHERE deleted_at IS NULL;
",
    down: "
DROP TABLE crm_deal_product;
DROP TABLE crm_product;
DROP TABLE crm_product_category;
DROP TABLE crm_deal;
DROP TABLE crm_pipeline_stage;
DROP TABLE crm_pipeline;
",
};

/// Activities with their types, and notes.
const WORK: Step = Step {
    name: "m0003_work",
    up: "
CREATE TABLE crm_activity_type (
    id {id},
    organization_id BIGINT NOT NULL,
    name {text} NOT NULL,
    color {text},
    icon_key {text},
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_activity_type_living ON crm_activity_type (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE TABLE crm_activity (
    id {id},
    organization_id BIGINT NOT NULL,
    assigned_to_user_id BIGINT,
    subject {text} NOT NULL,
    note {text},
    public_description {text},
    location {text},
    location_geocoded {blob},
    start_date {text},
    start_time {text},
    end_date {text},
    end_time {text},
    duration BIGINT,
    deal_id BIGINT,
    contact_id BIGINT,
    company_id BIGINT,
    activity_type {text},
    done BIGINT NOT NULL,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_activity_living ON crm_activity (organization_id, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_activity_start ON crm_activity (organization_id, start_date, start_time, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_activity_updated ON crm_activity (organization_id, updated_at, id)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_activity_assigned
    ON crm_activity (organization_id, assigned_to_user_id, start_date)
    WHERE deleted_at IS NULL;
CREATE INDEX crm_activity_deal ON crm_activity (organization_id, deal_id)
    WHERE deleted_at IS NULL AND deal_id IS NOT NULL;
CREATE INDEX crm_activity_contact ON crm_activity (organization_id, contact_id)
    WHERE deleted_at IS NULL AND contact_id IS NOT NULL;
CREATE TABLE crm_note (
    id {id},
    organization_id BIGINT NOT NULL,
    content {text} NOT NULL,
    contact_id BIGINT,
    deal_id BIGINT,
    company_id BIGINT,
    created_by_user_id BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE INDEX crm_note_living ON crm_note (organization_id, id) WHERE deleted_at IS NULL;
CREATE INDEX crm_note_contact ON crm_note (organization_id, contact_id, id)
    WHERE deleted_at IS NULL AND contact_id IS NOT NULL;
CREATE INDEX crm_note_deal ON crm_note (organization_id, deal_id, id)
    WHERE deleted_at IS NULL AND deal_id IS NOT NULL;
CREATE INDEX crm_note_company ON crm_note (organization_id, company_id, id)
    WHERE deleted_at IS NULL AND company_id IS NOT NULL;
",
    down: "
DROP TABLE crm_note;
DROP TABLE crm_activity;
DROP TABLE crm_activity_type;
",
};
