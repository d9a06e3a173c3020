//! What stands between a program and its server, and does not always let through what it should.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Trouble {
    None,
    /// Each piece waits for a moment.
    Delays,
    /// Nothing comes through, and nobody is told.
    Swallows,
    /// New connections are closed at once.
    Refuses,
}

const TROUBLES: [Trouble; 4] = [Trouble::None, Trouble::Delays, Trouble::Swallows, Trouble::Refuses];
const DELAY: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Shared {
    trouble: AtomicU8,
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl Shared {
    fn trouble(&self) -> Trouble {
        TROUBLES[self.trouble.load(Ordering::Relaxed) as usize]
    }
}

/// A proxy on a port of its own; it ends with the process.
#[derive(Debug, Clone)]
pub struct TcpProxy {
    port: u16,
    shared: Arc<Shared>,
}

impl TcpProxy {
    /// # Panics
    /// When there is no port left.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let proxy = Self { port: listener.local_addr().expect("its address").port(), shared: Arc::default() };
        let shared = proxy.shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.trouble() == Trouble::Refuses {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let both = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
                let (Some(there), Some(back), Some(kept)) = (both(), both(), both()) else { continue };
                shared.connections.lock().push(kept);
                let (one, other) = (shared.clone(), shared.clone());
                std::thread::spawn(move || pass(&one, there.0, there.1));
                std::thread::spawn(move || pass(&other, back.1, back.0));
            }
        });
        proxy
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn makes(&self, trouble: Trouble) {
        self.shared.trouble.store(trouble as u8, Ordering::Relaxed);
    }

    /// Ends every connection; where only one side is told of it, the other one learns when it writes.
    pub fn cuts(&self, one_side_only: bool) {
        for (client, server) in self.shared.connections.lock().drain(..) {
            let _ = server.shutdown(Shutdown::Both);
            if !one_side_only {
                let _ = client.shutdown(Shutdown::Both);
            }
        }
    }
}

fn pass(shared: &Shared, mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 << 10];
    loop {
        let count = match from.read(&mut bytes) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        match shared.trouble() {
            Trouble::Delays => std::thread::sleep(DELAY),
            // What was swallowed is missing for good: nothing may follow it.
            Trouble::Swallows => return,
            Trouble::None | Trouble::Refuses => {}
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
