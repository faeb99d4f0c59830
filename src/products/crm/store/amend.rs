//! What the server itself changes of a record, because of something else that happened.

use super::super::column::Record as _;
use super::super::resource::{Context, Resource};
use super::effect::{Action, Change, follow};
use super::row::{Kept, fields, one};
use super::write::set;
use crate::db::Tx;
use crate::error::Result;

/// Reads a living record, which nobody else writes until the transaction ends.
pub(in super::super) async fn locked<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
) -> Result<R::Record> {
    Ok(kept::<R>(tx, context, id).await?.record)
}

/// Changes a living record, columns of the server's included.
pub(in super::super) async fn amend<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    change: impl FnOnce(&mut R::Record) + Send,
) -> Result<R::Record> {
    let old = kept::<R>(tx, context, id).await?;
    let mut new = old.record.clone();
    change(&mut new);
    let values = old.record.values()?.into_iter().zip(new.values()?);
    let mut pairs: Vec<_> = R::columns()
        .iter()
        .zip(values)
        .filter(|(_, (before, after))| before != after)
        .map(|(column, (_, after))| (column.name, after))
        .collect();
    if pairs.is_empty() {
        return Ok(old.record);
    }
    pairs.extend(R::beside(&new));
    let fields = fields::<R>(tx, context).await?;
    let kept = set::<R>(tx, context, &fields, id, pairs).await?;
    let change = Change {
        action: Action::Updated,
        before: Some(&old),
        after: &kept,
    };
    follow::<R>(tx, context, &fields, &[change]).await?;
    Ok(kept.record)
}

async fn kept<R: Resource>(tx: &Tx, context: &Context, id: i64) -> Result<Kept<R::Record>> {
    let fields = fields::<R>(tx, context).await?;
    one::<R>(tx, context, id, None, (&fields, true)).await
}
