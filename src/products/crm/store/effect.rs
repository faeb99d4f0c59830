//! What every write brings with it, whichever resource it is of. All writes pass here,
//! inside of their transaction: what others are told of changes belongs here too.

use super::super::column::Record as _;
use super::super::custom::Fields;
use super::super::resource::{Context, Resource};
use super::count;
use super::row::Kept;
use crate::db::Tx;
use crate::error::Result;

/// A record before and after it was written.
#[derive(Debug)]
pub(super) struct Change<'c, R> {
    /// What it was; `None` of one that is new.
    pub(super) before: Option<&'c Kept<R>>,
    /// What it is; `None` of one that was removed.
    pub(super) after: Option<&'c Kept<R>>,
}

/// Does what a change brings with it.
pub(super) async fn follow<R: Resource>(
    tx: &Tx,
    context: &Context,
    fields: &Fields,
    change: Change<'_, R::Record>,
) -> Result<()> {
    let came = i64::from(change.after.is_some()) - i64::from(change.before.is_some());
    if came != 0 {
        count::add::<R>(tx, context, came).await?;
    }
    let custom = |kept: Option<&Kept<R::Record>>| kept.and_then(|kept| kept.custom.clone());
    let (before, after) = (custom(change.before), custom(change.after));
    if before != after
        && let Some(kept) = change.after.or(change.before)
    {
        fields.index(tx, kept.record.id(), after.as_deref()).await?;
    }
    Ok(())
}
