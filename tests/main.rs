//! The integration tests, as one binary: what every product shares is under
//! `contract` and `conformance`, the rest in a folder per product.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod account;
mod attack;
mod clients;
mod conformance;
mod contract;
mod crm;
mod durability;
mod growth;
mod memory;
mod metrics;
mod paas;
mod security;
mod support;
