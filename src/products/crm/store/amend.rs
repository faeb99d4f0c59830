//! What the server itself changes of a record, because of something else that happened.

use super::super::resource::{Context, Resource};
use super::plan::Changed;
use super::row::{fields, one};
use super::write::change;
use crate::db::Tx;
use crate::error::{Error, Result};

/// Reads a living record, which nobody else writes until the transaction ends.
pub(in super::super) async fn locked<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let kept = one::<R>(tx, context, id, None, (&fields, true)).await?;
    Ok(kept.record)
}

/// Changes a living record, columns of the server's included.
pub(in super::super) async fn amend<R: Resource>(
    tx: &Tx,
    context: &Context,
    id: i64,
    edit: impl FnOnce(&mut R::Record) + Send,
) -> Result<R::Record> {
    let fields = fields::<R>(tx, context).await?;
    let old = one::<R>(tx, context, id, None, (&fields, true)).await?;
    let (mut new, custom) = (old.record.clone(), old.custom.clone());
    edit(&mut new);
    let changed = Changed::to(old, new, custom)?;
    let record = change::<R>(tx, context, &fields, &[changed]).await?.pop();
    record.ok_or_else(|| Error::internal("a record that was changed is not there"))
}
