//! Names that come from outside, checked once where they enter.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Longest id accepted, in bytes: long enough for every agency's codes, short enough to lie in an index.
pub const ID_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("id is empty")]
    Empty,
    #[error("id is longer than {ID_BYTES_MAX} bytes")]
    TooLong,
    #[error("id contains {0:?}; white space, control characters, quotes and / + # are not allowed")]
    Character(char),
    #[error("{0:?} is a reserved gateway id")]
    Reserved(String),
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    // The MQTT separators would let an id reach into another topic level.
    let bad = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '/' | '+' | '#' | '"' | '\'');
    match text.chars().find(|&c| bad(c)) {
        Some(character) => Err(IdError::Character(character)),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

id!(
    /// A well as its owner names it, such as `TH3001-0007`. Compared byte for byte.
    WellId
);
id!(
    /// A gateway as it names itself in its topics, such as `gw-3001-02`.
    GatewayId
);

impl WellId {
    pub fn new(text: &str) -> Result<Self, IdError> {
        check(text)?;
        Ok(Self(text.into()))
    }
}

impl GatewayId {
    /// `gwbank/v1/flags/…` carries condition flags, so no gateway may be called so.
    pub const RESERVED: &'static [&'static str] = &["flags"];

    /// Sender of the levels that are converted from the readings of sensors.
    pub const CONVERSION: &'static str = "gwbank.levels";

    /// Sender of the values that a person put in the place of a gateway's.
    pub const REVIEW: &'static str = "gwbank.review";

    pub fn new(text: &str) -> Result<Self, IdError> {
        check(text)?;
        if Self::RESERVED.contains(&text) {
            return Err(IdError::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The id of somebody outside: not one of those that the server itself sends under.
    pub fn of_sender(text: &str) -> Result<Self, IdError> {
        let id = Self::new(text)?;
        if id.is_of_the_server() { Err(IdError::Reserved(text.to_owned())) } else { Ok(id) }
    }

    /// Whether the server itself sends under this id.
    pub fn is_of_the_server(&self) -> bool {
        [Self::CONVERSION, Self::REVIEW].contains(&self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_break_a_topic_are_refused() {
        for bad in ["", "a/b", "a+b", "#", "a b", "a\u{0}", "a\"b", &"x".repeat(65)] {
            assert!(WellId::new(bad).is_err(), "{bad:?}");
        }
        for good in ["TH3001-0007", "BE-G2.4", "บ่อ-1", &"x".repeat(64)] {
            assert!(WellId::new(good).is_ok(), "{good:?}");
        }
        assert_eq!(GatewayId::new("flags"), Err(IdError::Reserved("flags".into())));
        for own in [GatewayId::CONVERSION, GatewayId::REVIEW] {
            assert!(GatewayId::new(own).is_ok(), "it is read back from what is stored");
            assert_eq!(GatewayId::of_sender(own), Err(IdError::Reserved(own.into())));
        }
    }
}
