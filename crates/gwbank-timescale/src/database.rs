//! The connections: a bounded pool, TLS that fails closed, time limits for statements and locks.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Timeouts, Transaction,
};
use gwbank_model::Seq;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::SslMode;
use tokio_postgres::{CancelToken, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::DatabaseError;
use crate::connect::{WithPassword, read_password};
use crate::error::WorkError;

#[derive(Clone)]
pub struct DatabaseConfig {
    /// `postgresql://…`, as every PostgreSQL client takes it. A certificate is always checked against the host's name,
    /// whatever `sslmode` says but `disable`.
    pub url: String,
    /// Whose first line is the password, in place of one in the URL. Read for every connection.
    pub password_file: Option<PathBuf>,
    /// Of an authority of one's own; the public ones are known.
    pub ca_file: Option<PathBuf>,
    /// `node.id` of the configuration.
    pub node_id: u8,
    /// Of the data directory, where there is one: its journal alone says what of this node is still to come.
    pub owner: Option<String>,
    pub connections_max: usize,
    pub connect_timeout: Duration,
    /// Longest statement of the writers; a scan has the limit of its query.
    pub statement_timeout: Duration,
    /// Longest wait for another session's lock.
    pub lock_timeout: Duration,
    /// So many new readings of a commit go by `COPY`, fewer as parameters of a statement; see the bench `commit`.
    pub copy_rows_min: usize,
}

impl DatabaseConfig {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            ca_file: None,
            node_id: 0,
            owner: None,
            connections_max: 8,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(60),
            lock_timeout: Duration::from_secs(10),
            copy_rows_min: 256,
        }
    }
}

impl fmt::Debug for DatabaseConfig {
    /// Without the URL, which holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}

/// The database. Clones share one pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool,
    /// As the connections have it; `None` is clear text.
    tls: Option<MakeRustlsConnect>,
    node_id: i16,
    owner: Option<Arc<str>>,
    place: Arc<str>,
    /// With the answer to one statement: somewhat more than the server may take.
    patience: Duration,
    pub(crate) copy_rows_min: usize,
    pub(crate) written: Arc<Written>,
}

/// Positions that this process has seen or written. A database that stands behind them has forgotten readings whose part of
/// the journal may be cut: the next commit would hide the gap.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Whether this process has held the node's number.
    claimed: AtomicBool,
    pub archive: Position,
    pub metadata: Position,
}

#[derive(Debug, Default)]
pub(crate) struct Position(AtomicI64);

impl Position {
    pub fn raise(&self, to: Seq) {
        self.0.fetch_max(to.as_i64(), Ordering::SeqCst);
    }

    pub fn check(&self, stored: Seq) -> Result<(), WorkError> {
        let written = Seq::from_i64(self.0.load(Ordering::SeqCst));
        if stored < written { Err(WorkError::SetBack { stored, written }) } else { Ok(()) }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.place).finish()
    }
}

impl Database {
    /// Reads the configuration. Connects to nothing: a database that is down is found by whoever needs it.
    pub fn new(config: &DatabaseConfig) -> Result<Self, DatabaseError> {
        if !["postgresql://", "postgres://"].iter().any(|scheme| config.url.starts_with(scheme)) {
            return Err(DatabaseError::Url("it does not begin with postgresql://".to_owned()));
        }
        // What libpq asks for by these names is what is always done here.
        let url = config
            .url
            .replace("sslmode=verify-full", "sslmode=require")
            .replace("sslmode=verify-ca", "sslmode=require");
        // The text of the error names the option at fault and never holds a value of another.
        let mut options =
            tokio_postgres::Config::from_str(&url).map_err(|error| DatabaseError::Url(error_text(&error)))?;
        if options.get_hosts().is_empty() {
            return Err(DatabaseError::Url("it names no host".to_owned()));
        }
        if options.get_application_name().is_none() {
            options.application_name("gwbank");
        }
        if options.get_connect_timeout().is_none() {
            options.connect_timeout(config.connect_timeout);
        }
        options.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(config.statement_timeout);
        let recycle = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let tls = match options.get_ssl_mode() {
            SslMode::Disable => None,
            _ => {
                // A server that says it cannot encrypt is what an attacker would say: there is no falling back.
                options.ssl_mode(SslMode::Require);
                Some(tls(config.ca_file.as_deref())?)
            }
        };
        if let Some(path) = &config.password_file {
            read_password(path).map_err(|source| DatabaseError::Password { path: path.clone(), source })?;
        }
        let password_file = config.password_file.clone();
        let manager = match tls.clone() {
            None => Manager::from_connect(options.clone(), WithPassword::new(NoTls, password_file), recycle),
            Some(tls) => Manager::from_connect(options.clone(), WithPassword::new(tls, password_file), recycle),
        };
        // Compiling the many small parts of a view of hours or days takes a hundred times as long as running it.
        // With synchronous_commit off the database forgets what it has committed, and the journal is cut by then.
        let limits = format!(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
             SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {}; \
             SET jit = off; SET TIME ZONE 'UTC'; SET client_min_messages = warning",
            config.statement_timeout.as_millis(),
            config.lock_timeout.as_millis(),
            // A transaction of ours never waits for anything but the database; one that does is of a node that is gone.
            config.statement_timeout.as_millis() * 2,
        );
        let limit = Hook::async_fn(move |client, _| {
            let limits = limits.clone();
            Box::pin(async move { client.batch_execute(&limits).await.map_err(HookError::Backend) })
        });
        let timeouts = Timeouts {
            wait: Some(config.statement_timeout),
            create: Some(config.connect_timeout * 2),
            recycle: Some(config.connect_timeout),
        };
        let pool = Pool::builder(manager)
            .max_size(config.connections_max.max(1))
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .timeouts(timeouts)
            .post_create(limit)
            .build()
            .map_err(|error| DatabaseError::Url(error.to_string()))?;
        Ok(Self {
            pool,
            tls,
            node_id: i16::from(config.node_id),
            owner: config.owner.as_deref().map(Into::into),
            place: place(&options).into(),
            patience: config.statement_timeout + config.connect_timeout,
            copy_rows_min: config.copy_rows_min,
            written: Arc::default(),
        })
    }

    pub(crate) fn node_id(&self) -> i16 {
        self.node_id
    }

    pub(crate) fn connections_max(&self) -> usize {
        self.pool.status().max_size
    }

    /// A server that hangs, or something between that swallows everything, answers nothing at all, and no limit of the
    /// server's can end that. The session of work that ends so is not to be used again.
    pub(crate) async fn unless_silent<T>(
        &self,
        statements: u32,
        work: impl Future<Output = Result<T, WorkError>>,
    ) -> Result<T, WorkError> {
        let patience = self.patience * statements;
        tokio::time::timeout(patience, work).await.unwrap_or(Err(WorkError::Silent { patience }))
    }

    pub(crate) async fn client(&self) -> Result<Object, DatabaseError> {
        self.pool.get().await.map_err(|error| DatabaseError::Connect(Box::new(error)))
    }
}

/// A data directory that has not written for so long may be gone: another one may go on under its number.
const NODE_ABANDONED: &str = "10 minutes";

impl Database {
    /// Takes the node's number for this data directory, or makes sure that it still has it.
    pub async fn claim_node(&self) -> Result<(), DatabaseError> {
        let mut client = self.client().await?;
        let work = async {
            let transaction = client.transaction().await?;
            self.hold_node(&transaction).await?;
            transaction.commit().await?;
            Ok(())
        };
        let done: Result<(), WorkError> = self.unless_silent(1, work).await;
        close_if_silent(client, &done);
        done.map_err(|error| error.during("cannot take the node's number"))
    }

    /// As [`Self::claim_node`], in the transaction of what is written under the number. Gives the node's positions in archive
    /// and metadata.
    pub(crate) async fn hold_node(&self, transaction: &Transaction<'_>) -> Result<(Seq, Seq), WorkError> {
        let statement = transaction
            .prepare_cached(&format!(
                "INSERT INTO nodes (node_id, owner) VALUES ($1, $2)
                 ON CONFLICT (node_id) DO UPDATE SET owner = coalesce($2, nodes.owner), written_at = now()
                    WHERE $2 IS NULL OR nodes.owner IS NULL OR nodes.owner = $2
                        OR nodes.written_at < now() - INTERVAL '{NODE_ABANDONED}' AND NOT $3
                 RETURNING archive_position, metadata_position"
            ))
            .await?;
        let (owner, was_ours) = (self.owner.as_deref(), self.written.claimed.load(Ordering::SeqCst));
        let row = transaction.query_opt(&statement, &[&self.node_id, &owner, &was_ours]).await?;
        let row = row.ok_or(WorkError::NodeTaken { node_id: self.node_id })?;
        self.written.claimed.store(true, Ordering::SeqCst);
        Ok((Seq::from_i64(row.get(0)), Seq::from_i64(row.get(1))))
    }

    /// Stops what a connection's backend is doing, as well as that goes: it may have ended just now.
    pub(crate) async fn cancel(&self, token: CancelToken) {
        let cancelled = match self.tls.clone() {
            None => token.cancel_query(NoTls).await,
            Some(tls) => token.cancel_query(tls).await,
        };
        if let Err(error) = cancelled {
            tracing::debug!(%error, "a query of nobody could not be cancelled");
        }
    }
}

pub(crate) fn is_silent<T>(done: &Result<T, WorkError>) -> bool {
    matches!(done, Err(WorkError::Silent { .. }))
}

/// After [`Database::unless_silent`]: nobody else gets a session that hangs.
pub(crate) fn close_if_silent<T>(client: Object, done: &Result<T, WorkError>) {
    if is_silent(done) {
        drop(Object::take(client));
    }
}

/// Host, port and name: what may be shown.
fn place(options: &tokio_postgres::Config) -> String {
    let host = match options.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
        None => String::new(),
    };
    let port = options.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}/{}", options.get_dbname().unwrap_or_default())
}

fn error_text(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn tls(ca_file: Option<&Path>) -> Result<MakeRustlsConnect, DatabaseError> {
    let mut roots = rustls::RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let failed = |source| DatabaseError::Certificates { path: path.to_owned(), source };
            let certificates = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| failed(io::Error::other(error)))?;
            if certificates.is_empty() {
                return Err(failed(io::Error::other("it holds no certificate in PEM form")));
            }
            for certificate in certificates {
                roots.add(certificate).map_err(|error| failed(io::Error::other(error)))?;
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn urls_that_cannot_be_used_are_told_without_their_password() {
        let told = |url: &str| Database::new(&DatabaseConfig::new(url)).unwrap_err().to_string();
        for url in
            ["", "mysql://u:secret@h/db", "/tmp/x", "postgresql:///db", "postgresql://u:secret@h/db?sslmode=maybe"]
        {
            let told = told(url);
            assert!(
                told.starts_with("the database's URL cannot be used: ") && !told.contains("secret"),
                "{url}: {told}"
            );
        }
        for mode in ["disable", "prefer", "require", "verify-ca", "verify-full"] {
            let database = Database::new(&DatabaseConfig::new(format!("postgresql://u:secret@h:1/db?sslmode={mode}")));
            let database = database.unwrap();
            assert_eq!(database.tls.is_some(), mode != "disable");
            assert_eq!(format!("{database:?}"), "Database(\"h:1/db\")");
        }
    }
}
