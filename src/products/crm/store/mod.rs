//! Where records are kept: reading pages of them, reading one, and the one way they are
//! written.

mod alone;
mod amend;
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
mod search;
mod stock;
mod upsert;
mod write;

pub(super) use amend::{amend, locked};
pub(super) use change::{Entry, json_of, note, shown};
pub(super) use duplicates::{Candidate, duplicates, refuse_duplicates};
pub(super) use effect::Action;
pub(super) use find::{Page, Walk, find, ids, walk};
pub(super) use key::{Key, folded, given, lock_words, phone, site};
pub(super) use merge::{Merged, Pair, Repoint, merge, repoint};
pub(super) use plan::{Changed, read_only};
pub(super) use reference::{names, related};
pub(super) use row::{Kept, etag, ever, fields, get, matches, missing, named, several};
pub(super) use search::{PARTS, parts};
pub(super) use stock::stock;
pub(super) use upsert::{How, Row, upsert};
pub(super) use write::{Chosen, change, create, make, remove, restore, take, update};
