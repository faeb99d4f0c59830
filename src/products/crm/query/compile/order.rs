//! Orders as SQL.

use super::super::sql::Sql;
use super::{Compiler, Member};
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};

/// Most members a list is ordered by.
const KEYS: usize = 16;

/// A key of an order.
#[derive(Debug)]
pub(in super::super::super) struct Key {
    /// What is compared.
    value: String,
    /// Which way.
    direction: &'static str,
}

/// An order, by several keys.
#[derive(Debug)]
pub(in super::super::super) struct Order(Vec<Key>);

impl Order {
    /// As it is written behind a statement that reads from what was joined.
    pub(in super::super::super) fn own(&self) -> String {
        let keys = self
            .0
            .iter()
            .map(|key| [&key.value, key.direction].concat());
        keys.collect::<Vec<_>>().join(", ")
    }

    /// The values of the keys, under names of their own.
    pub(in super::super::super) fn named(&self) -> String {
        let keys = self.0.iter().enumerate();
        let named = keys.map(|(at, key)| format!("{} AS k{at}", key.value));
        named.collect::<Vec<_>>().join(", ")
    }

    /// As it is written by those names.
    pub(in super::super::super) fn by_name(&self) -> String {
        let keys = self.0.iter().enumerate();
        let named = keys.map(|(at, key)| format!("k{at}{}", key.direction));
        named.collect::<Vec<_>>().join(", ")
    }
}

impl Compiler<'_> {
    /// An order; adds to what is read from what it needs. The id is the last key, in the
    /// direction of the one before it, as the indexes have it.
    pub(in super::super::super) fn order(
        &self,
        keys: &[pb::Sort],
        joins: &mut Sql,
    ) -> Result<Order> {
        if keys.len() > KEYS {
            let words = format!("$sort must name at most {KEYS} members");
            return Err(Error::invalid_field("$sort", words));
        }
        let mut order = Vec::with_capacity(keys.len() + 1);
        for (at, key) in keys.iter().enumerate() {
            let (value, required) = match self.member(&key.field)? {
                Member::Column(column) => (format!("t.{}", column.name), column.required),
                Member::Field(field) => {
                    joins
                        .push(&format!(
                            " LEFT JOIN crm_custom_value s{at} ON s{at}.record = t.id \
                             AND s{at}.field = "
                        ))
                        .bind(field.id);
                    (format!("s{at}.{}", field.kept()), false)
                }
            };
            // PostgreSQL is told to do as SQLite does: null is less than anything.
            let direction = match (key.descending, self.postgres && !required) {
                (true, false) => " DESC",
                (true, true) => " DESC NULLS LAST",
                (false, false) => "",
                (false, true) => " NULLS FIRST",
            };
            order.push(Key { value, direction });
        }
        if !keys.iter().any(|key| key.field == "id") {
            let descending = keys.last().is_some_and(|key| key.descending);
            order.push(Key {
                value: "t.id".to_owned(),
                direction: if descending { " DESC" } else { "" },
            });
        }
        Ok(Order(order))
    }
}
