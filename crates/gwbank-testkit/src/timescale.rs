//! A real TimescaleDB: its code in a PostgreSQL that is compiled to WebAssembly and served by Node.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::postgres::{free_port, psql};

/// Serves one connection at a time: the next one waits until that is closed.
#[derive(Debug)]
pub struct Timescale {
    server: Child,
    port: u16,
}

impl Timescale {
    /// # Panics
    /// When the packages that `scripts/test` installs are not there.
    pub fn start() -> Self {
        let packages = match std::env::var_os("GWBANK_TEST_CLIENTS") {
            Some(clients) => PathBuf::from(clients),
            None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/test-clients"),
        };
        let packages = packages.join("node");
        // Node looks for packages from where the script lies.
        let script = packages.join(format!("timescale-{}.mjs", std::process::id()));
        std::fs::write(&script, include_str!("timescale.mjs"))
            .unwrap_or_else(|error| panic!("{}: {error}: run the tests through scripts/test", script.display()));
        let port = free_port();
        let mut node = Command::new("node");
        node.arg(&script).arg(port.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = node.spawn().expect("node runs");
        let told = BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let is_ready = told.inspect(|line| println!("{line}")).any(|line| line == "ready");
        let _ = std::fs::remove_file(&script);
        assert!(is_ready, "TimescaleDB did not start");
        Self { server, port }
    }

    pub fn url(&self) -> String {
        format!("postgresql://postgres:postgres@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// What psql answers, once nobody else is connected.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn psql(&self, statement: &str) -> String {
        psql(&self.url(), statement)
    }
}

impl Drop for Timescale {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
