//! The growth product: experiments.

use crate::{Product, Step};

pub(crate) const PRODUCT: Product = Product {
    name: "growth",
    steps: &[EXPERIMENTS],
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
