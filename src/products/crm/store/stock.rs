//! What every organization begins with: made when somebody first asks for it, whether
//! the organization is new or was there before the program knew of it. Once made, it is
//! the organization's own: what is removed does not come back.

use super::super::resource::{Context, Resource};
use super::write::create;
use crate::db::Db;
use crate::db::sql::{execute, row};
use crate::error::Result;

/// Makes what an organization begins with, unless that was done.
pub(in super::super) async fn stock<R: Resource>(db: &Db, context: &Context) -> Result<()> {
    let stock = R::stock();
    if stock.is_empty() {
        return Ok(());
    }
    let context = context.clone();
    let known = "SELECT 1 AS one FROM crm_stock WHERE organization_id = $1 AND resource = $2";
    let values = [context.organization.into(), R::NAME.into()];
    let read = db.read(None).await?;
    if row(&read, known, values).await?.is_some() {
        return Ok(());
    }
    drop(read);
    db.write(move |tx| {
        Box::pin(async move {
            let first = "INSERT INTO crm_stock (organization_id, resource) VALUES ($1, $2) \
                         ON CONFLICT (organization_id, resource) DO NOTHING";
            let values = [context.organization.into(), R::NAME.into()];
            if execute(tx, first, values).await? > 0 {
                // Nobody's doing: it is there from the beginning.
                let context = Context::of(context.organization, None, context.now);
                create::<R>(tx, &context, stock).await?;
            }
            Ok(())
        })
    })
    .await
}
