//! What a filter compares with, as the database keeps it: texts of a URL and typed
//! values of a message are read alike, by the kind of the member.

use sea_orm::Value;

use super::super::cell::{alien_text, check};
use super::super::column::Kind;
use super::super::decimal;
use crate::api::apex::crm::v1 as pb;
use crate::products::micros;
use pb::operand::Kind as Of;

/// A value to compare with; `None` is no value at all.
pub(super) fn value(operand: &pb::Operand, kind: Kind) -> Result<Option<Value>, String> {
    let given = match &operand.kind {
        None | Some(Of::Null(_)) => return Ok(None),
        Some(given) => given,
    };
    if let (Of::Time(time), Kind::Time) = (given, kind) {
        return micros(time)
            .map(|at| Some(at.into()))
            .ok_or_else(|| "is out of range".to_owned());
    }
    let text = match given {
        Of::Text(text) => text.clone(),
        Of::Integer(number) => number.to_string(),
        Of::Number(number) => number.to_string(),
        Of::Flag(flag) => flag.to_string(),
        Of::Null(_) | Of::Time(_) => return Err("cannot be compared with a time".to_owned()),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if text.contains('\0') {
        return Err("must not contain U+0000".to_owned());
    }
    of_text(text, kind).map(Some)
}

fn of_text(text: String, kind: Kind) -> Result<Value, String> {
    let number = |text: &str| text.trim().parse::<i64>().ok();
    Ok(match kind {
        Kind::Integer | Kind::Reference(_) => number(&text)
            .ok_or_else(|| "must be a whole number".to_owned())?
            .into(),
        Kind::Money => decimal::parse(&text, 2)?.into(),
        Kind::Decimal => decimal::parse(&text, 4)?.into(),
        Kind::Flag => match text.as_str() {
            "true" | "1" => 1_i64.into(),
            "false" | "0" => 0_i64.into(),
            _ => return Err("must be true or false".to_owned()),
        },
        Kind::Time => time(&text)?.into(),
        Kind::Date | Kind::Clock => {
            check(&text, kind)?;
            text.into()
        }
        // A word there is none of is had by nobody.
        Kind::Text | Kind::Email | Kind::Word(_) => text.into(),
        Kind::Alien => alien_text(&text).into(),
        Kind::Opaque => return Err("cannot be compared".to_owned()),
    })
}

/// A moment: with its zone, or a day, which begins in UTC. What programs write for "for ever"
/// is beyond the last moment there is a number for, and stands for that.
fn time(text: &str) -> Result<i64, String> {
    let no_time = "must be a time such as 2024-01-31T12:00:00.000Z";
    let pieces = jiff::fmt::temporal::Pieces::parse(text).map_err(|_| no_time)?;
    let zoned = pieces.offset().is_some();
    if pieces.date() >= jiff::civil::date(9999, 12, 30) && (zoned || pieces.time().is_none()) {
        return Ok(jiff::Timestamp::MAX.as_microsecond());
    }
    let moment = match zoned {
        true => text.parse::<jiff::Timestamp>().map_err(|_| no_time)?,
        false => {
            let day: jiff::civil::Date = text.parse().map_err(|_| no_time)?;
            let utc = day.to_zoned(jiff::tz::TimeZone::UTC);
            utc.map_err(|_| no_time)?.timestamp()
        }
    };
    Ok(moment.as_microsecond())
}
