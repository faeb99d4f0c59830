//! Applies and checks migrations. Whatever is to be done is done in one
//! transaction, so that a process that is killed leaves the schema as it was. Only
//! one process migrates at a time: on SQLite the data directory has one owner, on
//! PostgreSQL that transaction holds an advisory lock.

use migration::{MigrationStatus, MigratorTraitSelf as _, PRODUCTS, Product};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};

use super::{Db, sql};
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
    steps(db.admin()).await
}

async fn steps(connection: &impl ConnectionTrait) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for product in PRODUCTS {
        let found = product.get_migration_with_status_read_only(connection);
        for migration in found.await.map_err(|error| newer(product, error))? {
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
    if status(db).await?.iter().all(|step| step.applied) {
        return Ok(());
    }
    let tx = begin(db).await?;
    // Another process may have been here meanwhile, also a later version.
    let known = steps(&tx).await?;
    for product in PRODUCTS {
        product.up(&tx, None).await?;
    }
    tx.commit().await?;
    for Product { name, .. } in PRODUCTS {
        let pending = |step: &&Step| step.product == name && !step.applied;
        let applied = known.iter().filter(pending).count();
        if applied > 0 {
            tracing::info!(product = name, migrations = applied, "schema is up to date");
        }
    }
    Ok(())
}

/// Undoes the last `steps` migrations of one product.
pub async fn down(db: &Db, name: &str, steps: u32) -> Result<()> {
    let tx = begin(db).await?;
    self::steps(&tx).await?;
    for product in PRODUCTS.iter().filter(|product| product.name == name) {
        product.down(&tx, Some(steps)).await?;
    }
    Ok(tx.commit().await?)
}

/// What undoing a migration destroys, with all that is in it.
pub fn destroyed_by(step: &Step) -> Vec<String> {
    let own = PRODUCTS.iter().find(|product| product.name == step.product);
    own.map_or_else(Vec::new, |product| product.destroyed_by(&step.name))
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

/// Begins the transaction of a migration, once nobody else is in one.
async fn begin(db: &Db) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..Default::default()
    };
    let tx = db.admin().begin_with_options(options).await?;
    if db.backend() == DbBackend::Postgres {
        // A migration may take longer than any call, and so may waiting for one.
        tx.execute_unprepared("SET LOCAL statement_timeout = 0")
            .await?;
        let sql = "SELECT pg_advisory_xact_lock($1)";
        sql::row(&tx, sql, [LOCK.into()]).await?;
    }
    Ok(tx)
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
        .caused_by(text.replace('\n', "; ")),
        _ => error.into(),
    }
}
