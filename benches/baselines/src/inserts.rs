//! Prepared inserts with nothing around them: no server, no checks, no counting.

use std::io::BufRead as _;
use std::path::Path;
use std::time::Instant;

use rusqlite::Connection;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::Outcome;
use crate::store::{INSERT, SCHEMA};

/// Rows per transaction, as large as the largest batch Apex takes.
const BATCH: usize = 1000;

#[derive(Deserialize)]
struct Event<'a> {
    event_name: &'a str,
    visitor_id: Option<&'a str>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Metadata<'a> {
    event_id: Option<&'a str>,
}

/// Inserts the events of an NDJSON file.
#[allow(clippy::print_stdout)] // the figure is the result
pub(crate) fn run(file: &Path, events: &Path, client_ids: bool, preload: usize) -> Outcome {
    let mut connection = Connection::open(file)?;
    connection.execute_batch(SCHEMA)?;
    let lines = std::io::BufReader::new(std::fs::File::open(events)?).lines();
    let lines = lines.collect::<Result<Vec<String>, _>>()?;
    let (before, measured) = lines.split_at(preload.min(lines.len()));
    for batch in before.chunks(BATCH) {
        insert(&mut connection, batch, client_ids)?;
    }
    let start = Instant::now();
    for batch in measured.chunks(BATCH) {
        insert(&mut connection, batch, client_ids)?;
    }
    println!(
        "{:.0}",
        measured.len() as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn insert(connection: &mut Connection, batch: &[String], client_ids: bool) -> Outcome {
    let transaction = connection.transaction()?;
    let mut statement = transaction.prepare_cached(INSERT)?;
    for (time, line) in batch.iter().enumerate() {
        let event: Event<'_> = serde_json::from_str(line)?;
        let properties = event.metadata.map(RawValue::get);
        let rest = (time as i64, event.event_name, event.visitor_id, properties);
        let metadata: Metadata<'_> = match properties {
            Some(text) if client_ids => serde_json::from_str(text)?,
            _ => Metadata::default(),
        };
        match metadata.event_id {
            Some(id) => statement.execute((id.as_bytes(), rest.0, rest.1, rest.2, rest.3))?,
            None => {
                let id = Uuid::now_v7();
                statement.execute((id.as_bytes().as_slice(), rest.0, rest.1, rest.2, rest.3))?
            }
        };
    }
    drop(statement);
    Ok(transaction.commit()?)
}
