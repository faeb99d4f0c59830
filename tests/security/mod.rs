//! Attacks on a running server: other tenants' objects, hostile tokens, other
//! sites' pages, and secrets in places where they do not belong. What can be
//! generated from the descriptors is, so that a new method is attacked too.

mod assignment;
pub mod catalogue;
mod cors;
mod csrf;
mod exposure;
mod forgeries;
mod frames;
mod leaks;
mod paging;
mod permissions;
mod rest;
mod sqlmap;
mod tenants;
mod tokens;
pub mod wire;
mod world;
