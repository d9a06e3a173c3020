//! What a running server leaves in its data directory for those who look for it: its addresses, and a token.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

const ADDRESSES_FILE: &str = "addresses.json";
const TOKEN_FILE: &str = "local-token";

/// Bytes of randomness in the local token.
const TOKEN_BYTES: usize = 32;

/// The addresses as bound: a port 0 has become the one taken. `null` where a door is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    pub mqtt: Option<String>,
    #[serde(default)]
    pub mqtt_tls: Option<String>,
    pub http: Option<String>,
    pub postgres_wire: Option<String>,
    pub flight_sql: Option<String>,
}

impl Addresses {
    /// Appears whole or not at all: a reader may look at any time.
    pub fn write(&self, data_dir: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        replace(&data_dir.join(ADDRESSES_FILE), format!("{text}\n").as_bytes(), 0o644)
    }

    pub fn read(data_dir: &Path) -> Result<Self> {
        let path = data_dir.join(ADDRESSES_FILE);
        let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Of an earlier process: they lead nowhere.
    pub fn remove(data_dir: &Path) {
        let _ = std::fs::remove_file(data_dir.join(ADDRESSES_FILE));
    }
}

/// Makes a token for this process's lifetime that only its user can read.
pub fn write_local_token(data_dir: &Path) -> Result<String> {
    let token: String = rand::random::<[u8; TOKEN_BYTES]>().iter().map(|byte| format!("{byte:02x}")).collect();
    replace(&data_dir.join(TOKEN_FILE), token.as_bytes(), 0o600)?;
    Ok(token)
}

/// Random bytes that stay over restarts and that only this program's user can read; made where they are not there yet.
pub fn kept_secret(path: &Path) -> Result<Vec<u8>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let bytes = rand::random::<[u8; TOKEN_BYTES]>().to_vec();
            replace(path, &bytes, 0o600)?;
            Ok(bytes)
        }
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
}

pub fn read_local_token(data_dir: &Path) -> Result<String> {
    Ok(std::fs::read_to_string(data_dir.join(TOKEN_FILE))?.trim().to_owned())
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let draft = path.with_extension("new");
    let _ = std::fs::remove_file(&draft); // so that the mode below holds from the first byte
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(bytes)?;
        std::fs::rename(&draft, path)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_token_is_for_its_user_only_and_new_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = write_local_token(dir.path()).unwrap();
        let second = write_local_token(dir.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(read_local_token(dir.path()).unwrap(), second);
        let mode = std::fs::metadata(dir.path().join(TOKEN_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn addresses_lead_back() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Addresses::read(dir.path()).is_err());
        let addresses = Addresses { http: Some("127.0.0.1:8080".into()), ..Addresses::default() };
        addresses.write(dir.path()).unwrap();
        assert_eq!(Addresses::read(dir.path()).unwrap(), addresses);
    }
}
