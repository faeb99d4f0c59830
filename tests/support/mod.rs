//! What tests need: a server of their own, an organization in it, and clients
//! that speak plain HTTP and gRPC.

pub mod attacker;
pub mod clock;
pub mod database;
pub mod engine;
pub mod grpc;
pub mod h2;
pub mod history;
pub mod http;
pub mod proxy;
pub mod records;
pub mod redis;
pub mod seed;
pub mod server;
pub mod skip;
pub mod web;

pub use http::{Answer, Http};
pub use server::{Organization, Server};
