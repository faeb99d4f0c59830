//! JSON to protobuf and back, in one pass over tables: JSON text becomes wire
//! bytes, wire bytes become JSON text, and no tree of values stands between.
//!
//! Wire bytes rather than messages, because the same code then serves the typed
//! services (prost decodes the bytes), the conformance testee and the dynamic
//! test host, and because a raw JSON field stays a slice of the body.

pub mod decode;
pub mod encode;
mod fault;
pub mod lexer;
pub mod mask;
pub mod number;
pub mod raw;
pub mod time;

pub use fault::{Fault, Parsed};

use crate::policy::Profile;

/// Deepest nesting of a request body and of a free-form object, at ingress, in
/// storage and at egress alike.
pub const DEPTH: u32 = 32;

/// How a profile differs from the canonical mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Unknown members are ignored rather than refused.
    pub ignore_unknown: bool,
    /// Numbers may be quoted, and 64-bit integers are written quoted.
    pub quoted_numbers: bool,
    /// Fields at their default are written, so that callers see stable members.
    pub defaults: bool,
    /// Deepest nesting.
    pub depth: u32,
}

impl Rules {
    /// The rules of a profile.
    pub const fn of(profile: Profile) -> Self {
        let canonical = matches!(profile, Profile::Canonical);
        Self {
            ignore_unknown: matches!(profile, Profile::Lenient),
            quoted_numbers: canonical,
            defaults: !canonical,
            depth: DEPTH,
        }
    }
}
