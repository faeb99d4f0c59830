//! Signatures of URLs: whoever has one may do one thing with one file until it ends. They
//! are HMACs, compared in constant time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::place::Place;
use crate::auth::SecretKeys;

/// What a URL gives leave to do.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Leave<'a> {
    /// To send a file of a type.
    Send(&'a str),
    /// To load it.
    Load,
}

/// Signs, and knows its own signatures again.
pub(super) struct Signer(Vec<Hmac<Sha256>>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Signs with the current key, and knows what older ones signed.
    pub(super) fn new(keys: &SecretKeys) -> Self {
        let keys = keys.derive("crm.files").into_iter();
        // Keys of any length are taken.
        let macs = keys.filter_map(|(_, key)| Hmac::new_from_slice(&key).ok());
        Self(macs.collect())
    }

    /// The signature of leave that ends at a second.
    pub(super) fn sign(&self, place: &Place, leave: Leave<'_>, until: i64) -> String {
        let mac = self.0.first().cloned().map(|mut mac| {
            mac.update(words(place, leave, until).as_bytes());
            mac.finalize().into_bytes()
        });
        mac.map(|mac| URL_SAFE_NO_PAD.encode(mac))
            .unwrap_or_default()
    }

    /// Whether a signature is that of this leave.
    pub(super) fn knows(
        &self,
        place: &Place,
        leave: Leave<'_>,
        until: i64,
        signature: &str,
    ) -> bool {
        let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else {
            return false;
        };
        let words = words(place, leave, until);
        self.0.iter().cloned().any(|mut mac| {
            mac.update(words.as_bytes());
            mac.verify_slice(&signature).is_ok()
        })
    }
}

/// What is signed. Nothing the server signs has a line break in it, so that no two of
/// them are the same text.
fn words(place: &Place, leave: Leave<'_>, until: i64) -> String {
    let (verb, kind) = match leave {
        Leave::Send(kind) => ("PUT", kind),
        Leave::Load => ("GET", ""),
    };
    let Place {
        organization,
        upload,
        file_name,
    } = place;
    format!("{verb}\n{organization}\n{upload}\n{file_name}\n{kind}\n{until}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_one_thing() {
        let mac = |key: &[u8]| Hmac::new_from_slice(key).unwrap();
        let signer = Signer(vec![mac(b"new"), mac(b"old")]);
        let place = Place::new(101, "a.png");
        let send = Leave::Send("image/png");
        let signed = signer.sign(&place, send, 1000);
        assert!(signer.knows(&place, send, 1000, &signed));
        let (mut other, mut renamed, mut moved) = (place.clone(), place.clone(), place.clone());
        other.organization = 102;
        renamed.file_name = "b.png".to_owned();
        moved.upload = "x".to_owned();
        for (place, leave, until) in [
            (&other, send, 1000),
            (&renamed, send, 1000),
            (&moved, send, 1000),
            (&place, send, 1001),
            (&place, Leave::Send("text/html"), 1000),
            (&place, Leave::Load, 1000),
        ] {
            assert!(!signer.knows(place, leave, until, &signed), "{leave:?}");
        }
        for wrong in ["", "x", "!", &signed[1..]] {
            assert!(!signer.knows(&place, send, 1000, wrong), "{wrong}");
        }
        let old = Signer(vec![mac(b"old")]);
        let signed = old.sign(&place, send, 1000);
        assert!(signer.knows(&place, send, 1000, &signed));
        assert!(!Signer(vec![mac(b"new")]).knows(&place, send, 1000, &signed));
    }
}
