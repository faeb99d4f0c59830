//! Decimals: read from text, kept as whole numbers of their smallest part, and written
//! as the documentation writes them. No floats in between.

/// Most digits before the point.
const DIGITS: usize = 12;

/// Reads a decimal as a whole number of its last digit; finer than that is refused.
pub(super) fn parse(text: &str, digits: usize) -> Result<i64, String> {
    let no_number = || "must be a number".to_owned();
    let text = text.trim();
    let (sign, plain) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
        return Err(no_number());
    }
    if whole.trim_start_matches('0').len() > DIGITS {
        return Err("is too large".to_owned());
    }
    if fraction.len() > digits {
        return Err(format!("must have at most {digits} decimals"));
    }
    let all = format!("{whole}{fraction:0<digits$}");
    let number: i64 = all.parse().map_err(|_| no_number())?;
    Ok(sign * number)
}

/// Hundredths as `25000.00`.
pub(super) fn money(hundredths: i64) -> String {
    let sign = if hundredths < 0 { "-" } else { "" };
    let number = hundredths.unsigned_abs();
    format!("{sign}{}.{:02}", number / 100, number % 100)
}

/// Ten-thousandths as `2` or `7.5`.
pub(super) fn plain(kept: i64) -> String {
    let sign = if kept < 0 { "-" } else { "" };
    let number = kept.unsigned_abs();
    let text = format!("{sign}{}.{:04}", number / 10_000, number % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Ten-thousandths as a number of JSON.
pub(super) fn number(kept: i64) -> f64 {
    // The nearest number to what the text says, as a reader of the text would have it.
    plain(kept).parse().unwrap_or_default()
}

/// `number / divisor`, half away from zero.
pub(super) fn rounded(number: i128, divisor: i128) -> i128 {
    let half = if number < 0 {
        -divisor / 2
    } else {
        divisor / 2
    };
    (number + half) / divisor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_and_written() {
        for (text, kept) in [("25000", 2_500_000), ("-0.5", -50), ("1.10", 110), ("0", 0)] {
            assert_eq!(parse(text, 2), Ok(kept), "{text}");
        }
        assert_eq!(money(-50), "-0.50");
        assert_eq!(plain(20_000), "2");
        assert_eq!(plain(75_000), "7.5");
        assert_eq!(number(9_999_900), 999.99);
        for text in ["", "-", "1.001", ".5", "1e3", "1,5", "1234567890123"] {
            assert!(parse(text, 2).is_err(), "{text}");
        }
    }

    #[test]
    fn halves_go_up() {
        assert_eq!(rounded(15, 10), 2);
        assert_eq!(rounded(14, 10), 1);
        assert_eq!(rounded(-15, 10), -2);
    }
}
