//! The rows of a part as records, each with what is wrong with it.

use serde_json::{Map, Value as Json};

use super::super::column::Record;
use super::super::custom::Fields;
use super::super::query::read::CUSTOM;
use super::super::spreadsheet::plain;
use super::{Format, Options};
use crate::api::SCHEMA;
use crate::error::{Error, Result};
use crate::policy::Profile;
use crate::server::check::check;
use crate::transcode::json::{Rules, decode};
use crate::transcode::schema::Field;
use crate::transcode::wire::{WireType, put_bytes, put_tag};

/// A row by its number.
pub(super) type Row<R> = (i64, Result<R>);

/// Reads the rows of a part.
pub(super) fn rows<R: Record>(
    options: &Options,
    fields: &Fields,
    (first, body): (i64, &[u8]),
) -> Result<Vec<Row<R>>> {
    match options.format {
        Format::Csv => cells(options, fields, (first, body)),
        Format::Ndjson => Ok(lines(options, (first, body))),
    }
}

fn cells<R: Record>(
    options: &Options,
    fields: &Fields,
    (first, body): (i64, &[u8]),
) -> Result<Vec<Row<R>>> {
    let known = options
        .headings
        .iter()
        .map(|heading| Cell::of::<R>(heading.as_deref()));
    let known: Vec<Cell> = known.collect::<Result<_>>()?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(options.delimiter)
        .from_reader(body);
    let mut record = csv::ByteRecord::new();
    let mut rows = Vec::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(Error::internal)?
    {
        let number = first + rows.len() as i64;
        rows.push((number, row(&known, fields, &record)));
    }
    Ok(rows)
}

/// What a cell is.
enum Cell {
    Nothing,
    Member(&'static Field),
    Custom(String),
}

impl Cell {
    fn of<R: Record>(heading: Option<&str>) -> Result<Self> {
        let Some(heading) = heading else {
            return Ok(Self::Nothing);
        };
        if let Some(label) = heading.strip_prefix(CUSTOM) {
            return Ok(Self::Custom(label.trim_start_matches('.').to_owned()));
        }
        member::<R>(heading).map(Self::Member)
    }
}

fn member<R: Record>(name: &str) -> Result<&'static Field> {
    let schema = &crate::api::SCHEMA;
    let row = schema.find(R::MESSAGE).map(|id| schema.message(id));
    let found = row.and_then(|row| Some(&row.fields[usize::from(row.position(name, usize::MAX)?)]));
    found.ok_or_else(|| Error::internal(format!("{} has no {name}", R::MESSAGE)))
}

fn row<R: Record>(known: &[Cell], fields: &Fields, record: &csv::ByteRecord) -> Result<R> {
    if record.len() > known.len() {
        let words = format!(
            "The row has {} cells, below {} headings",
            record.len(),
            known.len()
        );
        return Err(Error::invalid(words));
    }
    let mut wire = Vec::with_capacity(record.as_slice().len() + 32);
    let mut custom = Map::new();
    for (cell, bytes) in known.iter().zip(record) {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Error::invalid("The row is not UTF-8"))?;
        let text = plain(text);
        match cell {
            _ if text.is_empty() => {}
            Cell::Nothing => {}
            Cell::Member(field) => {
                let read = decode::scalar(&SCHEMA, field, text, &mut wire);
                read.map_err(|fault| {
                    let name = &field.json;
                    Error::invalid_field(name.to_string(), format!("{name} {}", fault.what))
                })?;
            }
            Cell::Custom(label) => {
                custom.insert(label.clone(), fields.typed(label, text));
            }
        }
    }
    if !custom.is_empty() {
        put_tag(&mut wire, member::<R>(CUSTOM)?.number, WireType::Delimited);
        put_bytes(&mut wire, Json::Object(custom).to_string().as_bytes());
    }
    record_of(&wire)
}

fn record_of<R: Record>(wire: &[u8]) -> Result<R> {
    let record = R::decode(wire).map_err(Error::internal)?;
    check(&record)?;
    Ok(record)
}

fn lines<R: Record>(options: &Options, (first, body): (i64, &[u8])) -> Vec<Row<R>> {
    let lines = body.split(|byte| *byte == b'\n').zip(first..);
    let filled = lines.filter(|(line, _)| !line.iter().all(u8::is_ascii_whitespace));
    filled
        .map(|(bytes, number)| (number, line(options, bytes)))
        .collect()
}

fn line<R: Record>(options: &Options, bytes: &[u8]) -> Result<R> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::invalid("The row is not UTF-8"))?;
    let mut object: Map<String, Json> =
        serde_json::from_str(text).map_err(|_| Error::invalid("The row is no JSON object"))?;
    for (name, target) in &options.names {
        let Some(value) = object.shift_remove(name) else {
            continue;
        };
        match target
            .as_deref()
            .map(|target| (target, target.strip_prefix(CUSTOM)))
        {
            None => {}
            Some((_, Some(label))) => {
                let custom = object
                    .entry(CUSTOM)
                    .or_insert_with(|| Json::Object(Map::new()));
                if let Some(custom) = custom.as_object_mut() {
                    custom.insert(label.trim_start_matches('.').to_owned(), value);
                }
            }
            Some((target, None)) => {
                object.insert(target.to_owned(), value);
            }
        }
    }
    // As exports show them; what the server sets stays its own.
    object.retain(|name, _| R::column(name).is_none_or(super::is_given) && !is_joined::<R>(name));
    let id = SCHEMA.find(R::MESSAGE);
    let id = id.ok_or_else(|| Error::internal(format!("{} is not known", R::MESSAGE)))?;
    let text = Json::Object(object).to_string();
    let mut wire = Vec::with_capacity(text.len());
    let read = decode::message(&SCHEMA, Rules::of(Profile::Strict), id, &text, &mut wire);
    read.map_err(|fault| {
        let (path, words) = (fault.path(), fault.to_string());
        match path.is_empty() {
            true => Error::invalid(words),
            false => Error::invalid_field(path, words),
        }
    })?;
    record_of(&wire)
}

/// Whether a member is no column, and is known all the same.
fn is_joined<R: Record>(name: &str) -> bool {
    name != CUSTOM && R::column(name).is_none() && member::<R>(name).is_ok()
}
