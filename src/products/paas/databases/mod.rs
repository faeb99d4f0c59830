//! Managed databases: one container each, with a volume and credentials made for it.

mod backups;

use sea_orm::{ConnectionTrait, QueryResult, Value};
use uuid::Uuid;

use super::engine::{Outcome, Release, Runtime, Workload};
use super::vault::Place;
use super::{Paas, rules, state};
use crate::api::DatabaseService;
use crate::api::apex::paas::v1 as pb;
use crate::auth::{self, OrganizationId};
use crate::config;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};
use crate::policy::Role;
use crate::products::timestamp;
use crate::server::{Call, Reply};

/// Databases of an organization at the most.
const MOST: i64 = 100;
/// What is shown in place of a password.
const MASK: &str = "********";
/// The database's own name in it, and who owns it.
const DATABASE: &str = "app";
const USERNAME: &str = "app";
/// Seconds a database may take until it takes connections; the first start is slow.
const PATIENCE_S: u32 = 120;

/// What a database speaks.
struct Kind {
    kind: pb::DatabaseType,
    word: &'static str,
    scheme: &'static str,
    port: u16,
    volume: &'static str,
}

const KINDS: [Kind; 4] = [
    Kind {
        kind: pb::DatabaseType::Postgres,
        word: "postgres",
        scheme: "postgres",
        port: 5432,
        volume: "/var/lib/postgresql/data",
    },
    Kind {
        kind: pb::DatabaseType::Mysql,
        word: "mysql",
        scheme: "mysql",
        port: 3306,
        volume: "/var/lib/mysql",
    },
    Kind {
        kind: pb::DatabaseType::Redis,
        word: "redis",
        scheme: "redis",
        port: 6379,
        volume: "/data",
    },
    Kind {
        kind: pb::DatabaseType::Mongodb,
        word: "mongodb",
        scheme: "mongodb",
        port: 27017,
        volume: "/data/db",
    },
];

/// Sizes: their word, memory in MiB, and processors.
const SIZES: [(pb::DatabaseSize, &str, u32, f64); 3] = [
    (pb::DatabaseSize::Small, "small", 512, 0.5),
    (pb::DatabaseSize::Medium, "medium", 2048, 1.0),
    (pb::DatabaseSize::Large, "large", 8192, 4.0),
];

const STATUSES: [(pb::DatabaseStatus, &str); 3] = [
    (pb::DatabaseStatus::Pending, "pending"),
    (pb::DatabaseStatus::Running, "running"),
    (pb::DatabaseStatus::Failed, "failed"),
];

/// A database as it is kept.
#[derive(Debug, Clone)]
pub(super) struct Database {
    number: i64,
    pub(super) id: String,
    pub(super) organization: OrganizationId,
    name: String,
    kind: String,
    size: String,
    status: String,
    message: Option<String>,
    password: Vec<u8>,
    local_port: Option<i64>,
    created_at: i64,
    pub(super) deleted: bool,
    /// What is to be done while it is stopped.
    pub(super) task: Option<String>,
}

const COLUMNS: &str = "number, id, organization, name, kind, size, status, message, password, \
                       port, created_at, deleted_at, task";

impl Database {
    fn of(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            number: row.try_get("", "number")?,
            id: row.try_get("", "id")?,
            organization: OrganizationId(row.try_get("", "organization")?),
            name: row.try_get("", "name")?,
            kind: row.try_get("", "kind")?,
            size: row.try_get("", "size")?,
            status: row.try_get("", "status")?,
            message: row.try_get("", "message")?,
            password: row.try_get("", "password")?,
            local_port: row.try_get("", "port")?,
            created_at: row.try_get("", "created_at")?,
            deleted: row.try_get::<Option<i64>>("", "deleted_at")?.is_some(),
            task: row.try_get("", "task")?,
        })
    }

    fn kind(&self) -> Result<&'static Kind> {
        let known = KINDS.iter().find(|own| own.word == self.kind);
        known.ok_or_else(|| Error::internal("a database of an unknown type"))
    }

    /// As callers see it; with its password, or masked.
    fn message(&self, password: Option<String>) -> Result<pb::Database> {
        let kind = self.kind()?;
        let running = self.status == "running";
        let size = SIZES.iter().find(|(_, word, ..)| *word == self.size);
        let status = STATUSES.iter().find(|(_, word)| *word == self.status);
        let shown = password.as_deref().unwrap_or(MASK);
        let (host, port, scheme) = (&self.name, kind.port, kind.scheme);
        let string = match kind.kind {
            pb::DatabaseType::Redis => format!("{scheme}://:{shown}@{host}:{port}"),
            pb::DatabaseType::Mongodb => {
                format!("{scheme}://{USERNAME}:{shown}@{host}:{port}/{DATABASE}?authSource=admin")
            }
            _ => format!("{scheme}://{USERNAME}:{shown}@{host}:{port}/{DATABASE}"),
        };
        Ok(pb::Database {
            id: self.id.clone(),
            name: self.name.clone(),
            r#type: kind.kind.into(),
            size: size.map_or(0, |(size, ..)| (*size).into()),
            status: status.map_or(0, |(status, _)| (*status).into()),
            connection_string: running.then_some(string),
            host: running.then(|| host.clone()),
            port: running.then(|| port.into()),
            local_port: self
                .local_port
                .filter(|_| running)
                .and_then(|port| i32::try_from(port).ok()),
            database: DATABASE.to_owned(),
            username: USERNAME.to_owned(),
            password,
            message: self.message.clone(),
            created_at: Some(timestamp(self.created_at)),
        })
    }

    fn password(&self, paas: &Paas) -> Result<String> {
        let place = Place::Database(&self.id);
        paas.vault()
            .open_text(&self.password, self.organization, place)
    }

    /// What the engine is told.
    fn workload(&self, paas: &Paas, images: &config::Paas) -> Result<Workload> {
        if self.deleted {
            return Ok(Workload {
                organization: self.organization.0,
                ..Workload::gone(&self.id)
            });
        }
        let (kind, password) = (self.kind()?, self.password(paas)?);
        let size = SIZES.iter().find(|(_, word, ..)| *word == self.size);
        let (memory_mb, cpus) = size.map_or((512, 0.5), |(_, _, memory, cpus)| (*memory, *cpus));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut command = Vec::new();
        let (image, env) = match kind.kind {
            pb::DatabaseType::Mysql => (
                &images.mysql_image,
                vec![
                    pair("MYSQL_DATABASE", DATABASE),
                    pair("MYSQL_USER", USERNAME),
                    pair("MYSQL_PASSWORD", &password),
                    pair("MYSQL_ROOT_PASSWORD", &password),
                ],
            ),
            pb::DatabaseType::Redis => {
                let words = [
                    "redis-server",
                    "--appendonly",
                    "yes",
                    "--requirepass",
                    &password,
                ];
                command = words.map(str::to_owned).to_vec();
                (&images.redis_image, Vec::new())
            }
            pb::DatabaseType::Mongodb => (
                &images.mongodb_image,
                vec![
                    pair("MONGO_INITDB_ROOT_USERNAME", USERNAME),
                    pair("MONGO_INITDB_ROOT_PASSWORD", &password),
                    pair("MONGO_INITDB_DATABASE", DATABASE),
                ],
            ),
            pb::DatabaseType::Postgres | pb::DatabaseType::Unspecified => (
                &images.postgres_image,
                vec![
                    pair("POSTGRES_DB", DATABASE),
                    pair("POSTGRES_USER", USERNAME),
                    pair("POSTGRES_PASSWORD", &password),
                ],
            ),
        };
        let release = Release {
            deployment: self.id.clone(),
            image: image.clone(),
            digest: None,
            env,
            command,
            port: kind.port,
            health_path: String::new(),
            patience_s: PATIENCE_S,
            memory_mb,
            cpus,
        };
        Ok(Workload {
            id: self.id.clone(),
            name: self.name.clone(),
            organization: self.organization.0,
            replicas: 1,
            release: Some(release),
            proven: true,
            volume: Some(kind.volume.to_owned()),
        })
    }
}

impl DatabaseService for Paas {
    async fn list_databases(
        &self,
        call: Call,
        _: pb::ListDatabasesRequest,
    ) -> Result<Reply<pb::ListDatabasesResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM paas_database WHERE organization = $1 \
             AND deleted_at IS NULL ORDER BY number"
        );
        let found = rows(&read, &sql, [call.organization()?.into()]).await?;
        let shown = found.iter().map(|row| Database::of(row)?.message(None));
        let databases = shown.collect::<Result<_>>()?;
        Ok(pb::ListDatabasesResponse { databases }.into())
    }

    async fn create_database(
        &self,
        call: Call,
        request: pb::CreateDatabaseRequest,
    ) -> Result<Reply<pb::CreateDatabaseResponse>> {
        let fresh = Fresh::of(&request)?;
        self.engine()?;
        let (paas, organization, now) = (self.clone(), call.organization()?, self.now());
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let made = make(tx, &paas, organization, fresh, now).await?;
                let password = made.password(&paas)?;
                let database = Some(made.message(Some(password))?);
                Ok(pb::CreateDatabaseResponse { database })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn get_database(
        &self,
        call: Call,
        request: pb::GetDatabaseRequest,
    ) -> Result<Reply<pb::GetDatabaseResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let found = find(&read, call.organization()?, &request.id).await?;
        let password = match may_write(&call) {
            true => Some(found.password(self)?),
            false => None,
        };
        let database = Some(found.message(password)?);
        Ok(pb::GetDatabaseResponse { database }.into())
    }

    async fn delete_database(
        &self,
        call: Call,
        request: pb::DeleteDatabaseRequest,
    ) -> Result<Reply<pb::DeleteDatabaseResponse>> {
        let (organization, now) = (call.organization()?, self.now());
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let found = find(tx, organization, &request.id).await?;
                let sql = "UPDATE paas_database SET deleted_at = $1 \
                           WHERE organization = $2 AND number = $3";
                let values = [now.into(), organization.into(), found.number.into()];
                execute(tx, sql, values).await?;
                state::changed(tx).await?;
                Ok(pb::DeleteDatabaseResponse { success: true })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn create_backup(
        &self,
        call: Call,
        request: pb::CreateBackupRequest,
    ) -> Result<Reply<pb::CreateBackupResponse>> {
        let (organization, now) = (call.organization()?, self.now());
        let read = self.db().read(call.deadline()).await?;
        find(&read, organization, &request.id).await?;
        drop(read);
        self.engine()?;
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = find(tx, organization, &request.id).await?;
                let backup = Some(backups::ask(tx, &own, now).await?);
                Ok(pb::CreateBackupResponse { backup })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }

    async fn list_backups(
        &self,
        call: Call,
        request: pb::ListBackupsRequest,
    ) -> Result<Reply<pb::ListBackupsResponse>> {
        let read = self.db().read(call.deadline()).await?;
        let own = find(&read, call.organization()?, &request.id).await?;
        let backups = backups::list(&read, own.number).await?;
        Ok(pb::ListBackupsResponse { backups }.into())
    }

    async fn delete_backup(
        &self,
        call: Call,
        request: pb::DeleteBackupRequest,
    ) -> Result<Reply<pb::DeleteBackupResponse>> {
        let organization = call.organization()?;
        let file = self.backup_file(&request.backup_id);
        let answer = self.db().answer(call.attempt(), move |tx| {
            Box::pin(async move {
                let own = find(tx, organization, &request.id).await?;
                backups::delete(tx, &own, &request.backup_id).await?;
                Ok(pb::DeleteBackupResponse { success: true })
            })
        });
        let answer = answer.await?;
        // Nobody knows of it any more.
        let _ = tokio::fs::remove_file(file).await;
        Ok(answer.into())
    }

    async fn restore_database(
        &self,
        call: Call,
        request: pb::RestoreDatabaseRequest,
    ) -> Result<Reply<pb::RestoreDatabaseResponse>> {
        let organization = call.organization()?;
        let read = self.db().read(call.deadline()).await?;
        find(&read, organization, &request.id).await?;
        drop(read);
        self.engine()?;
        let answer = self.written(&call, move |tx| {
            Box::pin(async move {
                let own = find(tx, organization, &request.id).await?;
                backups::put_back(tx, &own, &request.backup_id).await?;
                let own = find(tx, organization, &request.id).await?;
                let database = Some(own.message(None)?);
                Ok(pb::RestoreDatabaseResponse { database })
            })
        });
        let answer = answer.await?;
        Ok(answer.into())
    }
}

/// Whether the caller may change what it reads, and so may see passwords.
fn may_write(call: &Call) -> bool {
    let principal = call.principal();
    let role = principal.is_operator() || principal.role >= Some(Role::Member);
    let scope = match &principal.actor {
        auth::Actor::Key { scopes, .. } => scopes.allow(crate::policy::Scope {
            product: "paas",
            write: true,
        }),
        auth::Actor::Session { .. } | auth::Actor::Operator => true,
        auth::Actor::Anonymous | auth::Actor::Page => false,
    };
    role && scope
}

/// A database that may be made.
#[derive(Debug)]
struct Fresh {
    name: String,
    kind: &'static str,
    size: &'static str,
}

impl Fresh {
    fn of(request: &pb::CreateDatabaseRequest) -> Result<Self> {
        rules::label("name", &request.name)?;
        let kind = KINDS.iter().find(|own| own.kind as i32 == request.r#type);
        let kind = kind.ok_or_else(|| {
            let words = "type must be one of postgres, mysql, redis, mongodb";
            Error::invalid_field("type", words)
        })?;
        let size = match request.size {
            0 => Some("small"),
            number => SIZES
                .iter()
                .find(|(own, ..)| *own as i32 == number)
                .map(|(_, word, ..)| *word),
        };
        let size = size.ok_or_else(|| {
            Error::invalid_field("size", "size must be one of small, medium, large")
        })?;
        Ok(Self {
            name: request.name.clone(),
            kind: kind.word,
            size,
        })
    }
}

async fn make(
    tx: &Tx,
    paas: &Paas,
    organization: OrganizationId,
    fresh: Fresh,
    now: i64,
) -> Result<Database> {
    let sql = "SELECT COUNT(*) AS n, COUNT(CASE WHEN name = $2 THEN 1 END) AS same \
               FROM paas_database WHERE organization = $1 AND deleted_at IS NULL";
    let values = [organization.into(), fresh.name.as_str().into()];
    if let Some(found) = row(tx, sql, values).await? {
        if found.try_get::<i64>("", "same")? > 0 {
            let words = "name is taken by another database of the organization";
            return Err(Error::invalid_field("name", words));
        }
        if found.try_get::<i64>("", "n")? >= MOST {
            let words = format!("An organization has at most {MOST} databases");
            return Err(Error::forbidden(words));
        }
    }
    free(tx, "paas_service", organization, &fresh.name).await?;
    let id = Uuid::now_v7().to_string();
    let password = auth::password();
    let place = Place::Database(&id);
    let sealed = paas
        .vault()
        .seal_text(password.reveal(), organization, place)?;
    let sql = "INSERT INTO paas_database (id, organization, name, kind, size, status, password, \
               created_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7)";
    let values: [Value; 7] = [
        id.as_str().into(),
        organization.into(),
        fresh.name.into(),
        fresh.kind.into(),
        fresh.size.into(),
        sealed.into(),
        now.into(),
    ];
    execute(tx, sql, values).await?;
    state::changed(tx).await?;
    find(tx, organization, &id).await
}

/// Refuses a name that leads to something else in the network of the organization.
pub(super) async fn free(
    tx: &Tx,
    table: &'static str,
    organization: OrganizationId,
    name: &str,
) -> Result<()> {
    let sql = format!(
        "SELECT 1 AS one FROM {table} WHERE organization = $1 AND name = $2 \
         AND deleted_at IS NULL"
    );
    match row(tx, &sql, [organization.into(), name.into()]).await? {
        None => Ok(()),
        Some(_) => Err(Error::invalid_field(
            "name",
            "name is taken by a service or a database of the organization",
        )),
    }
}

async fn find(
    connection: &impl ConnectionTrait,
    organization: OrganizationId,
    id: &str,
) -> Result<Database> {
    let sql = format!(
        "SELECT {COLUMNS} FROM paas_database WHERE organization = $1 AND id = $2 \
         AND deleted_at IS NULL"
    );
    let found = row(connection, &sql, [organization.into(), id.into()]).await?;
    Database::of(&found.ok_or_else(|| Error::not_found("Database not found"))?)
}

/// All databases of all organizations, deleted ones too: what the reconciler looks after.
pub(super) async fn all(connection: &impl ConnectionTrait) -> Result<Vec<Database>> {
    let sql = format!("SELECT {COLUMNS} FROM paas_database ORDER BY number");
    let found = rows(connection, &sql, []).await?;
    found.iter().map(Database::of).collect()
}

/// Looks after a database; says whether it is as it is wanted.
pub(super) async fn drive(paas: &Paas, engine: &dyn Runtime, id: &str) -> Result<bool> {
    let read = paas.db().read(None).await?;
    let sql = format!("SELECT {COLUMNS} FROM paas_database WHERE id = $1");
    let found = row(&read, &sql, [id.into()]).await?;
    drop(read);
    let Some(found) = found else {
        return Ok(true);
    };
    let own = Database::of(&found)?;
    if let Some(task) = own.task.clone().filter(|_| !own.deleted) {
        return backups::work(paas, engine, &own, &task).await;
    }
    let outcome = engine
        .converge(own.workload(paas, &paas.0.settings)?)
        .await?;
    if own.deleted {
        engine.forget(own.id.clone()).await?;
        backups::remove_files(paas, own.number).await?;
    }
    let settled = outcome.is_settled();
    let written = paas.db().write(move |tx| {
        Box::pin(async move {
            if own.deleted {
                let sql = "DELETE FROM paas_backup WHERE database = $1";
                execute(tx, sql, [own.number.into()]).await?;
                let sql = "DELETE FROM paas_database \
                           WHERE number = $1 AND deleted_at IS NOT NULL";
                execute(tx, sql, [own.number.into()]).await?;
                return state::changed(tx).await;
            }
            let (status, message, port) = match outcome {
                // Why the last backup or restore failed stays to be read.
                Outcome::Settled { local_port, .. } | Outcome::Mended { local_port, .. } => {
                    let told = own.message.filter(|_| own.status == "pending");
                    ("running", told, local_port)
                }
                Outcome::Failed { reason } | Outcome::Short { reason, .. } => {
                    ("failed", Some(reason), None)
                }
            };
            let sql = "UPDATE paas_database SET status = $1, message = $2, port = $3 \
                       WHERE number = $4";
            let values: [Value; 4] = [
                status.into(),
                message.into(),
                port.map(i64::from).into(),
                own.number.into(),
            ];
            execute(tx, sql, values).await?;
            Ok(())
        })
    });
    written.await?;
    Ok(settled)
}
