//! What a purchase cost, read from the text of its properties: exact decimals, never
//! floats.

use iso_currency::Currency;

use crate::error::{Error, Result};
use crate::events::Money;
use crate::transcode::json::{number, raw};

/// Decimal places of a millionth.
const PLACES: i64 = 6;
/// Digits of the largest amount that can be kept.
const DIGITS: i64 = 19;

/// Properties of a purchase, each as the text of its JSON.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Price<'a> {
    pub(super) value: Option<&'a str>,
    pub(super) price: Option<&'a str>,
    pub(super) quantity: Option<&'a str>,
    pub(super) currency: Option<&'a str>,
}

impl Price<'_> {
    /// What was paid, if that is said: `value`, or `price` times `quantity`.
    pub(super) fn paid(self) -> Result<Option<Money>> {
        let given = |value: Option<&'_ str>| value.is_some_and(|text| text != "null");
        if !given(self.value) && !given(self.price) {
            return Ok(None);
        }
        let units = match self.quantity.filter(|text| *text != "null") {
            Some(text) => units(text)?,
            None => 1,
        };
        let amount = match self.value.filter(|text| *text != "null") {
            Some(text) => amount("data.value", text)?,
            None => {
                let price = amount("data.price", self.price.unwrap_or_default())?;
                let whole = price.checked_mul(units);
                whole.ok_or_else(|| too_large("data.price"))?
            }
        };
        Ok(Some(Money {
            currency: self.currency()?,
            amount,
            units,
        }))
    }

    fn currency(self) -> Result<String> {
        let Some(text) = self.currency.filter(|text| *text != "null") else {
            return Ok("USD".to_owned());
        };
        let code = raw::string(text).unwrap_or_default().trim().to_uppercase();
        let known = Currency::from_code(&code);
        known.map(|_| code).ok_or_else(|| {
            let words = "data.currency must be an ISO 4217 code such as USD";
            Error::invalid_field("data.currency", words)
        })
    }
}

fn too_large(field: &str) -> Error {
    Error::invalid_field(field, format!("{field} is too large"))
}

/// The digits of a number, or of a text that holds one.
fn decimal(json: &str) -> Option<String> {
    let text = raw::string(json);
    let text = text.as_deref().unwrap_or(json).trim();
    number::is_number(text).then(|| text.to_owned())
}

fn units(json: &str) -> Result<i64> {
    let text = decimal(json);
    let whole = text.and_then(|text| number::integer(&text, 1, i64::MAX.into()).ok());
    whole.map(|units| units as i64).ok_or_else(|| {
        let words = "data.quantity must be a whole number of at least 1";
        Error::invalid_field("data.quantity", words)
    })
}

/// Millionths of an amount.
fn amount(field: &str, json: &str) -> Result<i64> {
    let unfit = || {
        let words = format!("{field} must be a decimal number of at least 0");
        Error::invalid_field(field, words)
    };
    let text = decimal(json).ok_or_else(unfit)?;
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    match millionths(text) {
        Some(0) => Ok(0),
        Some(_) | None if negative => Err(unfit()),
        Some(amount) => Ok(amount),
        None => Err(too_large(field)),
    }
}

/// The millionths of a number without a sign, rounded half up; `None` if they are too
/// many.
fn millionths(text: &str) -> Option<i64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (left, right) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{left}{right}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let zeros = (digits.len() - significant.len()) as i64;
    let shift = match exponent.parse::<i64>() {
        Ok(shift) => shift,
        // It is beyond every bound, one way or the other.
        Err(_) if exponent.starts_with('-') => return Some(0),
        Err(_) => return None,
    };
    // How many of the digits are before the point, once millionths are counted.
    let whole = (left.len() as i64 - zeros + PLACES).checked_add(shift)?;
    if whole > DIGITS {
        return None;
    }
    let digit = |at: i64| {
        let at = usize::try_from(at).ok()?;
        significant
            .as_bytes()
            .get(at)
            .map(|byte| i64::from(byte - b'0'))
    };
    let mut value: i64 = 0;
    for at in 0..whole.max(0) {
        value = value.checked_mul(10)?.checked_add(digit(at).unwrap_or(0))?;
    }
    let rounds_up = whole >= 0 && digit(whole).is_some_and(|next| next >= 5);
    value.checked_add(i64::from(rounds_up))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price<'a>(value: &'a str, currency: &'a str) -> Price<'a> {
        Price {
            value: Some(value),
            currency: Some(currency),
            ..Price::default()
        }
    }

    #[test]
    fn amounts_are_exact() {
        for (text, told) in [
            ("59.97", Some(59_970_000)),
            ("\"59.97\"", Some(59_970_000)),
            ("0.1", Some(100_000)),
            ("0.30000000000000004", Some(300_000)),
            ("59.970000000000006", Some(59_970_000)),
            ("0.0000005", Some(1)),
            ("0.0000004", Some(0)),
            ("1e-7", Some(0)),
            ("5e-7", Some(1)),
            ("9.99999995", Some(10_000_000)),
            ("2.5E+1", Some(25_000_000)),
            ("0", Some(0)),
            ("-0.0", Some(0)),
            ("0e999999999999999999999", Some(0)),
            ("1e-999999999999999999999", Some(0)),
            ("9223372036854.775807", Some(i64::MAX)),
            ("9223372036854.775808", None),
            ("1e308", None),
            ("1e999999999999999999999", None),
            ("-1", None),
            ("-1e308", None),
            ("\"NaN\"", None),
            ("\"Infinity\"", None),
            ("\"\"", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let paid = price(text, "\"EUR\"").paid().ok().flatten();
            assert_eq!(paid.map(|money| money.amount), told, "{text}");
        }
    }

    #[test]
    fn price_times_quantity_is_what_was_paid() {
        let of = |price, quantity| {
            let price = Price {
                price: Some(price),
                quantity,
                ..Price::default()
            };
            price.paid().ok().flatten()
        };
        let paid = of("19.99", Some("3")).unwrap();
        assert_eq!((paid.amount, paid.units), (59_970_000, 3));
        assert_eq!(paid.currency, "USD");
        assert_eq!(of("19.99", None).unwrap().units, 1);
        for quantity in ["0", "-1", "1.5", "\"x\"", "1e308"] {
            assert!(of("19.99", Some(quantity)).is_none(), "{quantity}");
        }
        assert!(of("9223372036854", Some("2")).is_none());
        assert_eq!(Price::default().paid().ok(), Some(None));
        assert_eq!(price("null", "1").paid().ok(), Some(None));
        assert!(price("1", "\"XXQ\"").paid().is_err());
        assert_eq!(
            price("1", "\"jpy\"").paid().unwrap().unwrap().currency,
            "JPY"
        );
    }
}
