//! Running the binary, and a server of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any start or stop on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(240);

pub fn gwbank() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gwbank"));
    for (name, _) in std::env::vars() {
        if name.starts_with("GWBANK_") {
            command.env_remove(name);
        }
    }
    // Tests run side by side.
    command.env("GWBANK__POSTGRES_WIRE__LISTEN", "127.0.0.1:0");
    command.env("GWBANK__FLIGHT_SQL__LISTEN", "127.0.0.1:0");
    command
}

/// What a finished command said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// A directory for one test, and what is run in it.
pub struct Place {
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Runs a command on the data directory to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        gwbank()
            .current_dir(self.dir.path())
            .arg("--data-dir")
            .arg(self.data_dir())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    }

    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, arguments: &[&str]) -> Server {
        self.start(arguments).ready()
    }

    /// A server that has only just been started.
    pub fn start(&self, arguments: &[&str]) -> Starting {
        let child = gwbank()
            .current_dir(self.dir.path())
            .args(["serve", "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--data-dir"])
            .arg(self.data_dir())
            .args(arguments)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Starting { child, data_dir: self.data_dir() }
    }
}

/// Checks again and again until it holds.
pub fn until<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

pub struct Starting {
    child: Child,
    data_dir: PathBuf,
}

impl Starting {
    pub fn ready(self) -> Server {
        Server::ready(self.child, &self.data_dir)
    }

    /// Kills it between the opening of the journal and the end of its replay, as its threads tell; false when the replay
    /// was over before anybody looked.
    pub fn kill_in_replay(mut self) -> bool {
        let in_replay = loop {
            let threads = thread_names(self.child.id());
            if threads.iter().any(|name| name == "applier") {
                break false;
            }
            if threads.iter().any(|name| name == "journal") {
                break true;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the server ended at once");
            std::thread::yield_now();
        };
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        in_replay
    }
}

fn thread_names(process: u32) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(name).map(|name| name.trim().to_owned()).collect()
}

pub struct Server {
    child: Child,
    pub http: String,
    pub mqtt: String,
    /// Host and port for PostgreSQL's clients.
    pub postgres_wire: String,
    /// Host and port for Flight SQL's clients.
    pub flight_sql: String,
}

impl Server {
    fn ready(mut child: Child, data_dir: &Path) -> Self {
        let addresses: Value = until("addresses.json", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended at once: {status}");
            }
            let text = std::fs::read_to_string(data_dir.join("addresses.json")).ok()?;
            let addresses: Value = serde_json::from_str(&text).ok()?;
            // The file of a server that was killed is there until this one has started.
            let http = addresses["http"].as_str()?;
            std::net::TcpStream::connect(http).ok()?;
            Some(addresses)
        });
        let http = format!("http://{}", addresses["http"].as_str().unwrap());
        let mqtt = format!("mqtt://{}", addresses["mqtt"].as_str().unwrap());
        let postgres_wire = addresses["postgres_wire"].as_str().unwrap_or_default().to_owned();
        let flight_sql = addresses["flight_sql"].as_str().unwrap_or_default().to_owned();
        Self { child, http, mqtt, postgres_wire, flight_sql }
    }

    /// Its number to the system.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks over HTTP; gives status and body.
    pub fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.http));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = agent.run(request.body(body.to_vec()).unwrap()).unwrap();
        (response.status().as_u16(), response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap())
    }

    pub fn post_readings(&self, json: &str) -> Value {
        let headers = [("content-type", "application/json"), ("x-gateway", "gw-1")];
        let (status, body) = self.ask("POST", "/api/v1/readings", &headers, json.as_bytes());
        assert!(status == 200 || status == 422, "{status}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    pub fn sql(&self, statement: &str) -> Value {
        let body = serde_json::json!({ "sql": statement }).to_string();
        let (status, body) = self.ask("POST", "/api/v1/sql", &[("content-type", "application/json")], body.as_bytes());
        assert_eq!(status, 200, "{statement}: {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    /// The most memory that the process has had, in bytes.
    pub fn memory_peak(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap() << 10
    }

    /// As a power cut ends it.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As systemd ends it: gives the exit code and how long it took.
    pub fn terminate(mut self) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let kill = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
        let status = until("the end of the server", || self.child.try_wait().unwrap());
        (status.code(), began.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
