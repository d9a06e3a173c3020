//! Certificates for one test, made by openssl.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An authority and a server certificate for this machine that it signed.
pub struct Certificates {
    pub authority: PathBuf,
    pub server: PathBuf,
    pub key: PathBuf,
}

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

fn openssl(dir: &Path, arguments: &[&str]) {
    let made = Command::new("openssl").current_dir(dir).args(arguments).stdout(Stdio::null()).output();
    let made = made.expect("openssl starts; scripts/test installs it");
    assert!(made.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

impl Certificates {
    /// Files below `dir`, in a folder named after the authority.
    pub fn make(dir: &Path, authority: &str) -> Self {
        let dir = dir.join(authority);
        std::fs::create_dir(&dir).unwrap();
        let subject = format!("/CN={authority}");
        let authority = ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", &subject];
        openssl(&dir, &[&authority[..], &KEY].concat());
        let server = ["req", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"];
        openssl(&dir, &[&server[..], &KEY].concat());
        std::fs::write(dir.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").unwrap();
        let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
        openssl(&dir, &[&sign[..], &["-out", "server.pem", "-days", "2", "-extfile", "names"]].concat());
        Self { authority: dir.join("ca.pem"), server: dir.join("server.pem"), key: dir.join("server.key") }
    }
}
