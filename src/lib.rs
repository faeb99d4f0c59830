//! Apex: five products' APIs on one port, as gRPC, gRPC-Web and JSON REST.
//!
//! `docs/architecture.md` shows the shape. A request comes in through [`server`],
//! is translated by [`transcode`] if it is REST, and reaches a service of
//! `products`, which keeps its data through [`db`].

pub mod api;
pub mod app;
pub mod auth;
pub mod browser;
pub mod cli;
pub mod clock;
pub mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod db;
pub mod error;
pub mod events;
pub mod limit;
pub mod owner;
pub mod panics;
pub mod policy;
pub mod products;
pub mod server;
pub mod transcode;
pub mod webhooks;
