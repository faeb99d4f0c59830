//! Numbers: from JSON text to the protobuf types and back.
//!
//! The proto3 mapping accepts any spelling of an integer whose value is whole
//! and in range, such as `1e5` or `1.0`, so integers are read from their decimal
//! digits and never through a float, which would round large ones.

use super::fault::{Fault, Parsed};

/// Reads a whole number within `min..=max`.
pub fn integer(text: &str, min: i128, max: i128) -> Parsed<i128> {
    let value = match text.parse::<i64>() {
        Ok(plain) => i128::from(plain),
        Err(_) => whole(text).ok_or_else(|| Fault::shape("must be a whole number"))?,
    };
    if value < min || value > max {
        let mut fault = Fault::shape(format!("must be between {min} and {max}"));
        fault.out_of_range = true;
        return Err(fault);
    }
    Ok(value)
}

/// The value of a JSON number that is whole and has at most 38 digits.
fn whole(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (left, right) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let right = right.trim_end_matches('0');
    let exponent = exponent.parse::<i64>().ok()?;
    let digits = format!("{left}{right}");
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    // Trailing zeros of the digits count like an exponent: 10e-1 is 1.
    let significant = digits.trim_end_matches('0');
    let zeros = (digits.len() - significant.len()) as i64;
    let scale = exponent.checked_sub(right.len() as i64)? + zeros;
    let scale = u32::try_from(scale).ok()?;
    if significant.len() + scale as usize > 38 {
        return None;
    }
    let value = significant.parse::<i128>().ok()? * 10_i128.pow(scale);
    Some(if negative { -value } else { value })
}

/// Reads a double. Text beyond the range is refused rather than made infinite.
pub fn double(text: &str) -> Parsed<f64> {
    let value: f64 = text.parse().map_err(|_| Fault::shape("must be a number"))?;
    if value.is_infinite() {
        return Err(Fault::shape("is out of range"));
    }
    Ok(value)
}

/// Reads a float; values that would round to infinity are refused.
pub fn float(text: &str) -> Parsed<f32> {
    let value: f32 = text.parse().map_err(|_| Fault::shape("must be a number"))?;
    if value.is_infinite() {
        return Err(Fault::shape("is out of range"));
    }
    Ok(value)
}

/// Whether a text is a JSON number; quoted numbers follow the same grammar.
pub fn is_number(text: &str) -> bool {
    let mut lexer = super::lexer::Lexer::new(text, 1);
    lexer.number().is_ok() && lexer.end().is_ok() && !text.ends_with([' ', '\n', '\r', '\t'])
}

/// Writes an integer.
pub fn put_integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    let mut buffer = itoa::Buffer::new();
    out.extend_from_slice(buffer.format(value).as_bytes());
}

/// Writes a double in its shortest form; what JSON cannot say is quoted.
pub fn put_double(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        return put_special(out, value);
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

/// Writes a float in its shortest form.
pub fn put_float(out: &mut Vec<u8>, value: f32) {
    if !value.is_finite() {
        return put_special(out, f64::from(value));
    }
    let mut buffer = ryu::Buffer::new();
    let text = buffer.format_finite(value);
    out.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
}

fn put_special(out: &mut Vec<u8>, value: f64) {
    let text: &[u8] = match (value.is_nan(), value > 0.0) {
        (true, _) => b"\"NaN\"",
        (false, true) => b"\"Infinity\"",
        (false, false) => b"\"-Infinity\"",
    };
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    const I64: (i128, i128) = (i64::MIN as i128, i64::MAX as i128);

    #[test]
    fn integers_are_exact() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e5", 0),
            ("1e5", 100_000),
            ("1.0", 1),
            ("1.50e1", 15),
            ("100e-2", 1),
            ("9223372036854775807", i128::from(i64::MAX)),
            ("9.223372036854775807e18", i128::from(i64::MAX)),
            ("-9223372036854775808", i128::from(i64::MIN)),
        ] {
            assert_eq!(integer(text, I64.0, I64.1), Ok(value), "{text}");
        }
        for text in [
            "1.5",
            "1e-1",
            "1e400",
            "9223372036854775808",
            "1e99999999999999999999",
        ] {
            assert!(integer(text, I64.0, I64.1).is_err(), "{text}");
        }
        assert!(integer("256", 0, 255).is_err());
    }

    #[test]
    fn doubles_are_shortest() {
        for (value, text) in [(1.0, "1"), (0.1, "0.1"), (-0.0, "-0"), (1e21, "1e21")] {
            let mut out = Vec::new();
            put_double(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
        assert!(double("1e999").is_err());
        assert!(float("1e39").is_err());
    }
}
