//! What certificates and keys the files hold; read before anything is opened, so that what is wrong is said at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::IngestError;

/// The TLS door of the embedded broker.
#[derive(Debug, Clone)]
pub struct EmbeddedTls {
    /// Host and port; port 0 takes a free one.
    pub listen: String,
    /// PEM: the server's certificate, then those that lead to its authority.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl EmbeddedTls {
    /// Whether the files can be served with, or why not.
    pub fn check(&self) -> Result<(), IngestError> {
        self.server_config().map(drop)
    }

    pub(crate) fn server_config(&self) -> Result<ServerConfig, IngestError> {
        let certificates = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| unusable(&self.key, "it holds no private key in PEM format"))?;
        ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(certificates, key))
            .map_err(|error| unusable(&self.key, format!("it does not serve its certificate: {error}")))
    }
}

/// Whether a file holds certificates of authorities, or why not.
pub fn check_ca_file(file: &Path) -> Result<(), IngestError> {
    trusting(file).map(drop)
}

/// Trusts the authorities of a file and nobody else.
pub(crate) fn trusting(file: &Path) -> Result<ClientConfig, IngestError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| unusable(file, error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| unusable(file, error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, IngestError> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable(file, "it holds no certificate in PEM format")),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, IngestError> {
    std::fs::read(file).map_err(|error| unusable(file, format!("it cannot be read: {error}")))
}

fn unusable(file: &Path, problem: impl Into<String>) -> IngestError {
    IngestError::Tls { file: file.to_owned(), problem: problem.into() }
}
