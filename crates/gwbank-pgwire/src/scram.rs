//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side.
//!
//! # Rules
//! 1. What is kept of a password is what PostgreSQL keeps, in the form in which it writes it:
//!    `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Nobody logs in with it.
//! 2. A name that nobody has is asked for its password like any other, with a salt that stays the same for the name.
//! 3. Proofs are compared in constant time.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use subtle::ConstantTimeEq;

pub const MECHANISM: &str = "SCRAM-SHA-256";

/// Of new verifiers; what PostgreSQL's clients bear without a noticeable wait.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;

type Key = [u8; 32];

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verifier({} iterations)", self.iterations)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no verifier of the form SCRAM-SHA-256$4096:…$…:…")]
pub struct NoVerifier;

impl Verifier {
    pub fn new(password: &str) -> Self {
        Self::with_salt(password, &rand::random::<[u8; SALT_BYTES]>(), ITERATIONS)
    }

    fn with_salt(password: &str, salt: &[u8], iterations: u32) -> Self {
        // As PostgreSQL does: a password that cannot be prepared counts as it is.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let mut salted = Key::default();
        let rounds = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, salt, prepared.as_bytes(), &mut salted);
        let stored_key = hash(&hmac(&salted, b"Client Key"));
        Self { iterations, salt: salt.to_vec(), stored_key, server_key: hmac(&salted, b"Server Key") }
    }

    pub fn parse(text: &str) -> Result<Self, NoVerifier> {
        fn key(text: &str) -> Option<Key> {
            STANDARD.decode(text).ok()?.try_into().ok()
        }
        let parse = || {
            let (head, keys) = text.strip_prefix(MECHANISM)?.strip_prefix('$')?.split_once('$')?;
            let (iterations, salt) = head.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            let salt = STANDARD.decode(salt).ok().filter(|salt| !salt.is_empty())?;
            let iterations = iterations.parse().ok().filter(|&iterations| iterations >= ITERATIONS)?;
            Some(Self { iterations, salt, stored_key: key(stored_key)?, server_key: key(server_key)? })
        };
        parse().ok_or(NoVerifier)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, salt, stored_key, server_key } = self;
        let text = |bytes: &[u8]| STANDARD.encode(bytes);
        write!(f, "{MECHANISM}${iterations}:{}${}:{}", text(salt), text(stored_key), text(server_key))
    }
}

fn hmac(key: &[u8], data: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, key), data);
    tag.as_ref().try_into().unwrap_or_default()
}

fn hash(data: &[u8]) -> Key {
    digest(&SHA256, data).as_ref().try_into().unwrap_or_default()
}

/// For names that nobody has: a verifier that no password fits. `secret` is this process's own.
pub fn decoy(secret: &Key, name: &str) -> Verifier {
    let salt = hmac(secret, name.as_bytes());
    Verifier {
        iterations: ITERATIONS,
        salt: salt[..SALT_BYTES].to_vec(),
        stored_key: rand::random(),
        server_key: rand::random(),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    #[error("malformed SCRAM message")]
    Malformed,
    #[error("channel binding is not supported")]
    ChannelBinding,
    #[error("the password is wrong")]
    WrongPassword,
}

/// A dialogue after the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    /// The client's header, which it repeats in its last message.
    header: String,
    first_bare: String,
    /// What was answered.
    pub server_first: String,
    nonce: String,
}

impl Exchange {
    pub fn begin(verifier: Verifier, client_first: &[u8]) -> Result<Self, ScramError> {
        Self::with_nonce(verifier, client_first, &STANDARD.encode(rand::random::<[u8; NONCE_BYTES]>()))
    }

    fn with_nonce(verifier: Verifier, client_first: &[u8], own_nonce: &str) -> Result<Self, ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_| ScramError::Malformed)?;
        let (binding, rest) = text.split_once(',').ok_or(ScramError::Malformed)?;
        // "y": the client could bind, and believes that the server cannot, which is so.
        if !matches!(binding, "n" | "y") {
            return Err(ScramError::ChannelBinding);
        }
        let (authorization, bare) = rest.split_once(',').ok_or(ScramError::Malformed)?;
        if !authorization.is_empty() || bare.starts_with("m=") {
            return Err(ScramError::Malformed);
        }
        let mut attributes = bare.split(',');
        let name = attributes.next().and_then(|name| name.strip_prefix("n="));
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let nonce = match (name, nonce) {
            (Some(_), Some(nonce)) if !nonce.is_empty() => format!("{nonce}{own_nonce}"),
            _ => return Err(ScramError::Malformed),
        };
        let salt = STANDARD.encode(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let header = format!("{binding},{authorization},");
        Ok(Self { verifier, header, first_bare: bare.to_owned(), server_first, nonce })
    }

    /// The last message of the server, if the client knows the password.
    pub fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let text = std::str::from_utf8(client_final).map_err(|_| ScramError::Malformed)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(ScramError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|binding| binding.strip_prefix("c=")).ok_or(ScramError::Malformed)?;
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(ScramError::Malformed)?;
        if binding != STANDARD.encode(&self.header) {
            return Err(ScramError::ChannelBinding);
        }
        if nonce != self.nonce {
            return Err(ScramError::Malformed);
        }
        let proof: Key =
            STANDARD.decode(proof).ok().and_then(|proof| proof.try_into().ok()).ok_or(ScramError::Malformed)?;
        let dialogue = format!("{},{},{without_proof}", self.first_bare, self.server_first);
        let signature = hmac(&self.verifier.stored_key, dialogue.as_bytes());
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        if !bool::from(hash(&client_key).ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::WrongPassword);
        }
        Ok(format!("v={}", STANDARD.encode(hmac(&self.verifier.server_key, dialogue.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // The example of RFC 7677, section 3.
    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn of_example(password: &str) -> Exchange {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = Verifier::with_salt(password, &salt, 4096);
        Exchange::with_nonce(verifier, CLIENT_FIRST.as_bytes(), SERVER_NONCE).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc() {
        let exchange = of_example("pencil");
        assert_eq!(
            exchange.server_first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = exchange.finish(CLIENT_FINAL.as_bytes()).unwrap();
        assert_eq!(last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(of_example("pen").finish(CLIENT_FINAL.as_bytes()), Err(ScramError::WrongPassword));
        let other_nonce = CLIENT_FINAL.replace("k0,", "k1,");
        assert_eq!(of_example("pencil").finish(other_nonce.as_bytes()), Err(ScramError::Malformed));
        let downgraded = CLIENT_FINAL.replace("biws", "eSws");
        assert_eq!(of_example("pencil").finish(downgraded.as_bytes()), Err(ScramError::ChannelBinding));
    }

    #[test]
    fn verifiers_are_those_of_postgresql() {
        let verifier = Verifier::new("บ่อน้ำ");
        assert_eq!(Verifier::parse(&verifier.to_string()), Ok(verifier));
        for bad in ["", "SCRAM-SHA-256$1:AA==$AA==:AA==", "SCRAM-SHA-256$4096:$$:", "md5abc", "$argon2id$"] {
            assert_eq!(Verifier::parse(bad), Err(NoVerifier), "{bad}");
        }
    }

    #[test]
    fn a_decoy_has_the_same_salt_each_time() {
        let secret = [7; 32];
        assert_eq!(decoy(&secret, "a").salt, decoy(&secret, "a").salt);
        assert_ne!(decoy(&secret, "a").salt, decoy(&secret, "b").salt);
    }

    proptest! {
        #[test]
        fn no_message_breaks_it(first in "[a-z=,\\PC]{0,40}", last in "[cr=,p\\PC]{0,60}") {
            let verifier = Verifier::with_salt("x", b"salt", 1);
            if let Ok(exchange) = Exchange::begin(verifier, first.as_bytes()) {
                prop_assert!(exchange.finish(last.as_bytes()).is_err());
            }
            prop_assert!(of_example("pencil").finish(last.as_bytes()).is_err());
        }
    }
}
