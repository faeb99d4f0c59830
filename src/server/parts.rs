//! How many parts a message may have. Two bytes can stand for an empty message of
//! a list, which takes hundreds in memory: a request within its size could ask for a
//! hundred times as much. Parts are counted before anything is made of them.

use crate::api::SCHEMA;
use crate::error::Error;
use crate::transcode::schema::{Kind, MessageId, Schema, Shape};
use crate::transcode::wire::{Fields, Raw};

/// Most parts: messages at every depth, and texts in lists.
const MOST: usize = 50_000;
/// Bytes a part takes at least.
const LEAST_BYTES: usize = 2;
/// Deepest nesting that is looked at; prost refuses what is deeper.
const DEPTH: u32 = 100;

/// Refuses a message of the type of this name that has too many parts.
pub(super) fn check(wire: &[u8], name: fn() -> String) -> Result<(), Error> {
    if wire.len() < MOST * LEAST_BYTES {
        return Ok(());
    }
    let Some(id) = SCHEMA.find(&name()) else {
        return Ok(());
    };
    let mut left = MOST;
    match count(&SCHEMA, id, wire, &mut left, DEPTH) {
        Some(()) => Ok(()),
        None => Err(Error::invalid(format!(
            "The request has more than {MOST} parts"
        ))),
    }
}

/// Counts the parts of a message down; nothing once there are too many. What is no
/// message is left to who decodes it.
fn count(schema: &Schema, id: MessageId, wire: &[u8], left: &mut usize, depth: u32) -> Option<()> {
    let row = schema.message(id);
    let mut fields = Fields::new(wire);
    while let Ok(Some((number, raw))) = fields.read() {
        let (Some(at), Raw::Bytes(bytes)) = (row.by_number(number), raw) else {
            continue;
        };
        let field = &row.fields[usize::from(at)];
        let inner = match (field.kind, field.shape) {
            // An entry of a map is a message with key and value.
            (_, Shape::Map(_)) => None,
            (Kind::Message(inner), _) => Some(inner),
            (Kind::String | Kind::Bytes, Shape::List { .. }) => None,
            _ => continue,
        };
        *left = left.checked_sub(1)?;
        if let Some(inner) = inner
            && depth > 0
        {
            count(schema, inner, bytes, left, depth - 1)?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use prost::{Message as _, Name as _};

    use super::*;
    use crate::api::apex::metrics::v1::{EventItem, SendEventRequest, SendEventsRequest};

    fn batch(items: usize) -> Vec<u8> {
        let events = vec![EventItem::default(); items];
        SendEventsRequest { events }.encode_to_vec()
    }

    #[test]
    fn parts_are_counted_not_bytes() {
        assert!(check(&batch(MOST), SendEventsRequest::full_name).is_ok());
        let refused = check(&batch(MOST + 1), SendEventsRequest::full_name).unwrap_err();
        assert_eq!(refused.message(), "The request has more than 50000 parts");
        let long = SendEventRequest {
            event_name: "x".repeat(1 << 20),
            ..Default::default()
        };
        assert!(check(&long.encode_to_vec(), SendEventRequest::full_name).is_ok());
    }
}
