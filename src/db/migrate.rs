//! Applies and checks migrations. Only one process migrates at a time: on SQLite
//! the data directory has one owner, on PostgreSQL an advisory lock is held.

use migration::{MigrationStatus, MigratorTraitSelf as _, PRODUCTS, Product};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, TransactionTrait as _};

use super::Db;
use crate::error::{Error, Kind, Result};

/// Any number will do, as long as all processes use the same.
const LOCK: i64 = 0x6170_6578;

/// A migration and whether it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Product it belongs to.
    pub product: &'static str,
    /// Name of the migration.
    pub name: String,
    /// Whether it is applied.
    pub applied: bool,
}

/// All migrations, and whether they are applied. A schema that is newer than
/// this program is refused.
pub async fn status(db: &Db) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for product in PRODUCTS {
        let found = product.get_migration_with_status(db.admin()).await;
        for migration in found.map_err(|error| newer(product, error))? {
            steps.push(Step {
                product: product.name,
                name: migration.name().to_owned(),
                applied: migration.status() == MigrationStatus::Applied,
            });
        }
    }
    Ok(steps)
}

/// Applies what is missing.
pub async fn up(db: &Db) -> Result<()> {
    locked(db, async |product| product.up(db.admin(), None).await).await
}

/// Undoes the last `steps` migrations of one product.
pub async fn down(db: &Db, name: &str, steps: u32) -> Result<()> {
    locked(db, async |product| match product.name == name {
        true => product.down(db.admin(), Some(steps)).await,
        false => Ok(()),
    })
    .await
}

/// Refuses a schema that is behind; the message says what mends it.
pub async fn require_current(db: &Db) -> Result<()> {
    let behind = status(db).await?.into_iter().find(|step| !step.applied);
    match behind {
        None => Ok(()),
        Some(step) => Err(Error::new(
            Kind::FailedPrecondition,
            format!(
                "the database schema is behind: {} of {} is not applied; run `apex migrate up`",
                step.name, step.product
            ),
        )),
    }
}

async fn locked(db: &Db, run: impl AsyncFn(Product) -> Result<(), DbErr>) -> Result<()> {
    // The lock lives as long as this transaction, whatever happens.
    let lock = match db.backend() {
        DbBackend::Postgres => {
            let lock = db.admin().begin().await?;
            let sql = "SELECT pg_advisory_xact_lock($1)";
            let values = [LOCK.into()];
            lock.query_one_raw(Statement::from_sql_and_values(
                DbBackend::Postgres,
                sql,
                values,
            ))
            .await?;
            Some(lock)
        }
        _ => None,
    };
    for product in PRODUCTS {
        run(product).await.map_err(|error| newer(product, error))?;
    }
    if let Some(lock) = lock {
        lock.commit().await?;
    }
    Ok(())
}

/// The migrator says of an applied migration it does not know that its file is
/// missing: the schema was made by a later version.
fn newer(product: Product, error: DbErr) -> Error {
    match &error {
        DbErr::Custom(text) if text.contains("is missing") => Error::new(
            Kind::FailedPrecondition,
            format!(
                "the database schema of {} is newer than this version of apex; \
                 run the version that made it, or a later one",
                product.name
            ),
        )
        .caused_by(error),
        _ => error.into(),
    }
}
