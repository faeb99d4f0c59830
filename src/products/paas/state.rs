//! What the platform knows of itself: who it is to the engine, and a number that grows
//! with every change of what is wanted, so that nothing is read while nothing changes.

use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::db::sql::{execute, row};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};

/// Something else is wanted than before.
pub(super) async fn changed(tx: &Tx) -> Result<()> {
    let sql = "UPDATE paas_state SET generation = generation + 1 WHERE id = 1";
    execute(tx, sql, []).await?;
    Ok(())
}

/// How often something else was wanted.
pub(super) async fn generation(connection: &impl ConnectionTrait) -> Result<i64> {
    let sql = "SELECT generation FROM paas_state WHERE id = 1";
    let found = row(connection, sql, []).await?;
    Ok(found.ok_or_else(lost)?.try_get("", "generation")?)
}

/// What tells this installation's containers from everybody else's.
pub(super) async fn instance(db: &Db) -> Result<String> {
    db.write(|tx| {
        Box::pin(async move {
            let sql = "UPDATE paas_state SET instance = $1 WHERE id = 1 AND instance = ''";
            execute(tx, sql, [Uuid::now_v7().to_string().into()]).await?;
            let sql = "SELECT instance FROM paas_state WHERE id = 1";
            let found = row(tx, sql, []).await?;
            Ok(found.ok_or_else(lost)?.try_get("", "instance")?)
        })
    })
    .await
}

fn lost() -> Error {
    Error::internal("the platform's own record is gone")
}
