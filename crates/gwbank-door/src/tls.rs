//! Certificates and keys of PEM files, read before anything listens, so that what is wrong is said at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

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

/// What TLS is served with.
#[derive(Debug)]
pub struct Certified {
    pub config: ServerConfig,
    /// The server's own.
    pub certificate: CertificateDer<'static>,
}

impl TlsFiles {
    /// Whether the files can be served with, or why not.
    pub fn check(&self) -> Result<(), TlsError> {
        self.read().map(drop)
    }

    /// Asks clients for no certificate, and agrees on no protocol within TLS.
    pub fn read(&self) -> Result<Certified, TlsError> {
        let certificates = certificates(&self.certificate)?;
        let certificate = certificates[0].clone();
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key)?)
            .map_err(|_| unusable(&self.key, "it holds no private key in PEM format"))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map(|builder| builder.with_no_client_auth())
            .and_then(|builder| builder.with_single_cert(certificates, key))
            .map_err(|error| unusable(&self.key, format!("it does not serve its certificate: {error}")))?;
        Ok(Certified { config, certificate })
    }
}

/// The certificates of a file, at least one.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable(file, "it holds no certificate in PEM format")),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(file).map_err(|error| unusable(file, format!("it cannot be read: {error}")))
}

fn unusable(file: &Path, problem: impl Into<String>) -> TlsError {
    TlsError { file: file.to_owned(), problem: problem.into() }
}
