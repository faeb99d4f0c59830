//! The growth product over HTTP, and alike over gRPC.

mod analytics;
mod analyze;
mod events;
pub mod experiments;
mod flags;
mod goals;
mod identity;
mod markup;
pub mod receiver;
mod snippet;
mod webhooks;
