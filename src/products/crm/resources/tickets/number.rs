//! The numbers of tickets: counted by organization and year, in the transaction that
//! makes the ticket, so that a ticket that is not made takes none.

use super::super::super::resource::Context;
use crate::db::Tx;
use crate::db::sql::row;
use crate::error::{Error, Result};

/// The next number, such as `TK-2024-001`. Others who want one wait for the end of the
/// transaction.
pub(super) async fn next(tx: &Tx, context: &Context) -> Result<String> {
    let now = jiff::Timestamp::from_microsecond(context.now).map_err(Error::internal)?;
    let year = i64::from(now.to_zoned(jiff::tz::TimeZone::UTC).year());
    let sql = "INSERT INTO crm_ticket_number (organization_id, year, last) VALUES ($1, $2, 1) \
               ON CONFLICT (organization_id, year) \
               DO UPDATE SET last = crm_ticket_number.last + 1 RETURNING last";
    let counted = row(tx, sql, [context.organization.into(), year.into()]).await?;
    let counted = counted.ok_or_else(|| Error::internal("a ticket was not counted"))?;
    let number: i64 = counted.try_get_by_index(0)?;
    Ok(format!("TK-{year}-{number:03}"))
}
