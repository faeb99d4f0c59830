//! Prices come as integers in a currency's smallest unit and are kept as
//! millionths of its major unit. Both ways are exact.

use iso_currency::Currency;

use crate::error::{Error, Result};
use crate::events::{Money, Revenue};
use crate::products::amount::{self, PLACES, places};

/// A purchase as it is kept. An amount that would overflow is refused.
pub(super) fn money(price: i64, code: &str, units: i64) -> Result<Money> {
    let currency = currency(code)?;
    let overflow = || Error::invalid_field("price", "price times quantity is too large");
    let amount = price
        .checked_mul(units)
        .and_then(|minor| minor.checked_mul(scale(currency)))
        .ok_or_else(overflow)?;
    Ok(Money {
        currency: currency.code().to_owned(),
        amount,
        units,
    })
}

/// The price of one unit, in the smallest unit again.
pub(super) fn price(money: &Money) -> Option<i64> {
    let currency = Currency::from_code(&money.currency)?;
    Some(money.amount / money.units.max(1) / scale(currency))
}

/// A sum in the major unit, as decimal text with the currency's own places.
pub(super) fn text(code: &str, revenue: &Revenue) -> String {
    amount::text(code, revenue.amount)
}

fn currency(code: &str) -> Result<Currency> {
    let unknown =
        || Error::invalid_field("currency", "currency must be an ISO 4217 code such as USD");
    Currency::from_code(&code.to_uppercase()).ok_or_else(unknown)
}

/// Millionths of the smallest unit.
fn scale(currency: Currency) -> i64 {
    10_i64.pow(PLACES - places(currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        let of = |price, code, units| money(price, code, units).map(|m| (m.currency, m.amount));
        assert_eq!(of(2999, "USD", 1).unwrap(), ("USD".into(), 29_990_000));
        assert_eq!(of(2999, "usd", 3).unwrap(), ("USD".into(), 89_970_000));
        assert_eq!(of(2999, "JPY", 1).unwrap(), ("JPY".into(), 2_999_000_000));
        assert_eq!(of(1500, "KWD", 1).unwrap(), ("KWD".into(), 1_500_000));
        assert!(of(i64::MAX, "USD", 1).is_err());
        assert!(of(1 << 40, "USD", 1 << 30).is_err());
        assert!(of(1, "XXQ", 1).is_err());
        assert!(of(1, "", 1).is_err());
        assert_eq!(price(&money(1234, "EUR", 7).unwrap()), Some(1234));
    }

    #[test]
    fn sums_are_decimal_text() {
        let sum = |code, amount| {
            text(
                code,
                &Revenue {
                    purchases: 1,
                    units: 1,
                    amount,
                },
            )
        };
        assert_eq!(sum("USD", 174_200_510_000), "174200.51");
        assert_eq!(sum("USD", 1_000_000), "1.00");
        assert_eq!(sum("JPY", 685_803_000_000), "685803");
        assert_eq!(sum("KWD", 1_500_000), "1.500");
        assert_eq!(sum("USD", 1_234_567), "1.234567");
    }
}
