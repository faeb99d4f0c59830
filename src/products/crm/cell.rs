//! A member of a record between its message, the database, and what a filter compares
//! it with.

use prost::Message as _;
use prost_types::Timestamp;
use sea_orm::{QueryResult, Value};

use super::column::{Column, Kind};
use super::decimal;
use crate::api::apex::crm::v1 as pb;
use crate::db::sql;
use crate::error::{Error, Result};
use crate::products::{micros, timestamp};

/// A type of members.
pub(super) trait Cell: Sized {
    /// Reads the column at a place of a row.
    fn load(row: &QueryResult, at: usize, column: &Column) -> Result<Self>;
    /// What the database keeps, or what is wrong.
    fn store(&self, kind: Kind) -> Result<Value, String>;
    /// Whether there is a value.
    fn is_set(&self) -> bool;
    /// The whole number it is, if it is one.
    fn number(&self) -> Option<i64> {
        None
    }
    /// Becomes what is kept as a whole number, if that can be.
    fn set_number(&mut self, _number: i64) {}
}

impl Cell for i64 {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        sql::column(row, at)
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        Ok((*self).into())
    }

    fn is_set(&self) -> bool {
        // The number of a record is set by the database.
        true
    }

    fn number(&self) -> Option<i64> {
        Some(*self)
    }

    fn set_number(&mut self, number: i64) {
        *self = number;
    }
}

impl Cell for Option<i64> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        sql::column(row, at)
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        Ok((*self).into())
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn number(&self) -> Option<i64> {
        *self
    }

    fn set_number(&mut self, number: i64) {
        *self = Some(number);
    }
}

impl Cell for Option<bool> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        let kept: Option<i64> = sql::column(row, at)?;
        Ok(kept.map(|kept| kept != 0))
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        Ok(self.map(i64::from).into())
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }
}

/// A decimal that JSON shows as a number.
impl Cell for Option<f64> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        let kept: Option<i64> = sql::column(row, at)?;
        Ok(kept.map(decimal::number))
    }

    fn store(&self, kind: Kind) -> Result<Value, String> {
        let text = self.map(|number| number.to_string());
        text.store(kind)
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }
}

impl Cell for Option<Timestamp> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        let kept: Option<i64> = sql::column(row, at)?;
        Ok(kept.map(timestamp))
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        let kept = self
            .as_ref()
            .map(|time| micros(time).ok_or("is out of range"));
        Ok(kept.transpose()?.into())
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn set_number(&mut self, number: i64) {
        *self = Some(timestamp(number));
    }
}

impl Cell for Option<String> {
    fn load(row: &QueryResult, at: usize, column: &Column) -> Result<Self> {
        let digits = |row: &QueryResult| -> Result<Option<i64>> { sql::column(row, at) };
        Ok(match column.kind {
            Kind::Money => digits(row)?.map(decimal::money),
            Kind::Decimal => digits(row)?.map(decimal::plain),
            _ => sql::column(row, at)?,
        })
    }

    fn store(&self, kind: Kind) -> Result<Value, String> {
        let text = self.as_deref();
        match kind {
            Kind::Money => Ok(text.map(|text| decimal::parse(text, 2)).transpose()?.into()),
            Kind::Decimal => Ok(text.map(|text| decimal::parse(text, 4)).transpose()?.into()),
            Kind::Alien => Ok(text.map(alien).transpose()?.flatten().into()),
            _ => {
                text.map_or(Ok(()), |text| check(text, kind))?;
                Ok(self.clone().into())
            }
        }
    }

    fn is_set(&self) -> bool {
        self.as_ref().is_some_and(|text| !text.trim().is_empty())
    }
}

/// Kept as the message it is.
impl Cell for Option<pb::Place> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        let kept: Option<Vec<u8>> = sql::column(row, at)?;
        let read = kept.map(|kept| pb::Place::decode(kept.as_slice()));
        read.transpose().map_err(Error::internal)
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        Ok(self.as_ref().map(prost::Message::encode_to_vec).into())
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }
}

/// A list of texts, kept as JSON.
impl Cell for Vec<String> {
    fn load(row: &QueryResult, at: usize, _: &Column) -> Result<Self> {
        let kept: Option<String> = sql::column(row, at)?;
        let kept = kept.as_deref().unwrap_or("[]");
        serde_json::from_str(kept).map_err(Error::internal)
    }

    fn store(&self, _: Kind) -> Result<Value, String> {
        let text = serde_json::to_string(self).map_err(|error| error.to_string())?;
        Ok(Some(text).into())
    }

    fn is_set(&self) -> bool {
        !self.is_empty()
    }
}

/// A name of another system's: JSON in one form, so that the same is the same text.
fn alien(json: &str) -> Result<Option<String>, String> {
    let text = match serde_json::from_str(json) {
        Ok(serde_json::Value::Null) => return Ok(None),
        Ok(serde_json::Value::Number(number)) if number.is_u64() => number.to_string(),
        Ok(serde_json::Value::String(text)) if !text.is_empty() && text.len() <= 255 => text,
        _ => return Err("must be a whole number or a text".to_owned()),
    };
    Ok(Some(alien_text(&text)))
}

/// The same of its text, which may be digits.
pub(super) fn alien_text(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(number) => number.to_string(),
        Err(_) => serde_json::Value::from(text).to_string(),
    }
}

/// Checks a text of a kind.
pub(super) fn check(text: &str, kind: Kind) -> Result<(), String> {
    let sound = |sound: bool, what: &str| sound.then_some(()).ok_or(what.to_owned());
    match kind {
        Kind::Email => sound(is_email(text), "is no e-mail address"),
        Kind::Word(words) => sound(
            words.contains(&text),
            &format!("must be one of {}", words.join(", ")),
        ),
        Kind::Date => sound(
            text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
            "must be a date such as 2024-01-31",
        ),
        Kind::Clock => sound(
            text.len() == 8 && text.parse::<jiff::civil::Time>().is_ok(),
            "must be a time such as 14:30:00",
        ),
        Kind::Integer
        | Kind::Reference(_)
        | Kind::Text
        | Kind::Money
        | Kind::Decimal
        | Kind::Time
        | Kind::Flag
        | Kind::Alien
        | Kind::Opaque => Ok(()),
    }
}

/// Something, one `@`, and a host; whether it exists only a letter to it can tell.
fn is_email(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace());
    text.split_once('@').is_some_and(|(name, host)| {
        let labels = || host.split('.');
        plain(name) && plain(host) && !host.contains('@') && labels().all(|l| !l.is_empty())
    })
}
