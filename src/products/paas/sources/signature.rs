//! GitHub's signature: an HMAC over the body as it came, byte for byte.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Bytes of a signature.
const BYTES: usize = 32;

/// Whether a body is signed with a secret. How much of a wrong signature is right cannot be
/// told from the time it takes.
pub(super) fn is_right(secret: &str, signature: &str, body: &[u8]) -> bool {
    let Some(sent) = signature.strip_prefix("sha256=").and_then(bytes) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return false;
    };
    mac.update(body);
    mac.verify_slice(&sent).is_ok()
}

/// Bytes written in hexadecimal.
fn bytes(text: &str) -> Option<[u8; BYTES]> {
    if text.len() != 2 * BYTES || !text.is_ascii() {
        return None;
    }
    let mut all = [0; BYTES];
    for (at, byte) in all.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GitHub's own documentation.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let secret = "It's a Secret to Everybody";
        let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_right(secret, right, b"Hello, World!"));
        assert!(!is_right(secret, right, b"Hello, World"));
        assert!(!is_right("another", right, b"Hello, World!"));
        for wrong in [
            "",
            "sha256=",
            "sha1=757107ea0eb2509fc211221cce984b8a37570b6d",
        ] {
            assert!(!is_right(secret, wrong, b"Hello, World!"), "{wrong}");
        }
        assert!(!is_right(secret, &right[7..], b"Hello, World!"));
        assert!(!is_right(
            secret,
            &right.replace('7', "+"),
            b"Hello, World!"
        ));
    }
}
