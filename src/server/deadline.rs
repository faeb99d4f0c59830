//! How long a call may run: as long as its client waits, and never longer than
//! the server allows.

use std::time::{Duration, Instant};

use http::HeaderMap;

use super::headers::{GRPC_TIMEOUT, X_SERVER_TIMEOUT};
use crate::config::Transport;
use crate::error::{Error, Kind, Result};
use crate::policy::MethodSpec;

/// The deadline of a call. Streams have one of their own.
pub(super) fn deadline(
    headers: &HeaderMap,
    spec: &MethodSpec,
    transport: &Transport,
    started: Instant,
) -> Result<Option<Instant>> {
    let streaming = spec.client_streaming || spec.server_streaming;
    let own = match streaming {
        true => transport.stream_timeout.0,
        false => transport.call_timeout.0,
    };
    let method = spec.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
    let longest = method.unwrap_or(own);
    let asked = requested(headers)?;
    let wait = asked.map_or(longest, |asked| asked.min(longest));
    Ok(started.checked_add(wait))
}

/// What a call answers once its deadline is over.
pub(super) fn passed() -> Error {
    Error::new(Kind::DeadlineExceeded, "The deadline has passed")
}

fn requested(headers: &HeaderMap) -> Result<Option<Duration>> {
    if let Some(value) = headers.get(&GRPC_TIMEOUT) {
        let text = value.to_str().unwrap_or_default();
        return grpc(text).map(Some).ok_or_else(|| {
            Error::invalid("grpc-timeout must be at most 8 digits and one of H, M, S, m, u, n")
        });
    }
    let Some(value) = headers.get(&X_SERVER_TIMEOUT) else {
        return Ok(None);
    };
    let seconds = value
        .to_str()
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wait = wait.ok_or_else(|| Error::invalid("X-Server-Timeout must be seconds"))?;
    Ok(Some(wait))
}

/// `TimeoutValue TimeoutUnit` of the gRPC protocol over HTTP/2.
fn grpc(text: &str) -> Option<Duration> {
    let digits = text.get(..text.len().checked_sub(1)?)?;
    let number = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u64 = digits.parse().ok().filter(|_| number)?;
    Some(match text.as_bytes()[text.len() - 1] {
        b'H' => Duration::from_secs(value * 3600),
        b'M' => Duration::from_secs(value * 60),
        b'S' => Duration::from_secs(value),
        b'm' => Duration::from_millis(value),
        b'u' => Duration::from_micros(value),
        b'n' => Duration::from_nanos(value),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeouts() {
        assert_eq!(grpc("50m"), Some(Duration::from_millis(50)));
        assert_eq!(
            grpc("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        for bad in ["", "m", "-1m", "1", "1x", "123456789S", "1.5S", " 1S", "1é"] {
            assert_eq!(grpc(bad), None, "{bad}");
        }
    }
}
