//! A real Mosquitto for one test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::certificates::Certificates;
use crate::program::until;

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port()
}

/// A Mosquitto of the test's own, with the settings that docker-compose.yml recommends.
pub struct Mosquitto {
    child: Child,
    pub address: String,
}

impl Mosquitto {
    pub fn start(dir: &Path) -> Self {
        Self::start_on(dir, "")
    }

    /// With TLS on its only listener.
    pub fn start_with_tls(dir: &Path, certificates: &Certificates) -> Self {
        let Certificates { server, key, .. } = certificates;
        // Else a Mosquitto that root starts becomes a user who cannot read the key.
        Self::start_on(dir, &format!("certfile {}\nkeyfile {}\nuser root\n", server.display(), key.display()))
    }

    fn start_on(dir: &Path, more: &str) -> Self {
        let port = free_port();
        let conf = dir.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\n\
             max_queued_bytes 0\nmax_inflight_messages 1000\n{more}"
        );
        fs::write(&conf, text).expect("written");
        let child = Command::new("mosquitto")
            .arg("-c")
            .arg(&conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("mosquitto starts; scripts/test installs it");
        let address = format!("127.0.0.1:{port}");
        until("mosquitto listens", || TcpStream::connect(&address).ok());
        Self { child, address }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
