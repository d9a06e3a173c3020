//! Settings that a client makes once for the calls that follow, and the messages by which it does.
//!
//! A session is found by the token of the handshake, or where the client has none by a cookie. It begins with the first
//! setting that is made.
//!
//! The messages are of Flight's protocol; the library that has the others lacks them.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use prost::{Enumeration, Message, Oneof};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::gate::{Digest, Who};
use crate::kept::{Bounds, Kept};

pub(crate) const SET: &str = "SetSessionOptions";
pub(crate) const GET: &str = "GetSessionOptions";
pub(crate) const CLOSE: &str = "CloseSession";

/// A session is as long-lived as the token by which it is found.
const BOUNDS: Bounds =
    Bounds { each_max: 1000, all_max: 10_000, bytes_max: 16 << 20, idle: Duration::from_secs(24 * 3600) };
const COOKIE: &str = "gwbank_session";
/// Of one setting: an instant, a name.
const VALUE_BYTES_MAX: usize = 256;

/// What may be set. What the engine is to know is handed to it with every statement (`current_setting` tells it).
const OPTIONS: &[Known] = &[
    Known { name: "catalog", only: Some(crate::catalog::CATALOG), for_engine: false },
    Known { name: "schema", only: Some(crate::catalog::SCHEMA), for_engine: false },
    Known { name: "application_name", only: None, for_engine: true },
    // An instant, which the engine reads.
    Known { name: "gwbank.as_known_at", only: None, for_engine: true },
];

struct Known {
    name: &'static str,
    /// The value that it has and must keep; drivers set it to what it is.
    only: Option<&'static str>,
    for_engine: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SetSessionOptionsResult {
    /// Of the settings that were not made.
    #[prost(map = "string, message", tag = "1")]
    pub errors: HashMap<String, SetError>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct SetError {
    #[prost(enumeration = "SetErrorValue", tag = "1")]
    pub value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum SetErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    pub session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(crate) struct CloseSessionResult {
    /// 1: closed.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

impl CloseSessionResult {
    pub(crate) const CLOSED: Self = Self { status: 1 };
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    pub option_value: Option<OptionValue>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum OptionValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    Texts(TextList),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TextList {
    #[prost(string, repeated, tag = "1")]
    pub values: Vec<String>,
}

type Settings = BTreeMap<&'static str, String>;

pub(crate) struct Sessions(Mutex<Kept<Digest, Settings>>);

impl Sessions {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Kept::new(BOUNDS)))
    }

    /// What is set, for the engine.
    pub(crate) fn settings(&self, who: &Who, metadata: &MetadataMap) -> Vec<(String, String)> {
        let settings = self.of(who, metadata);
        let for_engine = OPTIONS.iter().filter(|known| known.for_engine);
        let given = for_engine.filter_map(|known| settings.get(known.name).map(|value| (known.name, value)));
        given.map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// Every option that has a value.
    pub(crate) fn told(&self, who: &Who, metadata: &MetadataMap) -> GetSessionOptionsResult {
        let mut settings = self.of(who, metadata);
        settings.extend(OPTIONS.iter().filter_map(|known| Some((known.name, known.only?.to_owned()))));
        let option = |(name, value): (&str, String)| {
            (name.to_owned(), SessionOptionValue { option_value: Some(OptionValue::Text(value)) })
        };
        GetSessionOptionsResult { session_options: settings.into_iter().map(option).collect() }
    }

    /// Makes the settings; gives what was wrong with the others, and the cookie by which a client without token finds them.
    pub(crate) fn set(
        &self,
        who: &Who,
        metadata: &MetadataMap,
        request: SetSessionOptionsRequest,
    ) -> (SetSessionOptionsResult, Option<String>) {
        let mut settings = self.of(who, metadata);
        let mut errors = HashMap::new();
        for (name, SessionOptionValue { option_value }) in request.session_options {
            let Some(known) = OPTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(&name)) else {
                errors.insert(name, SetError { value: SetErrorValue::InvalidName.into() });
                continue;
            };
            match (option_value, known.only) {
                // No value takes a setting back.
                (None, _) => {
                    settings.remove(known.name);
                }
                (Some(OptionValue::Text(text)), Some(only)) if text == only => {}
                (Some(OptionValue::Text(text)), None) if text.len() <= VALUE_BYTES_MAX => {
                    settings.insert(known.name, text);
                }
                _ => {
                    errors.insert(name, SetError { value: SetErrorValue::InvalidValue.into() });
                }
            }
        }
        let known = key(who, metadata);
        let key = known.unwrap_or_else(rand::random);
        let bytes = settings.values().map(|value| value.len() + size_of::<Settings>()).sum();
        self.0.lock().put(key, &who.name, settings, bytes, Instant::now());
        let cookie = known.is_none().then(|| format!("{COOKIE}={}; HttpOnly; SameSite=Strict", hex(&key)));
        (SetSessionOptionsResult { errors }, cookie)
    }

    pub(crate) fn close(&self, who: &Who, metadata: &MetadataMap) {
        if let Some(key) = key(who, metadata) {
            self.0.lock().remove(&key, &who.name);
        }
    }

    fn of(&self, who: &Who, metadata: &MetadataMap) -> Settings {
        let key = key(who, metadata);
        key.and_then(|key| self.0.lock().get(&key, &who.name, Instant::now()).cloned()).unwrap_or_default()
    }
}

/// Reads the body of an action.
pub(crate) fn decoded<M: Message + Default>(body: &[u8]) -> Result<M, Status> {
    M::decode(body).map_err(|error| Status::invalid_argument(format!("the action's body cannot be read: {error}")))
}

fn key(who: &Who, metadata: &MetadataMap) -> Option<Digest> {
    who.token.or_else(|| {
        let cookies = metadata.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|cookies| cookies.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE)
            .and_then(|(_, v)| unhex(v))
    })
}

fn hex(key: &Digest) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Digest> {
    let mut key = Digest::default();
    if text.len() != 2 * key.len() || !text.is_ascii() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> SessionOptionValue {
        SessionOptionValue { option_value: Some(OptionValue::Text(text.to_owned())) }
    }

    #[test]
    fn settings_are_found_by_token_or_cookie_and_are_ones_own() {
        let sessions = Sessions::new();
        let request = SetSessionOptionsRequest {
            session_options: [
                ("application_name".to_owned(), text("โน้ตบุ๊ก")),
                ("schema".to_owned(), text("public")),
                ("catalog".to_owned(), text("other")),
                ("batch_size".to_owned(), text("1")),
            ]
            .into(),
        };
        let request = SetSessionOptionsRequest::decode(&*request.encode_to_vec()).unwrap();
        let set = [("application_name".to_owned(), "โน้ตบุ๊ก".to_owned())];
        let somchai = Who { name: "somchai".into(), token: Some([1; 32]) };
        let mut metadata = MetadataMap::new();
        let (result, cookie) = sessions.set(&somchai, &metadata, request.clone());
        assert_eq!(cookie, None);
        assert_eq!(result.errors.len(), 2);
        assert_eq!(result.errors["catalog"].value, SetErrorValue::InvalidValue as i32);
        assert_eq!(result.errors["batch_size"].value, SetErrorValue::InvalidName as i32);
        assert_eq!(sessions.settings(&somchai, &metadata), set);
        assert_eq!(sessions.told(&somchai, &metadata).session_options["schema"], text("public"));

        let malee = Who { name: "malee".into(), token: None };
        assert!(sessions.settings(&malee, &metadata).is_empty());
        let (_, cookie) = sessions.set(&malee, &metadata, request);
        metadata.insert("cookie", format!("x=y; {}", cookie.unwrap().split(';').next().unwrap()).parse().unwrap());
        assert_eq!(sessions.settings(&malee, &metadata), set);
        let thief = Who { name: "thief".into(), token: None };
        assert!(sessions.settings(&thief, &metadata).is_empty());
        sessions.close(&malee, &metadata);
        assert!(sessions.settings(&malee, &metadata).is_empty());
    }
}
