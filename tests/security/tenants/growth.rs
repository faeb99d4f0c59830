//! What the growth product holds: the events of a project, and what senders name in
//! them. An analysis is of what it is sent.

use super::Table;

const OWN_NAME: &str = "a name the sender chooses, known within the project alone";

pub(super) const TABLE: Table = Table {
    product: "growth",
    entries: &[],
    exempt: &[
        (
            "apex.growth.v1.ExperimentService/AnalyzeExperiment",
            "variations.id",
            "names a comparison of the answer; nothing is looked up or stored",
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvent",
            "user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.visitor_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.event_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.EventService/TrackEvents",
            "events.user_id",
            OWN_NAME,
        ),
        (
            "apex.growth.v1.SnippetService/GetSnippet",
            "key",
            "is in the source of a site for all to read, and opens nothing",
        ),
    ],
    on_projects: &[],
};
