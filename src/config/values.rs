//! Values that TOML and environment variables spell as text.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

/// A length of time such as `30s`, `5m`, `1h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = match &text[digits.len()..] {
            "ms" => Some(1),
            "s" => Some(1000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            "d" => Some(86_400_000),
            _ => None,
        };
        // Clocks count microseconds in 64 bits.
        let millis = unit
            .zip(digits.parse().ok())
            .and_then(|(unit, value): (u64, u64)| unit.checked_mul(value))
            .filter(|millis| i64::try_from(millis.saturating_mul(1000)).is_ok());
        let millis =
            millis.ok_or_else(|| format!("`{text}` is no time such as 30s, 5m, 1h or 7d"))?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}s", self.0.as_secs_f64())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A comma list; empty text is an empty list.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let text = String::deserialize(deserializer)?;
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items
        .map(|item| {
            let parsed = item.parse();
            parsed.map_err(|error| de::Error::custom(format!("`{item}`: {error}")))
        })
        .collect()
}

/// An address to listen on. `localhost` is what it means nearly everywhere.
pub fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let local = || {
        let port = text.strip_prefix("localhost:")?.parse().ok()?;
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    };
    text.parse().ok().or_else(local).ok_or_else(|| {
        de::Error::custom(format!(
            "`{text}` is no address and port such as 127.0.0.1:3000, localhost:3000 or \
             [::1]:3000 (0.0.0.0:3000 is every address of this machine)"
        ))
    })
}

/// A comma list of networks; an address is the network of itself alone.
pub fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let texts: Vec<String> = list(deserializer)?;
    let network = |text: String| {
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        text.parse().ok().or_else(single).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is no network such as 10.0.0.0/8, nor an address"
            ))
        })
    };
    texts.into_iter().map(network).collect()
}
