//! Who asks.
//!
//! # Rules
//! 1. Every call but the handshake says who asks: a name and a password, a token of the configuration, or one that a
//!    handshake gave. Where nobody is configured the door is open.
//! 2. A handshake with a right password gives a token, so that the password is not sent and checked with every call. It is
//!    random, kept as its digest, forgotten when nobody used it for [`TOKEN_IDLE`], and with the process.
//! 3. The role is looked at in either case, before anything else.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::door::{Denied, Doorkeeper, Visitor};
use crate::kept::{Bounds, Kept};
use gwbank_door::{DoorStats, Refusal};

/// A notebook that is left over night goes on in the morning.
const TOKEN_IDLE: Duration = Duration::from_secs(24 * 3600);
/// Each connection of a driver takes one and gives none back.
const TOKENS: Bounds = Bounds { each_max: 1000, all_max: 10_000, bytes_max: usize::MAX, idle: TOKEN_IDLE };
/// What tells our tokens from those of the configuration.
const TOKEN_PREFIX: &str = "gwbank-flight-";
const TOKEN_BYTES: usize = 32;

/// Under whose name everybody asks where nobody is configured.
const EVERYBODY: &str = "gwbank";

pub(crate) type Digest = [u8; 32];

/// Who makes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub name: Arc<str>,
    /// Of the token that a handshake gave, where the call came with one.
    pub token: Option<Digest>,
}

pub(crate) struct Gate {
    keeper: Arc<dyn Doorkeeper>,
    /// By their digests, each with its owner.
    tokens: Mutex<Kept<Digest, ()>>,
    stats: Arc<DoorStats>,
}

impl Gate {
    pub(crate) fn new(keeper: Arc<dyn Doorkeeper>, stats: Arc<DoorStats>) -> Self {
        Self { keeper, tokens: Mutex::new(Kept::new(TOKENS)), stats }
    }

    pub(crate) async fn who(&self, metadata: &MetadataMap, peer: IpAddr) -> Result<Who, Status> {
        let authorization = metadata.get("authorization").map(|value| value.to_str()).transpose();
        let authorization = authorization.map_err(|_| self.refuse("the authorization header is not text"))?;
        if let Some(token) = authorization.and_then(given_token) {
            let digest = digest(token);
            let known = self.tokens.lock().owner(&digest, Instant::now());
            return match known {
                Some(name) => Ok(Who { name, token: Some(digest) }),
                None if self.keeper.is_open() => Ok(Who { name: EVERYBODY.into(), token: None }),
                None => Err(self.refuse("the session's token is not known any more; connect again")),
            };
        }
        if self.keeper.is_open() {
            return Ok(Who { name: EVERYBODY.into(), token: None });
        }
        let Some(authorization) = authorization else {
            return Err(self.refuse("send a user name and a password, or a bearer token"));
        };
        let Visitor { name, may_query } =
            self.keeper.admit(&padded(authorization), peer).await.map_err(|denied| match denied {
                Denied::Unknown(text) => self.refuse(&text),
                Denied::TooManyFailures(text) => {
                    self.stats.refuse(Refusal::Credentials);
                    Status::resource_exhausted(text)
                }
            })?;
        if !may_query {
            self.stats.refuse(Refusal::Credentials);
            return Err(Status::permission_denied(format!("the role of {name:?} does not permit SQL")));
        }
        Ok(Who { name: name.into(), token: None })
    }

    /// A token for whoever was let in.
    pub(crate) fn token(&self, who: &Who) -> String {
        let random: String = rand::random::<[u8; TOKEN_BYTES]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let token = format!("{TOKEN_PREFIX}{random}");
        self.tokens.lock().put(digest(&token), &who.name, (), 0, Instant::now());
        token
    }

    /// A session that was closed is over, and its token with it.
    pub(crate) fn forget(&self, who: &Who) {
        if let Some(token) = &who.token {
            self.tokens.lock().remove(token, &who.name);
        }
    }

    fn refuse(&self, why: &str) -> Status {
        self.stats.refuse(Refusal::Credentials);
        Status::unauthenticated(why)
    }
}

/// ADBC's driver leaves the padding of Base64 away, which HTTP does not.
fn padded(authorization: &str) -> Cow<'_, str> {
    match authorization.split_once(' ') {
        Some((scheme, encoded)) if scheme.eq_ignore_ascii_case("basic") => {
            let missing = (4 - encoded.trim().len() % 4) % 4;
            Cow::Owned(format!("{scheme} {}{}", encoded.trim(), "=".repeat(missing)))
        }
        _ => Cow::Borrowed(authorization),
    }
}

fn given_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.starts_with(TOKEN_PREFIX)).then_some(token)
}

fn digest(token: &str) -> Digest {
    let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_made_up_for() {
        for (sent, taken) in [
            ("Basic YQ", "Basic YQ=="),
            ("basic YWI", "basic YWI="),
            ("Basic YWI=", "Basic YWI="),
            ("Basic YWJj", "Basic YWJj"),
            ("Bearer YQ", "Bearer YQ"),
            ("Basic", "Basic"),
        ] {
            assert_eq!(padded(sent), taken);
        }
    }
}
