//! Custom fields: what an organization adds to its records. A record keeps its values by
//! the numbers of their fields; beside it they stand in a table they are found by.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Value};
use serde_json::{Map, Number, Value as Json};

use super::cell::check;
use super::column::Kind;
use super::query::read::CUSTOM;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, ladder, placeholders, rows, tuples};
use crate::error::{Error, Result};

/// Most bytes of a text: it stands in an index, of which PostgreSQL takes no more.
const TEXT: usize = 2048;

/// The custom fields of a kind of records.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Definition>);

/// A record whose values were written.
#[derive(Debug)]
pub(super) struct Moved {
    /// Its number.
    pub(super) record: i64,
    /// Whether it had values.
    pub(super) before: bool,
    /// What it keeps now.
    pub(super) after: Option<String>,
}

/// A custom field.
#[derive(Debug)]
pub(super) struct Definition {
    /// Its number.
    pub(super) id: i64,
    name: String,
    kind: String,
    options: Vec<String>,
}

impl Fields {
    /// Reads the fields of an organization.
    pub(super) async fn read(
        connection: &impl ConnectionTrait,
        organization: OrganizationId,
        entity: &str,
    ) -> Result<Self> {
        let sql = "SELECT id, name, type, options FROM crm_custom_field \
                   WHERE organization_id = $1 AND entity_type = $2 AND deleted_at IS NULL \
                   ORDER BY id";
        let found = rows(connection, sql, [organization.into(), entity.into()]).await?;
        found
            .iter()
            .map(Definition::load)
            .collect::<Result<_>>()
            .map(Self)
    }

    /// An expression of the numbers and names of all fields, for a statement whose first
    /// value is the organization: enough to show what records keep.
    pub(super) fn names_of(backend: DbBackend, entity: &str) -> String {
        let own = format!(
            "FROM crm_custom_field WHERE organization_id = $1 AND entity_type = '{entity}' \
             AND deleted_at IS NULL"
        );
        match backend {
            DbBackend::Postgres => format!(
                "(SELECT CAST(JSON_AGG(JSON_BUILD_ARRAY(id, name) ORDER BY id) AS TEXT) {own})"
            ),
            _ => format!(
                "(SELECT JSON_GROUP_ARRAY(JSON_ARRAY(id, name)) \
                 FROM (SELECT id, name {own} ORDER BY id))"
            ),
        }
    }

    /// What that expression told.
    pub(super) fn told(names: Option<&str>) -> Result<Self> {
        let names: Vec<(i64, String)> = match names {
            Some(names) => serde_json::from_str(names).map_err(Error::internal)?,
            None => Vec::new(),
        };
        let fields = names.into_iter().map(|(id, name)| Definition {
            id,
            name,
            kind: String::new(),
            options: Vec::new(),
        });
        Ok(Self(fields.collect()))
    }

    /// The field with a name.
    pub(super) fn named(&self, name: &str) -> Option<&Definition> {
        self.0.iter().find(|field| field.name == name)
    }

    /// The names of all fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|field| field.name.as_str())
    }

    /// A value that stands as text, as what its field is. What it cannot be is found out
    /// as with any other.
    pub(super) fn typed(&self, name: &str, text: &str) -> Json {
        let kind = self.named(name).map(|field| field.kind.as_str());
        let typed = match (kind, text.to_lowercase().as_str()) {
            (Some("number"), _) => number(text).map(Json::Number),
            (Some("boolean"), "true" | "yes" | "1") => Some(Json::Bool(true)),
            (Some("boolean"), "false" | "no" | "0") => Some(Json::Bool(false)),
            _ => None,
        };
        typed.unwrap_or_else(|| Json::String(text.to_owned()))
    }

    /// The name of the field with a number, as records keep it.
    pub(super) fn numbered(&self, number: &str) -> Option<&str> {
        let number: i64 = number.parse().ok()?;
        let field = self.0.iter().find(|field| field.id == number)?;
        Some(&field.name)
    }

    /// What a record keeps, by the names of its fields.
    pub(super) fn shown(&self, kept: &str) -> Result<String> {
        let kept: Map<String, Json> = serde_json::from_str(kept).map_err(Error::internal)?;
        let named = self.0.iter().filter_map(|field| {
            let value = kept.get(&field.id.to_string())?;
            Some((field.name.clone(), value.clone()))
        });
        Ok(Json::Object(named.collect()).to_string())
    }

    /// What a record is to keep once these values, by name, are merged into it. With
    /// null a field has no value any more.
    pub(super) fn merged(&self, kept: Option<&str>, given: &str) -> Result<Option<String>> {
        let kept = kept.unwrap_or("{}");
        let mut kept: Map<String, Json> = serde_json::from_str(kept).map_err(Error::internal)?;
        let given: Map<String, Json> = serde_json::from_str(given)
            .map_err(|_| Error::invalid_field(CUSTOM, format!("{CUSTOM} must be an object")))?;
        for (name, value) in given {
            let path = format!("{CUSTOM}.{name}");
            let field = self.named(&name).ok_or_else(|| {
                Error::invalid_field(&path, format!("{path} is no custom field of these records"))
            })?;
            let number = field.id.to_string();
            if value.is_null() {
                kept.shift_remove(&number);
                continue;
            }
            let wrong = |what| Error::invalid_field(&path, format!("{path} {what}"));
            field.check(&value).map_err(wrong)?;
            kept.insert(number, value);
        }
        Ok((!kept.is_empty()).then(|| Json::Object(kept).to_string()))
    }

    /// Writes what records keep into the table they are found by.
    pub(super) async fn index(&self, tx: &Tx, moved: &[Moved]) -> Result<()> {
        if self.0.is_empty() || moved.is_empty() {
            return Ok(());
        }
        let known: Vec<i64> = moved
            .iter()
            .filter(|m| m.before)
            .map(|m| m.record)
            .collect();
        for records in ladder(&known) {
            let sql = format!(
                "DELETE FROM crm_custom_value WHERE record IN ({}) AND field IN ({})",
                placeholders(1, records.len()),
                placeholders(1 + records.len(), self.0.len())
            );
            let records = records.iter().copied();
            let fields = self.0.iter().map(|field| field.id);
            execute(tx, &sql, records.chain(fields).map(Value::from)).await?;
        }
        let mut entries = Vec::new();
        for moved in moved {
            let Some(kept) = &moved.after else {
                continue;
            };
            let kept: Map<String, Json> = serde_json::from_str(kept).map_err(Error::internal)?;
            let own = self.0.iter().filter_map(|field| {
                let value = kept.get(&field.id.to_string())?;
                field.entry(moved.record, value)
            });
            entries.extend(own);
        }
        for rows in ladder(&entries) {
            let sql = format!(
                "INSERT INTO crm_custom_value (field, record, text, number) VALUES {}",
                tuples(tx.get_database_backend(), 4, rows.len())
            );
            execute(tx, &sql, rows.iter().flatten().cloned()).await?;
        }
        Ok(())
    }
}

/// A number as files have it: `007`, `+5` and `.5` are some.
fn number(text: &str) -> Option<Number> {
    let whole = text.parse::<i64>().ok().map(Number::from);
    let exact = whole.or_else(|| text.parse().ok());
    exact.or_else(|| Number::from_f64(text.parse().ok()?))
}

impl Definition {
    fn load(row: &QueryResult) -> Result<Self> {
        let options: Option<String> = row.try_get("", "options")?;
        let options = serde_json::from_str(options.as_deref().unwrap_or("[]"));
        Ok(Self {
            id: row.try_get("", "id")?,
            name: row.try_get("", "name")?,
            kind: row.try_get("", "type")?,
            options: options.map_err(Error::internal)?,
        })
    }

    /// The row a value is found by: field, record, text and number.
    fn entry(&self, record: i64, value: &Json) -> Option<[Value; 4]> {
        let (text, number) = match value {
            Json::Number(number) => (None, number.as_f64()),
            Json::Bool(flag) => (None, Some(f64::from(u8::from(*flag)))),
            Json::String(text) => (Some(text.clone()), None),
            Json::Null | Json::Array(_) | Json::Object(_) => return None,
        };
        Some([self.id.into(), record.into(), text.into(), number.into()])
    }

    fn is_number(&self) -> bool {
        matches!(self.kind.as_str(), "number" | "boolean")
    }

    /// The column its values are found by.
    pub(super) fn kept(&self) -> &'static str {
        if self.is_number() { "number" } else { "text" }
    }

    /// What its values are compared as.
    pub(super) fn compared(&self) -> Kind {
        match self.kind.as_str() {
            "boolean" => Kind::Flag,
            "date" => Kind::Date,
            // Read as it is written; see below.
            _ => Kind::Text,
        }
    }

    /// A value to compare with, as its column keeps it.
    pub(super) fn operand(&self, value: Option<Value>) -> Result<Option<Value>, String> {
        Ok(match value {
            Some(Value::String(Some(text))) if self.is_number() => {
                let number = text.trim().parse::<f64>().ok();
                let number = number.filter(|number| number.is_finite());
                Some(number.ok_or("must be a number")?.into())
            }
            Some(Value::BigInt(Some(flag))) if self.is_number() => Some((flag as f64).into()),
            other => other,
        })
    }

    fn check(&self, value: &Json) -> Result<(), String> {
        let text = value.as_str();
        match self.kind.as_str() {
            "number" => value
                .as_f64()
                .filter(|n| n.is_finite())
                .map(drop)
                .ok_or("must be a number"),
            "boolean" => value.as_bool().map(drop).ok_or("must be true or false"),
            "date" => {
                check(text.unwrap_or_default(), Kind::Date)?;
                Ok(())
            }
            "select" => match self.options.iter().any(|own| Some(own.as_str()) == text) {
                true => Ok(()),
                false => return Err(format!("must be one of {}", self.options.join(", "))),
            },
            _ => text
                .filter(|text| text.len() <= TEXT && !text.contains('\0'))
                .map(drop)
                .ok_or("must be text of at most 2048 bytes"),
        }
        .map_err(str::to_owned)
    }
}
