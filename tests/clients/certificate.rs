//! A certificate of a test's own, signed by itself, for this machine.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, PublicKeyData as _, generate_simple_self_signed};
use sha2::Digest as _;
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// A certificate and its key, in files.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate in PEM; clients trust it.
    pub cert: PathBuf,
    /// The key in PEM.
    pub key: PathBuf,
    /// The certificate itself.
    pub der: CertificateDer<'static>,
    /// Digest of the public key, as browsers want it.
    pub spki: String,
    _folder: TempDir,
}

impl Certificate {
    /// Makes one for the names of this machine.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(names).expect("a certificate");
        let write = |name: &str, text: String| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("a file");
            file
        };
        Self {
            cert: write("cert.pem", cert.pem()),
            key: write("key.pem", signing_key.serialize_pem()),
            der: cert.der().clone(),
            spki: STANDARD.encode(sha2::Sha256::digest(signing_key.subject_public_key_info())),
            _folder: folder,
        }
    }

    /// The settings that make a server use it.
    pub fn settings(&self) -> [(&'static str, &str); 2] {
        [
            ("APEX_TLS_CERT", self.cert.to_str().expect("text")),
            ("APEX_TLS_KEY", self.key.to_str().expect("text")),
        ]
    }
}
