//! What the doors of a server have in common, whatever is spoken there: the certificate that they are opened with, and the
//! counts of who came.

mod stats;
mod tls;

pub use stats::{DoorCounts, DoorStats, Open, Refusal, Statement};
pub use tls::{Certified, TlsError, TlsFiles, certificates};
