//! Amounts as they are shown: millionths of a currency's major unit as decimal text.

use iso_currency::Currency;

/// Decimal places of a millionth.
pub(crate) const PLACES: u32 = 6;

/// An amount in the major unit, with the currency's own places at least.
pub(crate) fn text(code: &str, amount: i128) -> String {
    let places = Currency::from_code(code).map_or(2, places) as usize;
    let sign = if amount < 0 { "-" } else { "" };
    let amount = amount.unsigned_abs();
    let whole = amount / 10_u128.pow(PLACES);
    let fraction = format!("{:06}", amount % 10_u128.pow(PLACES));
    // Digits beyond the currency's own stay if they are not zero.
    let kept = fraction.trim_end_matches('0').len().max(places);
    match kept {
        0 => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{}", &fraction[..kept]),
    }
}

/// How many decimal places a currency has; metals and such have none.
pub(crate) fn places(currency: Currency) -> u32 {
    currency.exponent().map_or(0, u32::from).min(PLACES)
}
