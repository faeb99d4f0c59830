//! Everything between the socket and a service: the listener, the layers a
//! request passes, and the two ways a service method is called.

mod accept;
mod activity;
pub mod call;
pub mod check;
mod client;
pub mod codec;
mod company;
mod conditional;
mod crowd;
mod csrf;
mod deadline;
pub mod dispatch;
pub mod edge;
mod gate;
mod grpc;
pub mod guard;
mod headers;
pub mod health;
mod held;
mod idempotency;
pub mod listener;
mod meter;
pub mod metrics;
mod note;
pub(crate) mod pace;
pub mod page;
mod parts;
mod places;
pub mod reflection;
mod resolve;
pub mod respond;
mod rest;
pub mod shared;
mod stack;
mod stray;
mod stream;
pub mod tls;
mod trace;
mod visit;
mod wire;

pub use call::{Call, Client, Replies, Reply, Requests};
pub use client::Peer;
pub use edge::Edge;
pub use shared::Shared;
pub use stack::{Stack, stack};
