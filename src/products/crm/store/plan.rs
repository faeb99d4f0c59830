//! What is about to be written, once it was checked: nothing of it has been written yet,
//! so that one record that is refused leaves nothing behind.

use sea_orm::Value;

use super::super::column::{Access, Column, Record};
use super::super::custom::Fields;
use super::super::query::read::CUSTOM;
use super::super::resource::{Context, Resource};
use super::row::Kept;
use super::write::Chosen;
use crate::db::Tx;
use crate::error::{Error, Result};

/// A new record.
#[derive(Debug)]
pub(in super::super) struct New<R> {
    /// Its columns.
    pub(super) record: R,
    /// Their values, as the database keeps them.
    pub(super) values: Vec<Value>,
    /// Its custom fields by number.
    pub(super) custom: Option<String>,
}

/// A record that is there, as it is to be.
#[derive(Debug)]
pub(in super::super) struct Changed<R> {
    /// What it was.
    pub(super) old: Kept<R>,
    /// What its columns were.
    pub(super) before: Vec<Value>,
    /// What it is to be.
    pub(super) new: New<R>,
}

impl<R: Record> New<R> {
    /// Checks a new record.
    pub(super) async fn of<S: Resource<Record = R>>(
        tx: &Tx,
        context: &Context,
        fields: &Fields,
        mut given: R,
    ) -> Result<Self> {
        refuse_alien(&given)?;
        let none = R::default();
        for column in R::COLUMNS {
            writable(context, column, &given, &none)?;
        }
        let mut record = R::default();
        record.adopt(&given, &|column| {
            matches!(column.access, Access::Caller | Access::Create)
        });
        S::prepare(tx, context, &mut record, None).await?;
        let custom = match given.custom().and_then(Option::take) {
            Some(custom) => fields.merged(None, &custom)?,
            None => None,
        };
        Ok(Self {
            values: record.values()?,
            record,
            custom,
        })
    }
}

impl<R: Record> Changed<R> {
    /// Checks a change of a record.
    pub(super) async fn of<S: Resource<Record = R>>(
        tx: &Tx,
        context: &Context,
        fields: &Fields,
        old: Kept<R>,
        (mut given, chosen): (R, &Chosen),
    ) -> Result<Self> {
        if let Chosen::Everything = chosen {
            refuse_alien(&given)?;
        }
        let named = |name: &str| match chosen {
            Chosen::Members(names) => names.iter().any(|own| own == name),
            Chosen::Everything => true,
        };
        if let Chosen::Members(names) = chosen {
            let joined = names
                .iter()
                .find(|name| *name != CUSTOM && R::column(name).is_none());
            joined.map_or(Ok(()), |name| Err(read_only(name)))?;
        }
        for column in R::COLUMNS {
            let said = match chosen {
                Chosen::Members(_) => named(column.name),
                Chosen::Everything => given.has(column.name),
            };
            if said {
                writable(context, column, &given, &old.record)?;
            }
        }
        let mut record = old.record.clone();
        record.adopt(&given, &|column| {
            column.access == Access::Caller && named(column.name)
        });
        S::prepare(tx, context, &mut record, Some(&old.record)).await?;
        let given = given.custom().and_then(Option::take);
        let custom = match (chosen, named(CUSTOM)) {
            (Chosen::Everything, _) => fields.merged(None, given.as_deref().unwrap_or("{}"))?,
            (Chosen::Members(_), true) => {
                fields.merged(old.custom.as_deref(), given.as_deref().unwrap_or("{}"))?
            }
            (Chosen::Members(_), false) => old.custom.clone(),
        };
        Self::to(old, record, custom)
    }

    /// A change to what the server made of a record.
    pub(in super::super) fn to(old: Kept<R>, record: R, custom: Option<String>) -> Result<Self> {
        Ok(Self {
            before: old.record.values()?,
            old,
            new: New {
                values: record.values()?,
                record,
                custom,
            },
        })
    }

    /// The columns that differ, with what they are to be.
    pub(super) fn pairs(&self) -> Vec<(&'static str, Value)> {
        let values = self.before.iter().zip(&self.new.values);
        let mut pairs: Vec<(&str, Value)> = R::COLUMNS
            .iter()
            .zip(values)
            .filter(|(_, (before, after))| before != after)
            .map(|(column, (_, after))| (column.name, after.clone()))
            .collect();
        if self.new.custom != self.old.custom {
            pairs.push(("custom", self.new.custom.clone().into()));
        }
        pairs
    }
}

/// Refuses what a caller may not write. What says what is there already is no change.
fn writable<R: Record>(context: &Context, column: &Column, given: &R, old: &R) -> Result<()> {
    let name = column.name;
    if matches!(column.access, Access::Caller | Access::Stamp) || !given.has(name) {
        return Ok(());
    }
    let mut probe = old.clone();
    probe.adopt(given, &|column| column.name == name);
    let new = old.id() == 0;
    if name == "organization_id" {
        return match given.number(name) == Some(context.organization.0) {
            true => Ok(()),
            false => Err(Error::forbidden("This organization is not the caller's")),
        };
    }
    if probe == *old || column.access == Access::Create && new {
        return Ok(());
    }
    Err(read_only(name))
}

fn refuse_alien<R: Record>(given: &R) -> Result<()> {
    given.alien().map_or(Ok(()), |name| Err(read_only(name)))
}

/// What callers do not write.
pub(in super::super) fn read_only(name: &str) -> Error {
    Error::invalid_field(name, format!("{name} cannot be set"))
}
