//! The growth product over HTTP, and alike over gRPC.

mod analyze;
mod events;
mod snippet;
