//! What certificates and keys the files hold; read before anything is opened, so that what is wrong is said at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gwbank_door::{TlsError, TlsFiles, certificates};
use rustls::crypto::{CryptoProvider, ring};
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
        let files = TlsFiles { certificate: self.certificate.clone(), key: self.key.clone() };
        Ok(files.read()?.config)
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

fn unusable(file: &Path, problem: String) -> IngestError {
    IngestError::Tls { file: file.to_owned(), problem }
}

impl From<TlsError> for IngestError {
    fn from(TlsError { file, problem }: TlsError) -> Self {
        IngestError::Tls { file, problem }
    }
}
