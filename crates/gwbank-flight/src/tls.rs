//! The certificate of the door, read before anything listens.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct TlsError {
    pub file: PathBuf,
    pub problem: String,
}

/// Names of PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then those that lead to its authority.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl TlsFiles {
    /// Whether the files can be served with, or why not.
    pub fn check(&self) -> Result<(), TlsError> {
        self.acceptor().map(drop)
    }

    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, TlsError> {
        let pem = read(&self.certificate)?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = certificates
            .ok()
            .filter(|certificates| !certificates.is_empty())
            .ok_or_else(|| unusable(&self.certificate, "it holds no certificate in PEM format"))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| unusable(&self.key, "it holds no private key in PEM format"))?;
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(certificates, key))
            .map_err(|error| unusable(&self.key, format!("it does not serve its certificate: {error}")))?;
        // gRPC speaks HTTP/2 and nothing else.
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| unusable(file, format!("it cannot be read: {error}")))
}

fn unusable(file: &Path, problem: impl Into<String>) -> TlsError {
    TlsError { file: file.to_owned(), problem: problem.into() }
}
