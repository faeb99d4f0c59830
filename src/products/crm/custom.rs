//! Custom fields: what an organization adds to its records. A record keeps its values by
//! the numbers of their fields; beside it they stand in a table they are found by.

use sea_orm::{ConnectionTrait, QueryResult, Value};
use serde_json::{Map, Value as Json};

use super::cell::check;
use super::column::Kind;
use super::query::read::CUSTOM;
use crate::auth::OrganizationId;
use crate::db::Tx;
use crate::db::sql::{execute, rows};
use crate::error::{Error, Result};

/// Most bytes of a text.
const TEXT: usize = 4096;

/// The custom fields of a kind of records.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Definition>);

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

    /// The field with a name.
    pub(super) fn named(&self, name: &str) -> Option<&Definition> {
        self.0.iter().find(|field| field.name == name)
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

    /// Writes what a record keeps into the table it is found by.
    pub(super) async fn index(&self, tx: &Tx, record: i64, kept: Option<&str>) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let numbers = self.0.iter().map(|field| Value::from(field.id));
        let sql = format!(
            "DELETE FROM crm_custom_value WHERE record = $1 AND field IN ({})",
            crate::db::sql::placeholders(2, self.0.len())
        );
        execute(tx, &sql, [record.into()].into_iter().chain(numbers)).await?;
        let kept: Map<String, Json> = match kept {
            Some(kept) => serde_json::from_str(kept).map_err(Error::internal)?,
            None => return Ok(()),
        };
        for field in &self.0 {
            let Some(value) = kept.get(&field.id.to_string()) else {
                continue;
            };
            let (text, number) = match value {
                Json::Number(number) => (None, number.as_f64()),
                Json::Bool(flag) => (None, Some(f64::from(u8::from(*flag)))),
                Json::String(text) => (Some(text.clone()), None),
                Json::Null | Json::Array(_) | Json::Object(_) => continue,
            };
            let sql = "INSERT INTO crm_custom_value (field, record, text, number) \
                       VALUES ($1, $2, $3, $4)";
            let values = [field.id.into(), record.into(), text.into(), number.into()];
            execute(tx, sql, values).await?;
        }
        Ok(())
    }
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
    pub(super) fn operand(&self, value: Option<Value>) -> Option<Value> {
        match value? {
            Value::String(Some(text)) if self.is_number() => {
                // What is no number is the same as none.
                Some(text.parse::<f64>().unwrap_or(f64::NAN).into())
            }
            Value::BigInt(Some(flag)) if self.is_number() => Some((flag as f64).into()),
            other => Some(other),
        }
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
                .ok_or("must be text of at most 4096 bytes"),
        }
        .map_err(str::to_owned)
    }
}
