//! Experiments in the database. Every query names the project they belong to.

use prost::Message as _;
use sea_orm::{ConnectionTrait, QueryResult};

use super::state;
use crate::api::apex::growth::v1 as pb;
use crate::auth::ProjectId;
use crate::db::Tx;
use crate::db::sql::{execute, row, rows};
use crate::error::{Error, Result};

/// Most experiments of a project.
pub(super) const MOST: i64 = 1000;

pub(super) fn not_found() -> Error {
    Error::not_found("Experiment not found")
}

fn read(row: &QueryResult) -> Result<pb::Experiment> {
    let definition: Vec<u8> = row.try_get("", "definition")?;
    pb::Experiment::decode(definition.as_slice()).map_err(Error::internal)
}

/// An experiment of a project.
pub(super) async fn find(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    id: &str,
) -> Result<pb::Experiment> {
    let sql = "SELECT definition FROM growth_experiment WHERE project = $1 AND id = $2";
    let found = row(connection, sql, [project.into(), id.into()]).await?;
    read(&found.ok_or_else(not_found)?)
}

/// Experiments of a project, oldest first: of one status or of all, after one of them
/// or from the first.
pub(super) async fn list(
    connection: &impl ConnectionTrait,
    project: ProjectId,
    status: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<pb::Experiment>> {
    let mut from = 0_i64;
    if !after.is_empty() {
        let sql = "SELECT number FROM growth_experiment WHERE project = $1 AND id = $2";
        let last = row(connection, sql, [project.into(), after.into()]).await?;
        from = last.ok_or_else(not_found)?.try_get("", "number")?;
    }
    let mut values = vec![project.into(), from.into(), limit.into()];
    let filter = match status {
        Some(status) => {
            values.push(status.into());
            "AND status = $4 "
        }
        None => "",
    };
    let sql = format!(
        "SELECT definition FROM growth_experiment WHERE project = $1 AND number > $2 {filter}\
         ORDER BY number LIMIT $3"
    );
    let found = rows(connection, &sql, values).await?;
    found.iter().map(read).collect()
}

/// Keeps a new experiment.
pub(super) async fn insert(tx: &Tx, project: ProjectId, new: &pb::Experiment) -> Result<()> {
    let sql = "SELECT COUNT(*) AS n FROM growth_experiment WHERE project = $1";
    let count = row(tx, sql, [project.into()]).await?;
    let count = count.map(|row| row.try_get::<i64>("", "n")).transpose()?;
    if count >= Some(MOST) {
        let words = format!("A project has at most {MOST} experiments: delete some first");
        return Err(Error::invalid(words));
    }
    let sql = "INSERT INTO growth_experiment (id, project, status, due_at, definition) \
               VALUES ($1, $2, $3, $4, $5)";
    let values = [
        new.id.as_str().into(),
        project.into(),
        new.status.as_str().into(),
        state::due(new).into(),
        new.encode_to_vec().into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Keeps what an experiment has become.
pub(super) async fn save(tx: &Tx, project: ProjectId, changed: &pb::Experiment) -> Result<()> {
    let sql = "UPDATE growth_experiment SET status = $1, due_at = $2, definition = $3 \
               WHERE project = $4 AND id = $5";
    let values = [
        changed.status.as_str().into(),
        state::due(changed).into(),
        changed.encode_to_vec().into(),
        project.into(),
        changed.id.as_str().into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Forgets an experiment.
pub(super) async fn delete(tx: &Tx, project: ProjectId, id: &str) -> Result<()> {
    let sql = "DELETE FROM growth_experiment WHERE project = $1 AND id = $2";
    match execute(tx, sql, [project.into(), id.into()]).await? {
        0 => Err(not_found()),
        _ => Ok(()),
    }
}

/// Some of the experiments about which there is something to do by now.
pub(super) async fn due(
    connection: &impl ConnectionTrait,
    now: i64,
) -> Result<Vec<(ProjectId, pb::Experiment)>> {
    let sql = "SELECT project, definition FROM growth_experiment WHERE due_at <= $1 \
               ORDER BY due_at LIMIT 100";
    let found = rows(connection, sql, [now.into()]).await?;
    let read = |row: &QueryResult| Ok((ProjectId(row.try_get("", "project")?), read(row)?));
    found.iter().map(read).collect()
}

/// Some of the running experiments of all projects, with their numbers: those after one.
pub(super) async fn running(
    connection: &impl ConnectionTrait,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, ProjectId, pb::Experiment)>> {
    let sql = "SELECT number, project, definition FROM growth_experiment \
               WHERE status = 'running' AND number > $1 ORDER BY number LIMIT $2";
    let found = rows(connection, sql, [after.into(), limit.into()]).await?;
    let read = |row: &QueryResult| {
        let project = ProjectId(row.try_get("", "project")?);
        Ok((row.try_get("", "number")?, project, read(row)?))
    };
    found.iter().map(read).collect()
}
