//! Links that let their holder act on one flag, signed, until a day.
//!
//! # Format
//! `base64url(flag \n contact \n expiry in Unix seconds) . base64url(HMAC-SHA-256 of that)`, without padding.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gwbank_model::Timestamp;
use ring::hmac;

/// Signs links, and what else is given to somebody to bring it back. Whoever has it can act as any contact.
#[derive(Clone)]
pub struct LinkKey(hmac::Key);

impl std::fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LinkKey")
    }
}

/// What a link lets its holder do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTicket {
    pub flag_id: String,
    pub contact_id: String,
    pub expires_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkProblem {
    #[error("the link is not complete, or was not made here")]
    Forged,
    #[error("the link has expired")]
    Expired,
}

/// Longer than any that is made: nothing else is looked at.
const LINK_BYTES_MAX: usize = 1_024;

impl LinkKey {
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// A key for another purpose: what one signs the other takes for forged.
    pub fn derived(&self, purpose: &str) -> Self {
        Self::new(hmac::sign(&self.0, purpose.as_bytes()).as_ref())
    }

    /// `base64url(text) . base64url(HMAC-SHA-256 of that)`.
    pub fn seal(&self, text: &str) -> String {
        let said = URL_SAFE_NO_PAD.encode(text);
        let tag = hmac::sign(&self.0, said.as_bytes());
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }

    /// What was sealed with this key; `None` of anything else.
    pub fn open(&self, sealed: &str) -> Option<String> {
        let (said, tag) = sealed.split_once('.').filter(|_| sealed.len() <= LINK_BYTES_MAX)?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, said.as_bytes(), &tag).ok()?;
        String::from_utf8(URL_SAFE_NO_PAD.decode(said).ok()?).ok()
    }

    pub fn sign(&self, ticket: &LinkTicket) -> String {
        self.seal(&format!("{}\n{}\n{}", ticket.flag_id, ticket.contact_id, ticket.expires_at.as_secs()))
    }

    pub fn read(&self, link: &str, now: Timestamp) -> Result<LinkTicket, LinkProblem> {
        let said = self.open(link).ok_or(LinkProblem::Forged)?;
        let [flag_id, contact_id, expiry] = said.split('\n').collect::<Vec<_>>()[..] else {
            return Err(LinkProblem::Forged);
        };
        let expires_at = Timestamp::from_secs(expiry.parse().map_err(|_| LinkProblem::Forged)?);
        if now >= expires_at {
            return Err(LinkProblem::Expired);
        }
        Ok(LinkTicket { flag_id: flag_id.to_owned(), contact_id: contact_id.to_owned(), expires_at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ticket() -> LinkTicket {
        LinkTicket {
            flag_id: "flood-well-บ่อ-1-1700000000".to_owned(),
            contact_id: "korat-mail".to_owned(),
            expires_at: Timestamp::from_secs(1_700_000_100),
        }
    }

    #[test]
    fn a_link_is_good_until_it_expires() {
        let key = LinkKey::new(b"one");
        let link = key.sign(&ticket());
        assert_eq!(key.read(&link, Timestamp::from_secs(1_700_000_099)), Ok(ticket()));
        assert_eq!(key.read(&link, Timestamp::from_secs(1_700_000_100)), Err(LinkProblem::Expired));
        assert_eq!(LinkKey::new(b"two").read(&link, Timestamp::from_secs(0)), Err(LinkProblem::Forged));
    }

    proptest! {
        #[test]
        fn a_changed_link_is_refused(at in any::<prop::sample::Index>(), new in "[ -~]", text in "\\PC*") {
            let key = LinkKey::new(b"one");
            let link = key.sign(&ticket());
            let place = at.index(link.len());
            let changed = format!("{}{new}{}", &link[..place], &link[place + 1..]);
            if changed != link {
                prop_assert!(key.read(&changed, Timestamp::from_secs(0)) != Ok(ticket()) );
            }
            prop_assert_eq!(key.read(&text, Timestamp::from_secs(0)), Err(LinkProblem::Forged));
        }
    }
}
