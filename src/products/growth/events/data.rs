//! The members of an event's free properties that mean something.

use std::borrow::Cow;

use super::money::Price;
use crate::error::{Error, Result};
use crate::transcode::json::{DEPTH, raw};

/// Most bytes of free properties.
const MOST: usize = 32 * 1024;
/// Most bytes of an id or a name among them.
const MAX_ID: usize = 255;

/// Known members, as they stand in the text.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    event_id: Option<&'a str>,
    order_id: Option<&'a str>,
    user_agent: Option<&'a str>,
    referrer: Option<&'a str>,
    environment: Option<&'a str>,
    product: Option<&'a str>,
    /// What a purchase cost.
    pub(super) price: Price<'a>,
}

impl<'a> Known<'a> {
    /// Reads properties that were checked to be an object.
    pub(super) fn read(data: &'a str) -> Result<Self> {
        let mut known = Self::default();
        if data.is_empty() {
            return Ok(known);
        }
        if data.len() > MOST {
            let words = format!("data must have at most {MOST} bytes");
            return Err(Error::invalid_field("data", words));
        }
        let read = raw::each_member(data, DEPTH, |name, value| {
            let slot = match name.as_ref() {
                "eventId" => &mut known.event_id,
                "order_id" | "orderId" => &mut known.order_id,
                "userAgent" => &mut known.user_agent,
                "referrer" => &mut known.referrer,
                "environment" => &mut known.environment,
                "product_name" => &mut known.product,
                "value" => &mut known.price.value,
                "price" => &mut known.price.price,
                "quantity" => &mut known.price.quantity,
                "currency" => &mut known.price.currency,
                _ => return,
            };
            // Of members with one name the last counts.
            *slot = Some(value.trim_end());
        });
        read.map_err(|fault| Error::invalid_field("data", fault.of("data")))?;
        Ok(known)
    }

    /// The sender's id of the event.
    pub(super) fn event_id(&self) -> Result<Option<String>> {
        id("data.eventId", self.event_id)
    }

    /// The id of the order a purchase is of.
    pub(super) fn order_id(&self) -> Result<Option<String>> {
        id("data.order_id", self.order_id)
    }

    /// The visitor's user agent.
    pub(super) fn user_agent(&self) -> Option<Cow<'a, str>> {
        text(self.user_agent)
    }

    /// Where the visitor came from.
    pub(super) fn referrer(&self) -> Option<Cow<'a, str>> {
        text(self.referrer)
    }

    /// Which installation it is said to come from.
    pub(super) fn environment(&self) -> Option<Cow<'a, str>> {
        text(self.environment)
    }

    /// What was bought.
    pub(super) fn product(&self) -> Option<String> {
        let name = text(self.product)?;
        let fits = name.len() <= MAX_ID && !name.contains('\0');
        fits.then(|| name.into_owned())
    }
}

/// A text that is not empty. Free properties: what is no text is nothing to us.
fn text(value: Option<&str>) -> Option<Cow<'_, str>> {
    raw::string(value?).filter(|text| !text.is_empty())
}

/// An id: a text, or a number as it is written. Blank is none: all that are would be
/// one.
fn id(field: &str, value: Option<&str>) -> Result<Option<String>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let is_number = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let id = match is_number {
        true => Cow::Borrowed(value),
        false => raw::string(value).unwrap_or_default(),
    };
    if id.trim().is_empty() {
        return Ok(None);
    }
    if id.len() > MAX_ID || id.contains('\0') {
        let words = format!("{field} must have at most {MAX_ID} bytes");
        return Err(Error::invalid_field(field, words));
    }
    Ok(Some(id.into_owned()))
}
