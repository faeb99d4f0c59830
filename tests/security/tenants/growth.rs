//! What the growth product holds. So far nothing: an analysis is of what it is sent.

use super::Table;

pub(super) const TABLE: Table = Table {
    product: "growth",
    entries: &[],
    exempt: &[(
        "apex.growth.v1.ExperimentService/AnalyzeExperiment",
        "variations.id",
        "names a comparison of the answer; nothing is looked up or stored",
    )],
    on_projects: &[],
};
