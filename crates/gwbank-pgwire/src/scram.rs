//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side.
//!
//! # Rules
//! 1. What is kept of a password is what PostgreSQL keeps, in the form in which it writes it:
//!    `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`. Nobody logs in with it.
//! 2. A name that nobody has is asked for its password like any other, with a salt that stays the same for the name.
//! 3. Proofs are compared in constant time.
//! 4. Where the channel can be bound (RFC 5929, `tls-server-end-point`) and the client says that it could and the server
//!    could not, somebody between them took the offer away: refused.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use ring::pbkdf2::{self, PBKDF2_HMAC_SHA256};
use subtle::ConstantTimeEq;

pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The same, bound to the server's certificate.
pub const MECHANISM_BOUND: &str = "SCRAM-SHA-256-PLUS";
const BINDING: &str = "p=tls-server-end-point";

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

impl Verifier {
    /// One that no password fits.
    pub(crate) fn decoy() -> Self {
        decoy(&[0; 32], "")
    }
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
    #[error("SCRAM channel binding negotiation error")]
    ChannelBinding,
    #[error("SCRAM channel binding check failed: the client sees another certificate")]
    OtherChannel,
    #[error("the password is wrong")]
    WrongPassword,
}

/// What the channel can be bound to, and whether the client chose to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel<'a> {
    /// No TLS, or a certificate that binds nothing.
    Unbindable,
    /// The client chose the mechanism without binding where it was offered.
    Unbound,
    /// Hash of the certificate.
    Bound(&'a [u8]),
}

/// A dialogue after the client's first message.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    /// The client's header and what it binds to, which it repeats in its last message.
    header: Vec<u8>,
    first_bare: String,
    /// What was answered.
    pub server_first: String,
    nonce: String,
}

impl Exchange {
    pub fn begin(verifier: Verifier, channel: Channel<'_>, client_first: &[u8]) -> Result<Self, ScramError> {
        Self::with_nonce(verifier, channel, client_first, &STANDARD.encode(rand::random::<[u8; NONCE_BYTES]>()))
    }

    fn with_nonce(
        verifier: Verifier,
        channel: Channel<'_>,
        client_first: &[u8],
        own_nonce: &str,
    ) -> Result<Self, ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_| ScramError::Malformed)?;
        let (binding, rest) = text.split_once(',').ok_or(ScramError::Malformed)?;
        // "n": the client cannot bind. "y": it could, and believes that the server cannot.
        match (binding, channel) {
            ("n", Channel::Unbindable | Channel::Unbound) | ("y", Channel::Unbindable) => {}
            (BINDING, Channel::Bound(_)) => {}
            _ => return Err(ScramError::ChannelBinding),
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
        let mut header = format!("{binding},{authorization},").into_bytes();
        if let Channel::Bound(end_point) = channel {
            header.extend_from_slice(end_point);
        }
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
            let is_bound = self.header.starts_with(BINDING.as_bytes());
            return Err(if is_bound { ScramError::OtherChannel } else { ScramError::ChannelBinding });
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
        Exchange::with_nonce(verifier, Channel::Unbindable, CLIENT_FIRST.as_bytes(), SERVER_NONCE).unwrap()
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
    fn a_channel_is_bound_where_both_can() {
        let begin = |channel, header: &str| {
            Exchange::begin(Verifier::with_salt("x", b"salt", 1), channel, format!("{header},,n=,r=abc").as_bytes())
        };
        let refused = |channel, header: &str| begin(channel, header).unwrap_err() == ScramError::ChannelBinding;
        assert!(begin(Channel::Unbound, "n").is_ok() && begin(Channel::Unbindable, "y").is_ok());
        assert!(refused(Channel::Unbound, "y"), "the offer was taken away");
        assert!(refused(Channel::Unbound, BINDING) && refused(Channel::Bound(b"hash"), "n"));
        assert!(refused(Channel::Bound(b"hash"), "p=tls-unique"));
        let exchange = begin(Channel::Bound(b"hash"), BINDING).unwrap();
        let nonce = exchange.nonce.clone();
        let other = STANDARD.encode("p=tls-server-end-point,,other");
        let last = format!("c={other},r={nonce},p={}=", "A".repeat(43));
        assert_eq!(exchange.finish(last.as_bytes()), Err(ScramError::OtherChannel));
        let exchange = begin(Channel::Bound(b"hash"), BINDING).unwrap();
        let same = STANDARD.encode("p=tls-server-end-point,,hash");
        let last = format!("c={same},r={},p={}=", exchange.nonce, "A".repeat(43));
        assert_eq!(exchange.finish(last.as_bytes()), Err(ScramError::WrongPassword));
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
            if let Ok(exchange) = Exchange::begin(verifier, Channel::Unbindable, first.as_bytes()) {
                prop_assert!(exchange.finish(last.as_bytes()).is_err());
            }
            prop_assert!(of_example("pencil").finish(last.as_bytes()).is_err());
        }
    }
}
