//! Who is logged in with a browser: a signed cookie, and a token against requests that other sites' pages make.
//!
//! # Rules
//! 1. The cookie says who, until when, and under which password; a script cannot read it, another site cannot send it. Nothing
//!    is kept here but what was ended, so a restart logs nobody out.
//! 2. A changed password or a removed user ends the session; a changed role holds at once.
//! 3. Whatever changes something brings the session's token in the header [`CSRF_HEADER`], which only a page of this server
//!    can know.
//! 4. What is ended by hand stays ended while this process runs; after a restart a copy of its cookie would be good until its
//!    time is up.

use std::collections::HashMap;

use axum::http::{HeaderMap, HeaderName, header};
use gwbank_model::Timestamp;
use gwbank_notice::LinkKey;
use parking_lot::Mutex;

pub(crate) const COOKIE: &str = "gwbank_session";
pub(crate) const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// A working day.
pub(crate) const SESSION_SECONDS: i64 = 12 * 3_600;

/// What a cookie says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub name: String,
    /// Of the password that it was begun with.
    pub stamp: String,
    pub expires_at: Timestamp,
    pub id: String,
}

#[derive(Debug)]
pub(crate) struct Sessions {
    cookies: LinkKey,
    tokens: LinkKey,
    /// Until when they would have been good, by id.
    ended: Mutex<HashMap<String, Timestamp>>,
}

impl Sessions {
    pub fn new(key: &LinkKey) -> Self {
        Self { cookies: key.derived("session"), tokens: key.derived("csrf"), ended: Mutex::default() }
    }

    /// A session that begins now, and its cookie's value.
    pub fn begin(&self, name: &str, stamp: &str, now: Timestamp) -> (Session, String) {
        let session = Session {
            name: name.to_owned(),
            stamp: stamp.to_owned(),
            expires_at: now.plus_secs(SESSION_SECONDS),
            id: format!("{:032x}", rand::random::<u128>()),
        };
        let said = format!("{}\n{}\n{}\n{name}", session.id, session.stamp, session.expires_at.as_secs());
        let value = self.cookies.seal(&said);
        (session, value)
    }

    /// The session of a request. Whether its user is still there is not known here.
    pub fn of(&self, headers: &HeaderMap, now: Timestamp) -> Option<Session> {
        let said = cookies(headers).find_map(|value| self.cookies.open(value))?;
        let [id, stamp, expires, name] = said.splitn(4, '\n').collect::<Vec<_>>()[..] else { return None };
        let expires_at = Timestamp::from_secs(expires.parse().ok()?);
        if now >= expires_at || self.ended.lock().contains_key(id) {
            return None;
        }
        Some(Session { name: name.to_owned(), stamp: stamp.to_owned(), expires_at, id: id.to_owned() })
    }

    pub fn end(&self, session: &Session, now: Timestamp) {
        let mut ended = self.ended.lock();
        ended.retain(|_, until| *until > now);
        ended.insert(session.id.clone(), session.expires_at);
    }

    /// What a page sends along when it changes something.
    pub fn token(&self, session: &Session) -> String {
        self.tokens.seal(&session.id)
    }

    pub fn has_token(&self, session: &Session, headers: &HeaderMap) -> bool {
        let offered = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
        offered.and_then(|offered| self.tokens.open(offered)).is_some_and(|id| id == session.id)
    }
}

/// Values of all cookies of this server's name: a neighbour on the same host may have set one of its own.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(cookie: &str, token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        if let Some(token) = token {
            headers.insert(CSRF_HEADER, HeaderValue::from_str(token).unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_good_until_it_ends() {
        let key = LinkKey::new(b"one");
        let sessions = Sessions::new(&key);
        let now = Timestamp::from_secs(1_000);
        let (session, value) = sessions.begin("สมชาย\nใจดี", "stamp", now);
        let sent = headers(&format!("a=b; {COOKIE}=forged.AAAA; {COOKIE}={value}"), None);
        assert_eq!(sessions.of(&sent, now), Some(session.clone()));
        let last = now.plus_secs(SESSION_SECONDS);
        assert_eq!(sessions.of(&sent, last.plus_secs(-1)), Some(session.clone()));
        assert_eq!(sessions.of(&sent, last), None);
        assert_eq!(Sessions::new(&LinkKey::new(b"two")).of(&sent, now), None, "another server's");
        assert_eq!(
            sessions.of(&headers(&format!("{COOKIE}={}", key.seal("0\n0\n9999\nx")), None), now),
            None,
            "a link is none"
        );

        let (other, _) = sessions.begin("other", "stamp", now);
        let with = |token: &str| headers(&format!("{COOKIE}={value}"), Some(token));
        assert!(sessions.has_token(&session, &with(&sessions.token(&session))));
        assert!(!sessions.has_token(&session, &with(&sessions.token(&other))));
        assert!(!sessions.has_token(&session, &with(&value)), "the cookie is no token");
        assert!(!sessions.has_token(&session, &sent));

        sessions.end(&session, now);
        assert_eq!(sessions.of(&sent, now), None);
    }
}
