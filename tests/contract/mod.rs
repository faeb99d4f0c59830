//! What holds for every product: the mechanisms of the transcoder over a proto of
//! their own, what the build refuses, the error shapes, the commands.

mod commands;
mod counters;
mod errors;
mod layers;
#[cfg(feature = "conformance")]
mod mechanisms;
mod pages;
mod protocol;
mod readme;
mod reference;
mod refusals;
mod streams;
mod telemetry;
