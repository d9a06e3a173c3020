//! Messages of LINE: the text, and a card whose buttons answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gwbank_registry::office::MessageLanguage;
use ring::hmac;
use serde_json::{Value, json};

use super::{Links, Said, digest_headline, headline, in_order, languages, said};
use crate::notice::Notice;
use crate::words::{NO_DECLARATION_EN, NO_DECLARATION_TH};

/// The longest text of LINE, in UTF-16 units, which are never fewer than characters.
pub const LINE_TEXT_CHARS_MAX: usize = 5_000;
/// Longest text of a card without a title, alternative text, and data of a postback.
const CARD_CHARS_MAX: usize = 160;
const ALT_CHARS_MAX: usize = 400;
const POSTBACK_CHARS_MAX: usize = 300;

/// What a button sends back: that its reader has seen the flag.
pub fn postback(flag_id: &str) -> String {
    format!("acknowledge={flag_id}")
}

/// Whether a request's `X-Line-Signature` says that LINE has sent it: base64 of the HMAC-SHA-256 of the body.
pub fn is_of_line(channel_secret: &str, body: &[u8], signature: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, channel_secret.as_bytes());
    STANDARD.decode(signature).is_ok_and(|tag| hmac::verify(&key, body, &tag).is_ok())
}

/// The flag of a button's answer.
pub fn acknowledged_flag(data: &str) -> Option<&str> {
    data.strip_prefix("acknowledge=").filter(|flag| !flag.is_empty())
}

/// At most two messages, which count as one of the month's quota.
pub fn line_messages(notice: &Notice, language: MessageLanguage, links: &Links) -> Vec<Value> {
    let parts: Vec<Said> = languages(language).iter().map(|&is_thai| said(notice, links, is_thai)).collect();
    let text = parts.iter().map(plain).collect::<Vec<_>>().join("\n\n");
    let mut messages = vec![json!({ "type": "text", "text": cut(&text, LINE_TEXT_CHARS_MAX) })];
    let is_thai = languages(language)[0];
    let mut actions = Vec::new();
    let data = postback(notice.text("id"));
    // A card beyond a limit of LINE would lose the text with it.
    if !notice.is_end() && notice.is_of_a_flag() && data.chars().count() <= POSTBACK_CHARS_MAX {
        let label = if is_thai { "รับทราบ" } else { "Seen" };
        actions.push(json!({ "type": "postback", "label": label, "data": data, "displayText": label }));
    }
    if let Some(page) = links.page.as_ref().filter(|page| page.chars().count() <= 1_000) {
        let label = if is_thai { "ดูหลักฐาน" } else { "Evidence" };
        actions.push(json!({ "type": "uri", "label": label, "uri": page }));
    }
    if !actions.is_empty() {
        let head = headline(notice, is_thai);
        messages.push(json!({
            "type": "template",
            "altText": cut(&head, ALT_CHARS_MAX),
            "template": { "type": "buttons", "text": cut(&head, CARD_CHARS_MAX), "actions": actions },
        }));
    }
    messages
}

/// Many notices in one text.
pub fn line_digest(notices: &[Notice], language: MessageLanguage, page_of: impl Fn(&Notice) -> Links) -> Vec<Value> {
    if let [notice] = notices {
        return line_messages(notice, language, &page_of(notice));
    }
    let mut texts = Vec::new();
    for &is_thai in languages(language) {
        let mut text = digest_headline(notices.len(), is_thai);
        let last = if is_thai { NO_DECLARATION_TH } else { NO_DECLARATION_EN };
        let all = in_order(notices);
        // Half of the room where both languages share it.
        let room = LINE_TEXT_CHARS_MAX / languages(language).len() - 200;
        let mut told = 0;
        for notice in &all {
            let line = format!("\n• {}", headline(notice, is_thai));
            if units(&text) + units(&line) > room {
                break;
            }
            text.push_str(&line);
            told += 1;
        }
        let left = all.len() - told;
        if left > 0 {
            text.push_str(&if is_thai {
                format!("\nและอีก {left} รายการ")
            } else {
                format!("\nand {left} more")
            });
        }
        texts.push(format!("{text}\n{last}"));
    }
    vec![json!({ "type": "text", "text": texts.join("\n\n") })]
}

fn plain(said: &Said) -> String {
    let mut text = said.headline.clone();
    for paragraph in &said.paragraphs {
        text.push_str("\n\n");
        text.push_str(paragraph);
    }
    text
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// At most so many UTF-16 units, with an ellipsis where something is left out.
fn cut(text: &str, max: usize) -> String {
    if units(text) <= max {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.len_utf16();
        if used > max {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_text_is_no_longer_than_it_may_be() {
        assert_eq!(cut("สวัสดี", 6), "สวัสดี");
        assert_eq!(cut("สวัสดี", 4), "สวั…");
        assert_eq!(units(&cut(&"😀".repeat(200), 160)), 159);
    }
}
