//! Secrets that sign deliveries. They are kept sealed, each for its own webhook, and
//! shown once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::Office;
use crate::auth::Sealer;
use crate::error::{Error, Result};

/// How a secret begins whose bytes are written as Base64.
const PREFIX: &str = "whsec_";
/// Bytes of a secret that is made here.
const BYTES: usize = 32;

/// A secret in clear.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secret {
    /// The one somebody chose, or a new one.
    pub(crate) fn chosen(text: &str) -> Result<Self> {
        if text.is_empty() {
            let mut bytes = [0_u8; BYTES];
            getrandom::fill(&mut bytes).map_err(|error| Error::internal(error.to_string()))?;
            return Ok(Self(format!("{PREFIX}{}", STANDARD.encode(bytes))));
        }
        if let Some(rest) = text.strip_prefix(PREFIX) {
            let bytes = STANDARD.decode(rest).unwrap_or_default();
            if !(24..=64).contains(&bytes.len()) {
                return Err(Error::invalid_field(
                    "secret",
                    "secret must be whsec_ and 24 to 64 bytes as Base64",
                ));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// As it is shown, once.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Seals it for one webhook.
    pub(crate) fn seal<O: Office>(&self, sealer: &Sealer, owner: i64, id: &str) -> Result<Vec<u8>> {
        sealer.seal(self.0.as_bytes(), &place::<O>(owner, id))
    }

    /// Opens what was sealed for this webhook.
    pub(super) fn open<O: Office>(
        sealed: &[u8],
        sealer: &Sealer,
        owner: i64,
        id: &str,
    ) -> Result<Self> {
        let plain = sealer.open(sealed, &place::<O>(owner, id))?;
        String::from_utf8(plain).map(Self).map_err(Error::internal)
    }

    /// `v1,<base64>`, as the Standard Webhooks specification has it.
    pub(super) fn standard(&self, message: &str, timestamp: i64, body: &str) -> String {
        let bytes = self.0.strip_prefix(PREFIX);
        let bytes = bytes.and_then(|text| STANDARD.decode(text).ok());
        let key = bytes.unwrap_or_else(|| self.0.clone().into_bytes());
        let mac = mac(&key, &format!("{message}.{timestamp}.{body}"));
        format!("v1,{}", STANDARD.encode(mac))
    }

    /// `v1=<hex>`, over the time and the body alone.
    pub(super) fn plain(&self, timestamp: i64, body: &str) -> String {
        let mac = mac(self.0.as_bytes(), &format!("{timestamp}.{body}"));
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("v1={hex}")
    }
}

/// What a sealed secret is bound to, so that it is of no use elsewhere.
fn place<O: Office>(owner: i64, id: &str) -> Vec<u8> {
    format!("webhook secret of {id} in {} {owner}", O::TABLES.whose).into_bytes()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks specification's own libraries.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secret = Secret::chosen("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signed = secret.standard(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn secrets_are_chosen_or_made() {
        assert!(Secret::chosen("").unwrap().reveal().len() > 40);
        assert!(Secret::chosen("my own secret of old").is_ok());
        for wrong in ["whsec_", "whsec_????", "whsec_c2hvcnQ="] {
            assert!(Secret::chosen(wrong).is_err(), "{wrong}");
        }
    }
}
