//! Webhooks: others are told of what happens here. What is to be told is written with
//! its cause, and delivered afterwards.

mod publish;

#[allow(unused_imports)] // whoever publishes is on the way
pub(super) use publish::{Kind, publish};

/// What the outbox calls deliveries.
const TOPIC: &str = "growth.webhook";
