//! Orders as SQL.

use super::super::sql::Sql;
use super::{Compiler, Member};
use crate::api::apex::crm::v1 as pb;
use crate::error::{Error, Result};

/// Most members a list is ordered by.
const KEYS: usize = 16;

impl Compiler<'_> {
    /// Adds an order, and to what is read from what it needs. The id is the last key,
    /// in the direction of the one before it, as the indexes have it.
    pub(in super::super::super) fn order(
        &self,
        keys: &[pb::Sort],
        joins: &mut Sql,
        order: &mut String,
    ) -> Result<()> {
        if keys.len() > KEYS {
            let words = format!("$sort must name at most {KEYS} members");
            return Err(Error::invalid_field("$sort", words));
        }
        let mut last = "";
        let mut by_id = false;
        for (at, key) in keys.iter().enumerate() {
            let (name, required) = match self.member(&key.field)? {
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
            last = if key.descending { " DESC" } else { "" };
            by_id |= key.field == "id";
            order.push_str(&name);
            order.push_str(last);
            if self.postgres && !required {
                // As SQLite has it: null is less than anything.
                order.push_str(if key.descending {
                    " NULLS LAST"
                } else {
                    " NULLS FIRST"
                });
            }
            order.push_str(", ");
        }
        if by_id {
            order.truncate(order.len() - ", ".len());
        } else {
            order.push_str("t.id");
            order.push_str(last);
        }
        Ok(())
    }
}
