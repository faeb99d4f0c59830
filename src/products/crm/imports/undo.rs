//! Undoing what a part did. What was changed since is somebody's, and stays.

use std::collections::{BTreeMap, HashMap};

use super::super::column::{Access, Record as _};
use super::super::resource::{Context, Resource};
use super::super::store;
use super::{Line, Report};
use crate::api::apex::crm::v1 as pb;
use crate::db::Tx;
use crate::error::{Error, Result};

/// Removes what a part made and puts back what it changed; answers how many.
pub(in super::super) async fn undo<R: Resource>(
    tx: &Tx,
    context: &Context,
    report: &Report,
) -> Result<i64> {
    // Of a record that several rows were of, the first knows what it was before.
    let mut first: BTreeMap<i64, &Line> = BTreeMap::new();
    for line in &report.lines {
        let Some(told) = &line.told else {
            continue;
        };
        let wrote = matches!(told.outcome(), pb::Outcome::Created | pb::Outcome::Updated);
        if let Some(id) = told.record_id.filter(|_| wrote) {
            first.entry(id).or_insert(line);
        }
    }
    let ids: Vec<i64> = first.keys().copied().collect();
    let fields = store::fields::<R>(tx, context).await?;
    let mut living: HashMap<i64, store::Kept<R::Record>> = HashMap::new();
    for kept in store::several::<R>(tx, context, &fields, &ids).await? {
        living.insert(kept.record.id(), kept);
    }
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    for (id, line) in first {
        let Some(kept) = living.remove(&id) else {
            continue;
        };
        // As the import left it, or as this undoing did.
        let stamp = stamp::<R>(&kept.record)?;
        if stamp != Some(report.at) && stamp != Some(context.now) {
            continue;
        }
        match &line.before {
            None => gone.push(kept),
            Some(before) => {
                use prost::Message as _;
                let before = R::Record::decode(before.as_slice()).map_err(Error::internal)?;
                let mut record = kept.record.clone();
                record.adopt(&before, &|column| column.access == Access::Caller);
                let custom = line.custom.clone();
                back.push(store::Changed::to(kept, record, custom)?);
            }
        }
    }
    store::take::<R>(tx, context, &fields, &gone, Vec::new()).await?;
    store::change::<R>(tx, context, &fields, &back).await?;
    Ok((gone.len() + back.len()) as i64)
}

/// When a record was changed last.
fn stamp<R: Resource>(record: &R::Record) -> Result<Option<i64>> {
    let at = R::columns().iter().position(|own| own.name == "updated_at");
    let values = record.values()?;
    Ok(match at.map(|at| &values[at]) {
        Some(sea_orm::Value::BigInt(stamp)) => *stamp,
        Some(_) | None => None,
    })
}
