//! The event log: append-only events, the visitors they name, what is needed to
//! recognise a repeat, and the rollups that answer questions.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "events",
    steps: &[FIRST, CLIENT_IDS, CONTEXT, PEOPLE, STRIPS, SOURCES, APART],
};

const FIRST: Step = Step {
    name: "m0001_events",
    // `event_log` holds single values: the last position appended, folded
    // into rollups, and sealed into fingerprints. Rollup rows are keyed by
    // how they are asked for: dimension 0 is no breakdown, name '' is every
    // name. Their large columns come last, so that a scan of counts does not
    // read bitmaps.
    up: "
CREATE TABLE event_log (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO event_log (name, value) VALUES ('position', 0), ('folded', 0), ('sealed', 0);
CREATE TABLE event (
    seq {position},
    project BIGINT NOT NULL,
    time BIGINT NOT NULL,
    received BIGINT NOT NULL,
    name TEXT NOT NULL,
    audience SMALLINT NOT NULL,
    visitor BIGINT NOT NULL,
    id {blob},
    client_id TEXT,
    origin TEXT,
    path TEXT,
    referrer TEXT,
    utm_source TEXT,
    utm_medium TEXT,
    utm_campaign TEXT,
    currency TEXT,
    amount BIGINT,
    units BIGINT,
    product TEXT,
    properties TEXT
);
CREATE INDEX event_time ON event (project, time);
CREATE TABLE event_visitor (
    project BIGINT NOT NULL,
    id TEXT NOT NULL,
    ordinal BIGINT NOT NULL,
    PRIMARY KEY (project, id)
) {clustered};
CREATE UNIQUE INDEX event_visitor_ordinal ON event_visitor (project, ordinal);
CREATE TABLE event_salt (
    day BIGINT NOT NULL PRIMARY KEY,
    salt {blob} NOT NULL
);
CREATE TABLE event_stream (
    project BIGINT NOT NULL,
    name TEXT NOT NULL,
    position BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (project, name)
);
CREATE TABLE event_segment (
    id {id},
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    newest BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    filter {blob} NOT NULL
);
CREATE TABLE event_segment_page (
    segment BIGINT NOT NULL,
    first BIGINT NOT NULL,
    entries {blob} NOT NULL,
    PRIMARY KEY (segment, first)
) {clustered};
CREATE TABLE event_rollup (
    project BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    dimension SMALLINT NOT NULL,
    name TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    value TEXT NOT NULL,
    audience SMALLINT NOT NULL,
    events BIGINT NOT NULL,
    revenue TEXT,
    visitors {blob} NOT NULL,
    PRIMARY KEY (project, level, dimension, name, bucket, value, audience)
) {clustered};
",
    down: "
DROP TABLE event_rollup;
DROP TABLE event_segment_page;
DROP TABLE event_segment;
DROP TABLE event_stream;
DROP TABLE event_salt;
DROP TABLE event_visitor;
DROP TABLE event;
DROP TABLE event_log;
",
};

/// Ids of clients that are not sealed yet are read by position when the log is
/// opened, not found among all events.
const CLIENT_IDS: Step = Step {
    name: "m0002_client_ids",
    up: "
CREATE INDEX event_client ON event (seq) WHERE client_id IS NOT NULL;
",
    down: "
DROP INDEX event_client;
",
};

/// What growth keeps of an event besides: the rest of a campaign, the ad that was
/// clicked, who the visitor is known to be, and the kind of device.
const CONTEXT: Step = Step {
    name: "m0003_context",
    up: "
ALTER TABLE event ADD COLUMN utm_term TEXT;
ALTER TABLE event ADD COLUMN utm_content TEXT;
ALTER TABLE event ADD COLUMN click TEXT;
ALTER TABLE event ADD COLUMN person TEXT;
ALTER TABLE event ADD COLUMN device TEXT;
",
    down: "
ALTER TABLE event DROP COLUMN device;
ALTER TABLE event DROP COLUMN person;
ALTER TABLE event DROP COLUMN click;
ALTER TABLE event DROP COLUMN utm_content;
ALTER TABLE event DROP COLUMN utm_term;
",
};

/// Events that say who somebody is are read by position, behind the writer.
const PEOPLE: Step = Step {
    name: "m0004_people",
    up: "
CREATE INDEX event_person ON event (seq) WHERE person IS NOT NULL OR name = 'identify';
",
    down: "
DROP INDEX event_person;
",
};

/// What visitors did, in columns: `kind` 0 is events of a name and UTC day, 1 sights of
/// an experiment's variants. Texts are numbered per project.
/// Rollups and strips are made of the same events by the same folds, so those that were
/// folded before are folded again.
const STRIPS: Step = Step {
    name: "m0005_strips",
    up: "
CREATE TABLE event_word (
    project BIGINT NOT NULL,
    number BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (project, text)
) {clustered};
CREATE UNIQUE INDEX event_word_number ON event_word (project, number);
CREATE TABLE event_strip (
    project BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    day BIGINT NOT NULL,
    name BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    events BIGINT NOT NULL,
    core {blob} NOT NULL,
    places {blob} NOT NULL,
    PRIMARY KEY (project, kind, day, name, first_seq)
) {clustered};
DELETE FROM event_rollup;
UPDATE event_log SET value = 0 WHERE name = 'folded';
",
    down: "
DROP TABLE event_strip;
DROP TABLE event_word;
",
};

/// Where visitors came from is a breakdown of the rollups, and no kind of strip: what was
/// folded is folded again.
const SOURCES: Step = Step {
    name: "m0006_sources",
    up: REFOLD,
    down: REFOLD,
};

/// Moves rollups, strips and the pages of segments into tables of a kind, on SQLite.
macro_rules! moved {
    (into $kind:literal) => {
        concat!(
            "
{sqlite}ALTER TABLE event_rollup RENAME TO event_rollup_before;
{sqlite}CREATE TABLE event_rollup (
    project BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    dimension SMALLINT NOT NULL,
    name TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    value TEXT NOT NULL,
    audience SMALLINT NOT NULL,
    events BIGINT NOT NULL,
    revenue TEXT,
    visitors {blob} NOT NULL,
    PRIMARY KEY (project, level, dimension, name, bucket, value, audience)
)",
            $kind,
            ";
{sqlite}INSERT INTO event_rollup SELECT * FROM event_rollup_before;
{sqlite}DROP TABLE event_rollup_before;
{sqlite}ALTER TABLE event_strip RENAME TO event_strip_before;
{sqlite}CREATE TABLE event_strip (
    project BIGINT NOT NULL,
    kind SMALLINT NOT NULL,
    day BIGINT NOT NULL,
    name BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    events BIGINT NOT NULL,
    core {blob} NOT NULL,
    places {blob} NOT NULL,
    PRIMARY KEY (project, kind, day, name, first_seq)
)",
            $kind,
            ";
{sqlite}INSERT INTO event_strip SELECT * FROM event_strip_before;
{sqlite}DROP TABLE event_strip_before;
{sqlite}ALTER TABLE event_segment_page RENAME TO event_segment_page_before;
{sqlite}CREATE TABLE event_segment_page (
    segment BIGINT NOT NULL,
    first BIGINT NOT NULL,
    entries {blob} NOT NULL,
    PRIMARY KEY (segment, first)
)",
            $kind,
            ";
{sqlite}INSERT INTO event_segment_page SELECT * FROM event_segment_page_before;
{sqlite}DROP TABLE event_segment_page_before;
"
        )
    };
}

/// SQLite reads rows of a clustered table whole wherever it looks for a key or for the end
/// of a range, sets of visitors and strips with them. Apart from their keys, only those
/// that are wanted are read: counts come without sets, and the strips of some names
/// without those of others.
const APART: Step = Step {
    name: "m0007_apart",
    up: moved!(into ""),
    down: moved!(into " {clustered}"),
};

const REFOLD: &str = "
DELETE FROM event_rollup;
DELETE FROM event_strip;
UPDATE event_log SET value = 0 WHERE name = 'folded';
";
