//! Apex: five products' APIs on one port, as gRPC, gRPC-Web and JSON REST.

pub mod config;
pub mod error;
pub mod policy;
pub mod transcode;
