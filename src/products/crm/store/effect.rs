//! What every write brings with it, whichever resource it is of. All writes pass here,
//! inside of their transaction: what others are told of changes belongs here too. Many
//! records may be written at once, and cost few statements then.

use sea_orm::{ConnectionTrait as _, DbBackend};

use super::super::column::Record as _;
use super::super::custom::{Fields, Moved};
use super::super::query::sql::Sql;
use super::super::resource::{Context, Resource};
use super::row::Kept;
use super::{change, count};
use crate::db::Tx;
use crate::error::Result;

/// What is done to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Action {
    /// It is made.
    Created,
    /// Members of it change.
    Updated,
    /// It is removed.
    Removed,
    /// It was removed, and is back.
    Restored,
}

impl Action {
    /// All of them.
    pub(in super::super) const ALL: [Self; 4] =
        [Self::Created, Self::Updated, Self::Removed, Self::Restored];

    /// The word for it, in events and where it is kept.
    pub(in super::super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Removed => "removed",
            Self::Restored => "restored",
        }
    }

    /// How many living records there are more.
    fn came(self) -> i64 {
        match self {
            Self::Created | Self::Restored => 1,
            Self::Updated => 0,
            Self::Removed => -1,
        }
    }
}

/// A record before and after it was written.
#[derive(Debug)]
pub(super) struct Change<'c, R> {
    /// What was done.
    pub(super) action: Action,
    /// What it was; `None` of one that is new.
    pub(super) before: Option<&'c Kept<R>>,
    /// What it is; of one that was removed, what its row says.
    pub(super) after: &'c Kept<R>,
}

impl<R> Change<'_, R> {
    /// The custom fields of the living record, before and after.
    fn custom(&self) -> (Option<&str>, Option<&str>) {
        let before = self.before.and_then(|kept| kept.custom.as_deref());
        let after = self.after.custom.as_deref();
        match self.action {
            Action::Created | Action::Restored => (None, after),
            Action::Updated => (before, after),
            Action::Removed => (before, None),
        }
    }
}

/// Does what changes bring with them.
pub(super) async fn follow<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    changes: &[Change<'_, R::Record>],
) -> Result<()> {
    if let (Some(due), DbBackend::Sqlite) = (R::DUE, tx.get_database_backend()) {
        tx.before_commit(due);
    }
    let moved = changes.iter().filter_map(|change| {
        let (before, after) = change.custom();
        (before != after).then(|| Moved {
            record: change.after.record.id(),
            before: before.is_some(),
            after: after.map(str::to_owned),
        })
    });
    fields.index(tx, &moved.collect::<Vec<_>>()).await?;
    let lead = match changes.iter().map(|change| change.action.came()).sum() {
        0 => Sql::of(tx.get_database_backend()),
        came => count::lead::<R>(tx.get_database_backend(), context, came),
    };
    change::write::<R>(tx, context, changes, lead).await
}
