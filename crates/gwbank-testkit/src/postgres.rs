//! A real PostgreSQL of the tests' own, from the programs that are installed.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Folder of `initdb`, `pg_ctl` and `psql`: Debian keeps them beside the version.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.retain(|dir| dir.join("initdb").exists());
    found.sort();
    found.pop().expect("PostgreSQL is installed: scripts/test does it")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("Linux").uid() == 0
}

/// PostgreSQL does not run as root; as root its programs run as the user that Debian's package made.
fn command(name: &str) -> Command {
    let program = binaries().join(name);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(mut command: Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {told}\n{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A port of this machine that nobody listens at.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port()
}

pub(crate) fn psql(url: &str, statement: &str) -> String {
    let mut psql = command("psql");
    psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, url]);
    run(psql)
}

/// A server with a directory and a port of its own. Ends with the process at the latest, even when that is killed.
#[derive(Debug)]
pub struct Postgres {
    root: PathBuf,
    port: u16,
    databases: AtomicU32,
}

impl Postgres {
    /// # Panics
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Self {
        let root = tempfile::Builder::new().prefix("gwbank-postgres-").tempdir().expect("a directory").keep();
        if is_root() {
            let mut chown = Command::new("chown");
            chown.arg("postgres:").arg(&root);
            run(chown);
        }
        let port = free_port();
        let server = Self { root, port, databases: AtomicU32::new(0) };
        let mut initdb = command("initdb");
        initdb.args(["-U", "gwbank", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]).arg(server.data());
        run(initdb);
        server.ends_with_this_process();
        server.go_on();
        server
    }

    /// One for all tests of this process.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// A shell waits for the end of its input, which is when this process ends, however that is.
    fn ends_with_this_process(&self) {
        let stop = command("pg_ctl");
        let stop: Vec<&str> =
            std::iter::once(stop.get_program()).chain(stop.get_args()).filter_map(|word| word.to_str()).collect();
        let script = format!(
            "read _; {} stop -s -m immediate -D {}; rm -rf {}",
            stop.join(" "),
            self.data().display(),
            self.root.display()
        );
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        std::mem::forget(shell.spawn().expect("a shell")); // the pipe's other end closes with the process
    }

    /// Starts it, again after [`Self::crash`]; returns when it takes connections.
    pub fn go_on(&self) {
        let mut start = command("pg_ctl");
        let options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200",
            self.port,
            self.root.display()
        );
        start.args(["start", "-s", "-w", "-t", "120", "-o", &options, "-l"]).arg(self.log()).arg("-D").arg(self.data());
        // Its outputs are the log's: a pipe would stay open as long as the server runs.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("pg_ctl runs");
        assert!(status.success(), "{}", std::fs::read_to_string(self.log()).unwrap_or_default());
    }

    fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Ends it as a power cut does; connections are cut.
    pub fn crash(&self) {
        let mut stop = command("pg_ctl");
        stop.args(["stop", "-s", "-w", "-m", "immediate", "-D"]).arg(self.data());
        run(stop);
    }

    /// Nothing of it runs, and nothing is closed: as a host that hangs. Until [`Self::thaws`].
    pub fn freezes(&self) {
        self.signals("-STOP");
    }

    pub fn thaws(&self) {
        self.signals("-CONT");
    }

    fn signals(&self, signal: &str) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("the server runs");
        let main = file.lines().next().expect("its number").to_owned();
        let signal_to = |process: &str| {
            // By the shell, which has it built in. A child may have ended just now.
            let kill = format!("kill {signal} {process}");
            Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status().expect("a shell");
        };
        // The one that makes others first, so that none is missed.
        signal_to(&main);
        let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
        for process in processes.filter_map(|entry| entry.file_name().into_string().ok()) {
            let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // After the name, which may hold anything: state, parent.
            let parent = status.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent == Some(main.as_str()) {
                signal_to(&process);
            }
        }
    }

    /// The same data under another port, this server being gone: what a standby is after it took over.
    pub fn fails_over_to(&self, port: u16) -> Self {
        self.crash();
        let root = tempfile::Builder::new().prefix("gwbank-postgres-").tempdir().expect("a directory").keep();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.data()).arg(&root);
        run(copy);
        let mut chmod = Command::new("chmod");
        chmod.arg("755").arg(&root);
        run(chmod);
        if is_root() {
            let mut chown = Command::new("chown");
            chown.arg("postgres:").arg(&root);
            run(chown);
        }
        let databases = AtomicU32::new(self.databases.load(Ordering::Relaxed));
        let server = Self { root, port, databases };
        server.ends_with_this_process();
        server.go_on();
        server
    }

    /// From now on a role needs its password.
    pub fn asks_the_password_of(&self, role: &str) {
        let file = self.data().join("pg_hba.conf");
        let rules = std::fs::read_to_string(&file).expect("its rules");
        std::fs::write(&file, format!("host all {role} 127.0.0.1/32 scram-sha-256\n{rules}")).expect("its rules");
        self.psql(&self.url("postgres"), "SELECT pg_reload_conf()");
    }

    /// Takes TLS, too, with a certificate and its key in PEM form.
    pub fn takes_tls(&self, certificate: &Path, key: &Path) {
        for (from, name) in [(certificate, "server.crt"), (key, "server.key")] {
            let to = self.data().join(name);
            std::fs::copy(from, &to).expect("a copy");
            std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
            if is_root() {
                let mut chown = Command::new("chown");
                chown.arg("postgres:").arg(&to);
                run(chown);
            }
        }
        self.psql(&self.url("postgres"), "ALTER SYSTEM SET ssl = on");
        self.psql(&self.url("postgres"), "SELECT pg_reload_conf()");
    }

    /// The URL of a new, empty database.
    pub fn empty_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    fn url(&self, name: &str) -> String {
        format!("postgresql://gwbank@127.0.0.1:{}/{name}?sslmode=disable", self.port)
    }

    /// What psql answers to a statement: a line a row, columns separated by `|`.
    ///
    /// # Panics
    /// When the statement fails.
    pub fn psql(&self, url: &str, statement: &str) -> String {
        psql(url, statement)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server's own files lie.
    pub fn directory(&self) -> &Path {
        &self.root
    }
}
