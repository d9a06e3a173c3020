//! Who may connect.
//!
//! # Rules
//! 1. Without any configured credential the door is open to whoever reaches it, under any name. The binary permits that
//!    only on loopback, or where it was told to.
//! 2. Otherwise a name and a password are asked for; a name that nobody has looks like a wrong password.
//! 3. Who sends wrong passwords again and again is refused for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use gwbank_runtime::FailureLimit;
use parking_lot::Mutex;

use crate::error::PgError;
use crate::scram::{self, Verifier};

/// Wrong passwords from one address in [`FAILURES_WINDOW`], as at the HTTP door.
const FAILURES_MAX: u32 = 30;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

/// One who may be let in.
#[derive(Debug, Clone)]
pub struct User {
    pub verifier: Verifier,
    /// Whether the role permits SQL.
    pub may_query: bool,
}

/// All who may be let in.
#[derive(Debug)]
pub enum Users {
    /// Whoever reaches the door.
    Everybody,
    Known(HashMap<String, User>),
}

#[derive(Debug)]
pub(crate) struct Gatekeeper {
    users: Users,
    /// Of decoys.
    secret: [u8; 32],
    failures: Mutex<FailureLimit<IpAddr>>,
}

impl Gatekeeper {
    pub(crate) fn new(users: Users) -> Self {
        Self { users, secret: rand::random(), failures: Mutex::new(FailureLimit::new(FAILURES_MAX, FAILURES_WINDOW)) }
    }

    /// What the password is checked against; `None` where none is asked for.
    pub(crate) fn verifier(&self, name: &str, peer: IpAddr) -> Result<Option<Verifier>, PgError> {
        let Users::Known(users) = &self.users else { return Ok(None) };
        if self.failures.lock().is_reached(&peer, Instant::now()) {
            let message = "too many wrong passwords came from this address; wait a minute";
            return Err(PgError::fatal("28000", message));
        }
        Ok(Some(match users.get(name) {
            Some(user) => user.verifier.clone(),
            None => scram::decoy(&self.secret, name),
        }))
    }

    /// After a right password: whether the role permits SQL.
    pub(crate) fn admit(&self, name: &str) -> Result<(), PgError> {
        match &self.users {
            Users::Everybody => Ok(()),
            Users::Known(users) if users.get(name).is_some_and(|user| user.may_query) => Ok(()),
            Users::Known(_) => Err(PgError::fatal("42501", format!("the role of \"{name}\" does not permit SQL"))),
        }
    }

    pub(crate) fn refuse(&self, name: &str, peer: IpAddr) -> PgError {
        self.failures.lock().note(peer, Instant::now());
        PgError::fatal("28P01", format!("password authentication failed for user \"{name}\""))
    }
}
