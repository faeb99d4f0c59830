//! What holds for every product: the mechanisms of the transcoder over a proto of
//! their own, what the build refuses, the error shapes, the commands.

#[cfg(feature = "conformance")]
mod mechanisms;
mod refusals;
