//! Where records are kept: reading pages of them, reading one, and the one way they are
//! written.

mod change;
mod count;
mod effect;
mod find;
mod reference;
mod row;
mod write;

pub(super) use change::{Entry, note};
pub(super) use effect::Action;
pub(super) use find::{Page, find};
pub(super) use reference::{names, related};
pub(super) use row::{etag, get, missing};
pub(super) use write::{Chosen, create, remove, restore, update};
