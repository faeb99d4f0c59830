//! Where records are kept: reading pages of them, reading one, and the one way they are
//! written.

mod change;
mod count;
mod duplicates;
mod effect;
mod find;
mod insert;
mod key;
mod merge;
mod plan;
mod reference;
mod row;
mod stock;
mod upsert;
mod write;

pub(super) use change::{Entry, note};
pub(super) use duplicates::{Candidate, duplicates, refuse_duplicates};
pub(super) use effect::Action;
pub(super) use find::{Page, Walk, find, walk};
pub(super) use key::{Key, folded, given, lock_words, phone, site};
pub(super) use merge::{Merged, Pair, Repoint, merge, preview, repoint};
pub(super) use plan::Changed;
pub(super) use reference::{names, related};
pub(super) use row::{Kept, etag, fields, get, matches, missing, several};
pub(super) use stock::stock;
pub(super) use upsert::{How, Row, upsert};
pub(super) use write::{Chosen, change, create, remove, restore, take, update};
