//! Who may connect to the embedded broker, and what for.
//!
//! # Rules
//! 1. A gateway authenticates with its id and a password, of which the configuration holds the Argon2 hash.
//! 2. Argon2 is slow by design: it runs off the async threads, two at a time, and what it found is remembered under a
//!    keyed hash of the password, so that a reconnecting fleet does not wait for it.
//! 3. A gateway's name that comes with wrong passwords from one address again and again is refused there for a while
//!    without a look at the password.
//! 4. A client id belongs to whom is connected under it: another gateway cannot take the connection over, and so end it.
//! 5. Publishing is refused on server topics only. On an ingest topic it never is: a gateway drops what is refused.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use gwbank_model::GatewayId;
use gwbank_runtime::FailureLimit;
use gwbank_wire::{Route, route};
use hashbrown::HashMap;
use mqtt5::broker::{AuthProvider, AuthResult};
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::mqtt::dispatch::may_match_ingest_topics;
use crate::{IngestError, Pipeline};

/// Argon2 takes a core and some 20 MB each time.
const VERIFICATIONS_AT_ONCE: usize = 2;

/// Wrong passwords of one name from one address in [`FAILURES_WINDOW`]. By name too, as one modem's operator may give
/// thousands of gateways the same address.
const FAILURES_MAX: u32 = 10;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

/// What a gateway proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayCredentials {
    pub gateway: GatewayId,
    /// In PHC format, such as `$argon2id$v=19$m=19456,t=2,p=1$…`.
    pub password_hash: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// Connections without a known gateway's name are let in and speak for any gateway.
    Allowed,
    Refused,
}

/// Whose the connected client ids are; `None` is an anonymous one.
#[derive(Debug, Default)]
pub(crate) struct ClientOwners(Mutex<HashMap<Arc<str>, Owner>>);

#[derive(Debug)]
struct Owner {
    user: Option<Arc<str>>,
    /// More than one for a moment, while a connection of the same owner takes over.
    connections: usize,
}

impl ClientOwners {
    pub(crate) fn connected(&self, client_id: Arc<str>, user: Option<Arc<str>>) {
        let mut owners = self.0.lock();
        let owner = owners.entry(client_id).or_insert(Owner { user: None, connections: 0 });
        owner.user = user;
        owner.connections += 1;
    }

    pub(crate) fn disconnected(&self, client_id: &str) {
        let mut owners = self.0.lock();
        let Some(owner) = owners.get_mut(client_id) else { return };
        owner.connections = owner.connections.saturating_sub(1);
        if owner.connections == 0 {
            owners.remove(client_id);
        }
    }

    fn may_use(&self, client_id: &str, user: Option<&str>) -> bool {
        self.0.lock().get(client_id).is_none_or(|owner| owner.user.as_deref() == user)
    }
}

pub(crate) struct GatewayAuth {
    hashes: HashMap<String, Arc<str>>,
    anonymous: Anonymous,
    verified: Mutex<HashMap<String, [u64; 2]>>,
    keys: [RandomState; 2],
    verifications: Semaphore,
    failures: Mutex<FailureLimit<(IpAddr, String)>>,
    owners: Arc<ClientOwners>,
    pipeline: Pipeline,
}

impl GatewayAuth {
    pub(crate) fn try_new(
        credentials: Vec<GatewayCredentials>,
        anonymous: Anonymous,
        owners: Arc<ClientOwners>,
        pipeline: Pipeline,
    ) -> Result<Self, IngestError> {
        let mut hashes = HashMap::new();
        for GatewayCredentials { gateway, password_hash } in credentials {
            if let Err(problem) = PasswordHash::new(&password_hash) {
                let problem =
                    format!("password hash cannot be read ({problem}); it must be an Argon2 hash in PHC format");
                return Err(IngestError::Refused { what: "gateway", id: gateway.to_string(), problem });
            }
            hashes.insert(gateway.as_str().to_owned(), Arc::from(password_hash));
        }
        Ok(Self {
            hashes,
            anonymous,
            verified: Mutex::default(),
            keys: [RandomState::new(), RandomState::new()],
            verifications: Semaphore::new(VERIFICATIONS_AT_ONCE),
            failures: Mutex::new(FailureLimit::new(FAILURES_MAX, FAILURES_WINDOW)),
            owners,
            pipeline,
        })
    }

    async fn check(&self, connect: &ConnectPacket, address: IpAddr) -> AuthResult {
        if self.pipeline.is_holding() {
            // A gateway keeps what it cannot send; one more connection would only hold one more message here.
            return AuthResult::fail_with_reason(
                ReasonCode::ServerUnavailable,
                "readings are held up, try again later",
            );
        }
        // The broker hands wills to subscribers alone, so that such a reading would be lost without a word.
        if connect.will.as_ref().is_some_and(|will| may_match_ingest_topics(&will.topic)) {
            return AuthResult::fail_with_reason(
                ReasonCode::ImplementationSpecificError,
                "a will cannot be a reading: publish readings, and announce a will on a topic of your own",
            );
        }
        let hash = connect.username.as_ref().and_then(|user| self.hashes.get(user).cloned().map(|hash| (user, hash)));
        match (hash, self.anonymous) {
            (Some((user, hash)), _) => {
                let password = connect.password.clone().unwrap_or_default();
                match self.verify(user, hash, password, address).await {
                    Verdict::Right => AuthResult::success_with_user(user.clone()),
                    Verdict::Wrong => AuthResult::fail(ReasonCode::BadUsernameOrPassword),
                    Verdict::TooManyWrong => AuthResult::fail_with_reason(
                        ReasonCode::ServerUnavailable,
                        "too many wrong passwords, try again in a minute",
                    ),
                }
            }
            (None, Anonymous::Allowed) => AuthResult::success(),
            (None, Anonymous::Refused) if connect.username.is_some() => {
                AuthResult::fail(ReasonCode::BadUsernameOrPassword)
            }
            (None, Anonymous::Refused) => AuthResult::fail(ReasonCode::NotAuthorized),
        }
    }

    async fn verify(&self, user: &str, hash: Arc<str>, password: Vec<u8>, address: IpAddr) -> Verdict {
        let key = [self.keys[0].hash_one((user, &password)), self.keys[1].hash_one((user, &password))];
        if self.verified.lock().get(user) == Some(&key) {
            return Verdict::Right;
        }
        let Ok(_permit) = self.verifications.acquire().await else { return Verdict::Wrong };
        if self.verified.lock().get(user) == Some(&key) {
            return Verdict::Right; // another connection of the same gateway was first
        }
        let who = (address, user.to_owned());
        if self.failures.lock().is_reached(&who, Instant::now()) {
            return Verdict::TooManyWrong;
        }
        let verified = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok())
        });
        if verified.await.unwrap_or(false) {
            self.verified.lock().insert(user.to_owned(), key);
            Verdict::Right
        } else {
            self.failures.lock().note(who, Instant::now());
            Verdict::Wrong
        }
    }
}

/// Of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    Wrong,
    /// Not looked at.
    TooManyWrong,
}

impl AuthProvider for GatewayAuth {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        client_addr: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = mqtt5::Result<AuthResult>> + Send + 'a>> {
        Box::pin(async move {
            let mut result = self.check(connect, client_addr.ip()).await;
            if result.authenticated && !self.owners.may_use(&connect.client_id, result.user_id.as_deref()) {
                result = AuthResult::fail(ReasonCode::ClientIdentifierNotValid);
            }
            if !result.authenticated {
                tracing::warn!(%client_addr, client_id = %connect.client_id, reason = ?result.reason_code, "connection refused");
            }
            Ok(result)
        })
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        _user_id: Option<&'a str>,
        topic: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        let allowed = route(topic) != Route::ServerOwned;
        Box::pin(std::future::ready(allowed))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        _user_id: Option<&'a str>,
        topic_filter: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(std::future::ready(!may_match_ingest_topics(topic_filter)))
    }
}
