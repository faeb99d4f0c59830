//! What the build made of `proto/`: messages, services, the policy table, the
//! endpoints, and the descriptors themselves.

#![allow(missing_docs, unused_imports, clippy::all, clippy::pedantic)]
#![allow(missing_debug_implementations, rustdoc::broken_intra_doc_links)]
#![allow(rustdoc::invalid_html_tags, rustdoc::bare_urls)]

use std::sync::{Arc, LazyLock};

use prost_reflect::DescriptorPool;

use crate::error::Error;
use crate::policy::*;
use crate::server::call::{Call, Replies, Reply, Requests};
use crate::server::check::{Check, TextRule, Violations, pattern, text_of};
use crate::server::dispatch::{self, Asked, Dispatched, Endpoint};
use crate::server::guard;
use crate::transcode::schema::Schema;

include!(concat!(env!("OUT_DIR"), "/api.rs"));
include!(concat!(env!("OUT_DIR"), "/table.rs"));
include!(concat!(env!("OUT_DIR"), "/checks.rs"));
include!(concat!(env!("OUT_DIR"), "/endpoints.rs"));

/// The encoded descriptors of every proto, with comments.
pub static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The descriptors without comments.
static SHAPES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shapes.bin"));

/// The JSON tables of every message. Made on first use.
pub static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    // The build decoded these very bytes.
    Schema::new(&DescriptorPool::decode(SHAPES).unwrap_or_default())
});

/// The descriptors, for what is done seldom.
pub fn pool() -> DescriptorPool {
    // The build decoded these very bytes.
    DescriptorPool::decode(DESCRIPTORS).unwrap_or_default()
}
