//! How a connection is made: with the password as it stands in its file now.

use std::io;
use std::path::{Path, PathBuf};

use deadpool_postgres::{ConfigConnectImpl, Connect};
use futures::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{Client, Config, Error, Socket};

/// Reads the file for each connection, so that a password may be changed without a restart.
pub(crate) struct WithPassword<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    inner: ConfigConnectImpl<T>,
    password_file: Option<PathBuf>,
}

impl<T> WithPassword<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    pub fn new(tls: T, password_file: Option<PathBuf>) -> Self {
        Self { inner: ConfigConnectImpl { tls }, password_file }
    }
}

impl<T> Connect for WithPassword<T>
where
    T: MakeTlsConnect<Socket> + Clone + Sync + Send + 'static,
    T::Stream: Sync + Send,
    T::TlsConnect: Sync + Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let mut config = config.clone();
        if let Some(file) = &self.password_file {
            match read_password(file) {
                Ok(password) => drop(config.password(password)),
                // The database then says that it wants one.
                Err(error) => tracing::warn!(file = %file.display(), %error, "cannot read the database's password"),
            }
        }
        self.inner.connect(&config)
    }
}

/// The first line.
pub(crate) fn read_password(file: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(file)?;
    match text.lines().next() {
        Some(password) if !password.is_empty() => Ok(password.to_owned()),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "its first line is empty")),
    }
}
