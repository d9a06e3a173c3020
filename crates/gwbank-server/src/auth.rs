//! Who asks, and what the role permits.
//!
//! # Rules
//! 1. Without any configured user, token or gateway the server is **open**: whoever reaches it is an admin. The binary
//!    permits that only on loopback (or with `insecure = true`), and [`crate::router`] then refuses foreign Host headers.
//! 2. Otherwise a request carries a bearer token or a name and password, or the cookie of a session that one began
//!    (`session`). Tokens are kept as SHA-256 digests (they are
//!    long and random), passwords as Argon2 strings. Comparison takes the same time wherever they differ.
//! 3. The local token, which only the process's own user can read, is an admin's in either case.
//! 4. Whoever sends wrong passwords again and again is refused for a while without a look at the password: a guess costs the
//!    guesser time and the server nothing. Who was let in before comes in from memory.
//! 5. [`Access::permits`] is the only place that says what a role may do.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use axum::http::{HeaderMap, header};
use base64::Engine;
use gwbank_model::{GatewayId, named_enum};
use gwbank_runtime::FailureLimit;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::guard::Peer;
use crate::problem::{Kind, Problem};

named_enum! {
    Role, "role" {
        /// Sends readings under its own id.
        Gateway = 1, "gateway";
        /// Reads everything, runs SQL, reviews readings.
        Hydrologist = 2, "hydrologist";
        /// Reads wells, indicators and condition flags; acknowledges.
        Office = 3, "office";
        Admin = 4, "admin";
        /// Nobody who is known, where that is permitted: looks at the water, and at no names of people.
        Public = 5, "public";
    }
}

impl Role {
    /// Those that can be given to somebody.
    pub const GIVEN: &'static [Role] = &[Role::Gateway, Role::Hydrologist, Role::Office, Role::Admin];
}

/// What a route is for; every route has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone who reaches the port.
    Public,
    /// Wells, series, indicators, provinces, flags: what an operator may open to everybody.
    View,
    /// What is about the work and not about the water: status, gateways, sensors, limits, reviews, holds.
    Read,
    /// Free SQL.
    Sql,
    /// Sending readings.
    Publish,
    /// Deciding on stretches of series.
    Review,
    /// Acknowledging a condition flag.
    Acknowledge,
    /// Registering, replaying, flushing.
    Administer,
}

impl Access {
    pub const ALL: &'static [Access] = &[
        Access::Public,
        Access::View,
        Access::Read,
        Access::Sql,
        Access::Publish,
        Access::Review,
        Access::Acknowledge,
        Access::Administer,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Access::Public => "public",
            Access::View => "view",
            Access::Read => "read",
            Access::Sql => "sql",
            Access::Publish => "publish",
            Access::Review => "review",
            Access::Acknowledge => "acknowledge",
            Access::Administer => "administer",
        }
    }

    pub fn permits(self, role: Role) -> bool {
        match self {
            Access::Public => true,
            Access::View => role != Role::Gateway,
            Access::Read => matches!(role, Role::Hydrologist | Role::Office | Role::Admin),
            Access::Sql | Access::Review => matches!(role, Role::Hydrologist | Role::Admin),
            Access::Publish => matches!(role, Role::Gateway | Role::Admin),
            Access::Acknowledge => matches!(role, Role::Office | Role::Admin),
            Access::Administer => matches!(role, Role::Admin),
        }
    }

    /// For the documentation: who may.
    pub fn roles(self) -> String {
        if self == Access::Public {
            return "anyone".to_owned();
        }
        let roles: Vec<&str> = Role::GIVEN.iter().filter(|&&role| self.permits(role)).map(|role| role.name()).collect();
        roles.join(", ")
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub role: Role,
    /// The only gateway that it may send as; `None` for an admin, who may name any.
    pub gateway: Option<GatewayId>,
}

impl Principal {
    /// Who is not known.
    pub fn public() -> Self {
        Self { name: "public".to_owned(), role: Role::Public, gateway: None }
    }

    pub fn is_public(&self) -> bool {
        self.role == Role::Public
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("{what} of {name:?} is not {expected}")]
    Malformed { what: &'static str, name: String, expected: &'static str },
    #[error("{name:?} has role public, which is that of whoever is not known; see [dashboard] public")]
    Public { name: String },
    #[error("{name:?} is there twice")]
    Twice { name: String },
    #[error("token {name:?} has role gateway and names no gateway")]
    TokenWithoutGateway { name: String },
    #[error("{name:?} has the token of {other:?}, whose rights it would have; make one of its own")]
    SameToken { name: String, other: String },
}

/// A password of a user or a gateway, as an Argon2 string in PHC format.
#[derive(Clone)]
struct Password {
    principal: Principal,
    phc: Arc<str>,
}

#[derive(Clone)]
struct Token {
    principal: Principal,
    digest: [u8; 32],
}

/// Everything that may authenticate. Built once at start.
#[derive(Clone, Default)]
pub struct Credentials {
    passwords: HashMap<String, Password>,
    tokens: Vec<Token>,
    local: Option<Token>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} passwords, {} tokens)", self.passwords.len(), self.tokens.len())
    }
}

impl Credentials {
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nobody was configured; the local token does not count.
    pub fn is_open(&self) -> bool {
        self.passwords.is_empty() && self.tokens.is_empty()
    }

    pub fn add_user(&mut self, name: &str, role: Role, phc: &str) -> Result<(), CredentialError> {
        self.add_password(Principal { name: name.to_owned(), role, gateway: None }, phc)
    }

    pub fn add_gateway(&mut self, id: &GatewayId, phc: &str) -> Result<(), CredentialError> {
        self.add_password(
            Principal { name: id.as_str().to_owned(), role: Role::Gateway, gateway: Some(id.clone()) },
            phc,
        )
    }

    fn add_password(&mut self, principal: Principal, phc: &str) -> Result<(), CredentialError> {
        if principal.is_public() {
            return Err(CredentialError::Public { name: principal.name });
        }
        if PasswordHash::new(phc).is_err() {
            let expected = "an Argon2 string in PHC format ($argon2id$…)";
            return Err(CredentialError::Malformed { what: "the password", name: principal.name, expected });
        }
        let name = principal.name.clone();
        match self.passwords.insert(name.clone(), Password { principal, phc: phc.into() }) {
            None => Ok(()),
            Some(_) => Err(CredentialError::Twice { name }),
        }
    }

    /// `sha256` is the digest of the token in hexadecimal.
    pub fn add_token(
        &mut self,
        name: &str,
        role: Role,
        gateway: Option<GatewayId>,
        sha256: &str,
    ) -> Result<(), CredentialError> {
        let Some(digest) = parse_digest(sha256) else {
            let expected = "a SHA-256 digest of 64 hexadecimal digits";
            return Err(CredentialError::Malformed { what: "sha256", name: name.to_owned(), expected });
        };
        if role == Role::Public {
            return Err(CredentialError::Public { name: name.to_owned() });
        }
        if role == Role::Gateway && gateway.is_none() {
            return Err(CredentialError::TokenWithoutGateway { name: name.to_owned() });
        }
        if self.tokens.iter().any(|token| token.principal.name == name) {
            return Err(CredentialError::Twice { name: name.to_owned() });
        }
        if let Some(other) = self.tokens.iter().find(|token| token.digest == digest) {
            let other = other.principal.name.clone();
            return Err(CredentialError::SameToken { name: name.to_owned(), other });
        }
        let gateway = gateway.filter(|_| role == Role::Gateway);
        self.tokens.push(Token { principal: Principal { name: name.to_owned(), role, gateway }, digest });
        Ok(())
    }

    /// Whether anybody could log in with a password.
    pub fn has_passwords(&self) -> bool {
        self.passwords.values().any(|password| Access::View.permits(password.principal.role))
    }

    /// Admits the bearer of the local token as an admin.
    pub fn set_local_token(&mut self, token: &str) {
        let principal = Principal { name: "local".to_owned(), role: Role::Admin, gateway: None };
        self.local = Some(Token { principal, digest: digest(token.as_bytes()) });
    }
}

/// The digest under which a token is configured, in hexadecimal.
pub fn token_digest(token: &str) -> String {
    digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An Argon2id string of a password, for the configuration.
pub fn password_hash(password: &str) -> Result<String, CredentialError> {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let salt = SaltString::encode_b64(&rand::random::<[u8; 16]>());
    let malformed = || CredentialError::Malformed {
        what: "the password",
        name: String::new(),
        expected: "something that Argon2 can hash",
    };
    let salt = salt.map_err(|_| malformed())?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt).map_err(|_| malformed())?;
    Ok(hash.to_string())
}

/// How many passwords are hashed at once: each takes 19 MiB and some 20 ms of a core, and anyone may ask.
const PASSWORD_CHECKS_AT_ONCE: usize = 2;

/// Wrong passwords from one address in [`FAILURES_WINDOW`]: more than people mistype, one hundredth of a core in hashes.
const FAILURES_MAX: u32 = 30;
const FAILURES_WINDOW: Duration = Duration::from_secs(60);

/// Checks requests against the credentials.
#[derive(Debug)]
pub struct Authenticator {
    credentials: Credentials,
    /// Digest of (name, password) pairs that were right, so that a client pays Argon2 once. One entry a name.
    proven: Mutex<HashMap<String, [u8; 32]>>,
    checks: Semaphore,
    failures: Mutex<FailureLimit<Option<Peer>>>,
}

impl Authenticator {
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            proven: Mutex::new(HashMap::new()),
            checks: Semaphore::new(PASSWORD_CHECKS_AT_ONCE),
            failures: Mutex::new(FailureLimit::new(FAILURES_MAX, FAILURES_WINDOW)),
        }
    }

    pub fn is_open(&self) -> bool {
        self.credentials.is_open()
    }

    /// Who the request comes from, or a problem that says what is missing.
    pub async fn authenticate(&self, headers: &HeaderMap, peer: Option<Peer>) -> Result<Principal, Problem> {
        if self.is_open() {
            return Ok(Principal { name: "local".to_owned(), role: Role::Admin, gateway: None });
        }
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Err(unauthenticated("send a bearer token, or a user name and password"));
        };
        let text = value.to_str().map_err(|_| unauthenticated("the Authorization header is not text"))?;
        self.recognise(text, peer).await
    }

    /// The same of the header alone, for a door that is not HTTP.
    pub async fn admit(&self, authorization: &str, peer: IpAddr) -> Result<Principal, Problem> {
        self.recognise(authorization, Some(Peer(peer))).await
    }

    async fn recognise(&self, text: &str, peer: Option<Peer>) -> Result<Principal, Problem> {
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            self.token(rest.trim())
        } else if scheme.eq_ignore_ascii_case("basic") {
            self.password(rest.trim(), peer).await
        } else {
            Err(unauthenticated("the Authorization scheme is neither Bearer nor Basic"))
        }
    }

    fn token(&self, token: &str) -> Result<Principal, Problem> {
        let offered = digest(token.as_bytes());
        let mut found = None;
        // Every token is compared, whether or not one was found.
        for known in self.credentials.local.iter().chain(&self.credentials.tokens) {
            if same_digest(&known.digest, &offered) {
                found = Some(known.principal.clone());
            }
        }
        found.ok_or_else(|| unauthenticated("the token is not known"))
    }

    async fn password(&self, encoded: &str, peer: Option<Peer>) -> Result<Principal, Problem> {
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|_| wrong())?;
        let text = String::from_utf8(decoded).map_err(|_| wrong())?;
        let (name, password) = text.split_once(':').ok_or_else(wrong)?;
        Ok(self.checked(name, password, peer).await?.principal.clone())
    }

    /// Somebody who logs in with a browser, and the stamp of the password.
    pub async fn log_in(&self, name: &str, password: &str, peer: Option<Peer>) -> Result<(Principal, String), Problem> {
        let known = self.checked(name, password, peer).await?;
        Ok((known.principal.clone(), stamp(&known.phc)))
    }

    /// The user of a session that was begun under a password: `None` where there is no such user, or another password.
    pub fn still(&self, name: &str, stamped: &str) -> Option<Principal> {
        let known = self.credentials.passwords.get(name)?;
        (stamp(&known.phc) == stamped).then(|| known.principal.clone())
    }

    pub fn has_passwords(&self) -> bool {
        self.credentials.has_passwords()
    }

    async fn checked(&self, name: &str, password: &str, peer: Option<Peer>) -> Result<&Password, Problem> {
        // An unknown name is checked against somebody's hash, so that the time taken does not tell names.
        let known = self.credentials.passwords.get(name);
        let Some(checked) = known.or_else(|| self.credentials.passwords.values().next()) else {
            return Err(wrong());
        };
        let offered = digest(format!("{name}:{password}").as_bytes());
        let proven = self.proven.lock().get(name).is_some_and(|digest| same_digest(digest, &offered));
        if !proven {
            let phc = checked.phc.clone();
            let password = password.to_owned();
            let _turn = self.checks.acquire().await.map_err(|_| wrong())?;
            // After the wait: of many that came at once the first ones decide.
            if self.failures.lock().is_reached(&peer, Instant::now()) {
                let detail = "too many wrong passwords came from this address; wait a minute, or use a token";
                return Err(Problem::new(Kind::TOO_MANY_FAILURES, detail));
            }
            let right = tokio::task::spawn_blocking(move || {
                PasswordHash::new(&phc)
                    .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
            });
            if !right.await.unwrap_or(false) || known.is_none() {
                self.failures.lock().note(peer, Instant::now());
                return Err(wrong());
            }
            self.proven.lock().insert(name.to_owned(), offered);
        }
        known.ok_or_else(wrong)
    }
}

fn wrong() -> Problem {
    unauthenticated("the user name or the password is wrong")
}

/// Tells passwords apart without telling anything of them: the string has a salt.
fn stamp(phc: &str) -> String {
    token_digest(phc)[..16].to_owned()
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Kind::UNAUTHENTICATED, detail)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Takes the same time wherever the digests differ.
fn same_digest(a: &[u8; 32], b: &[u8; 32]) -> bool {
    let difference = a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y));
    std::hint::black_box(difference) == 0
}

fn parse_digest(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut digest = [0u8; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        headers
    }

    #[tokio::test]
    async fn tokens_and_passwords_lead_to_their_principal() {
        let mut credentials = Credentials::new();
        credentials.add_token("grafana", Role::Hydrologist, None, &token_digest("t0ken")).unwrap();
        credentials.add_user("somchai", Role::Office, &password_hash("บ่อน้ำ").unwrap()).unwrap();
        credentials.add_gateway(&GatewayId::new("gw-1").unwrap(), &password_hash("p:w").unwrap()).unwrap();
        credentials.set_local_token("secret");
        let auth = Authenticator::new(credentials);

        assert_eq!(auth.authenticate(&headers("Bearer t0ken"), None).await.unwrap().role, Role::Hydrologist);
        assert_eq!(auth.authenticate(&headers("bearer secret"), None).await.unwrap().role, Role::Admin);
        let basic = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        for _ in 0..2 {
            // The second time from memory.
            let office = auth.authenticate(&headers(&basic("somchai:บ่อน้ำ")), None).await.unwrap();
            assert_eq!(office.role, Role::Office);
        }
        let gateway = auth.authenticate(&headers(&basic("gw-1:p:w")), None).await.unwrap();
        assert_eq!(gateway.gateway.unwrap().as_str(), "gw-1");

        for wrong in ["Bearer t0ke", "Bearer ", "Basic ???", &basic("somchai:x"), &basic("nobody:บ่อน้ำ"), "Digest x"]
        {
            assert_eq!(
                auth.authenticate(&headers(wrong), None).await.unwrap_err().kind,
                Kind::UNAUTHENTICATED,
                "{wrong}"
            );
        }
        assert!(auth.authenticate(&HeaderMap::new(), None).await.is_err());
    }

    #[tokio::test]
    async fn guessing_is_refused_without_a_look() {
        let mut credentials = Credentials::new();
        // The cheapest parameters: the tests run without optimisation.
        let argon = argon2::Params::new(8, 1, 1, None).unwrap();
        let argon = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, argon);
        let salt = argon2::password_hash::SaltString::encode_b64(b"saltsaltsalt").unwrap();
        let phc = argon2::PasswordHasher::hash_password(&argon, b"right", &salt).unwrap().to_string();
        credentials.add_user("a", Role::Admin, &phc).unwrap();
        credentials.add_user("b", Role::Admin, &phc).unwrap();
        credentials.add_token("t", Role::Admin, None, &token_digest("t0ken")).unwrap();
        let auth = Authenticator::new(credentials);
        let (guesser, other) = (Some(Peer([192, 0, 2, 1].into())), Some(Peer([192, 0, 2, 2].into())));
        let basic = |text: &str| headers(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text)));
        auth.authenticate(&basic("b:right"), guesser).await.unwrap();
        for guess in 0..FAILURES_MAX {
            let refused = auth.authenticate(&basic(&format!("a:{guess}")), guesser).await.unwrap_err();
            assert_eq!(refused.kind, Kind::UNAUTHENTICATED);
        }
        let refused = auth.authenticate(&basic("a:right"), guesser).await.unwrap_err();
        assert_eq!(refused.kind, Kind::TOO_MANY_FAILURES);
        auth.authenticate(&basic("b:right"), guesser).await.expect("let in before");
        auth.authenticate(&headers("Bearer t0ken"), guesser).await.expect("tokens cannot be guessed");
        auth.authenticate(&basic("a:right"), other).await.expect("another address");
    }

    #[test]
    fn malformed_credentials_are_refused_at_start() {
        let mut credentials = Credentials::new();
        assert!(credentials.add_user("a", Role::Admin, "plain").is_err());
        assert!(credentials.add_token("t", Role::Admin, None, "zz").is_err());
        assert!(credentials.add_token("t", Role::Public, None, &token_digest("x")).is_err());
        assert_eq!(
            credentials.add_token("t", Role::Gateway, None, &token_digest("x")),
            Err(CredentialError::TokenWithoutGateway { name: "t".into() })
        );
        credentials.add_token("t", Role::Admin, None, &token_digest("x")).unwrap();
        assert!(credentials.add_token("t", Role::Admin, None, &token_digest("y")).is_err());
        assert!(!credentials.is_open());
    }

    #[test]
    fn the_role_table() {
        use Access::*;
        let table = [
            (Public, [true, true, true, true, true]),
            (View, [false, true, true, true, true]),
            (Read, [false, true, true, true, false]),
            (Sql, [false, true, false, true, false]),
            (Review, [false, true, false, true, false]),
            (Publish, [true, false, false, true, false]),
            (Acknowledge, [false, false, true, true, false]),
            (Administer, [false, false, false, true, false]),
        ];
        for (access, expected) in table {
            for (role, expected) in Role::ALL.iter().zip(expected) {
                assert_eq!(access.permits(*role), expected, "{access:?} {role}");
            }
        }
    }
}
