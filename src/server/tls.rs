//! What encrypts connections. A certificate or key that cannot be used is told
//! apart here, once, in words an operator can act on.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::config::ConfigError;

/// Reads a certificate chain and its key; offers HTTP/2, then HTTP/1.1.
pub fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor, ConfigError> {
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(|error| unreadable("tls_cert", cert, &error))?;
    if chain.is_empty() {
        return Err(unreadable("tls_cert", cert, &pem::Error::NoItemsFound));
    }
    let secret = PrivateKeyDer::from_pem_file(key);
    let secret = secret.map_err(|error| unreadable("tls_key", key, &error))?;
    let mut server = ServerConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError(format!("tls: {error}")))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| unusable(cert, key, &error))?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

fn unreadable(setting: &str, file: &Path, error: &pem::Error) -> ConfigError {
    let file = file.display();
    ConfigError(match error {
        pem::Error::Io(error) => format!("{setting}: cannot read {file}: {error}"),
        pem::Error::NoItemsFound if setting == "tls_cert" => {
            format!("{setting}: {file} holds no certificate in PEM")
        }
        pem::Error::NoItemsFound => {
            format!("{setting}: {file} holds no private key in PEM that is not encrypted")
        }
        error => format!("{setting}: {file} is no PEM: {error}"),
    })
}

fn unusable(cert: &Path, key: &Path, error: &rustls::Error) -> ConfigError {
    let (cert, key) = (cert.display(), key.display());
    ConfigError(match error {
        rustls::Error::InconsistentKeys(_) => {
            format!("tls_key: {key} is not the key of the certificate in {cert}")
        }
        rustls::Error::InvalidCertificate(_) => {
            format!("tls_cert: {cert} holds a certificate that cannot be used: {error}")
        }
        error => format!("tls_key: {key} cannot be used: {error}"),
    })
}
