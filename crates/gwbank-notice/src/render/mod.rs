//! A notice in the forms of its channels.

mod line;
mod mail;

pub use line::{LINE_TEXT_CHARS_MAX, acknowledged_flag, is_of_line, line_digest, line_messages, postback};
pub use mail::{MailText, mail, mail_digest};

use gwbank_model::condition::Severity;
use gwbank_registry::office::MessageLanguage;

use crate::notice::{Notice, Practice};
use crate::when::{english_time, thai_time};
use crate::words::{TransitionWords, transition_words};

/// Where a reader can act on a flag.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Links {
    /// The signed page of this flag for this contact; `None` where `public_url` is not set.
    pub page: Option<String>,
}

/// One language of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub headline: String,
    /// Sentences, each a paragraph.
    pub paragraphs: Vec<String>,
    pub link: Option<(String, String)>,
}

fn practice_words(practice: Practice) -> (&'static str, &'static str) {
    match practice {
        Practice::Exercise => ("EXERCISE, not real", "การฝึกซ้อม ไม่ใช่เหตุการณ์จริง"),
        Practice::Test => ("TEST, not real", "การทดสอบระบบ ไม่ใช่เหตุการณ์จริง"),
    }
}

/// `New: Low groundwater, severe: …`
pub(crate) fn headline(notice: &Notice, is_thai: bool) -> String {
    let TransitionWords { en, th } = match notice.transition() {
        _ if notice.kind == Notice::FLEET_REPORT => TransitionWords { en: "Equipment", th: "อุปกรณ์" },
        Some(transition) => transition_words(transition),
        None => TransitionWords { en: "News", th: "แจ้งข่าว" },
    };
    let headline = match is_thai {
        true => format!("{th}: {}", notice.text("headline_th")),
        false => format!("{en}: {}", notice.text("headline_en")),
    };
    match notice.data.practice.map(practice_words) {
        Some((_, drill)) if is_thai => format!("[{drill}] {headline}"),
        Some((drill, _)) => format!("[{drill}] {headline}"),
        None => headline,
    }
}

fn said(notice: &Notice, links: &Links, is_thai: bool) -> Said {
    let mut paragraphs = Vec::new();
    let told = &notice.data.transition;
    if is_thai {
        paragraphs.push(notice.detail_th().into_owned());
        if !notice.is_end() {
            paragraphs.extend(told.reason_th.as_ref().map(|reason| format!("เหตุผลของการแจ้งครั้งนี้: {reason}")));
        }
        paragraphs.push(format!("แจ้งเมื่อ {}", thai_time(notice.at())));
    } else {
        paragraphs.push(notice.detail_en().into_owned());
        if !notice.is_end() {
            paragraphs.extend(told.reason_en.as_ref().map(|reason| format!("Why this message: {reason}.")));
            let clears = notice.text("what_would_clear_it");
            if !clears.is_empty() {
                paragraphs.push(format!("This ends with {clears}."));
            }
        }
        paragraphs.push(format!("Told on {}.", english_time(notice.at())));
    }
    let label = match (is_thai, notice.is_end()) {
        (true, false) => "เปิดดูหลักฐานและกดรับทราบ",
        (true, true) => "เปิดดูหลักฐาน",
        (false, false) => "See the evidence and say that you have seen it",
        (false, true) => "See the evidence",
    };
    let link = links.page.clone().map(|page| (label.to_owned(), page));
    Said { headline: headline(notice, is_thai), paragraphs, link }
}

/// In the languages that the contact reads; Thai first.
pub(crate) fn languages(language: MessageLanguage) -> &'static [bool] {
    match language {
        MessageLanguage::Thai => &[true],
        MessageLanguage::English => &[false],
        MessageLanguage::Both => &[true, false],
    }
}

/// The worst first, then the newest.
pub(crate) fn in_order(notices: &[Notice]) -> Vec<&Notice> {
    let mut ordered: Vec<&Notice> = notices.iter().collect();
    let rank = |notice: &Notice| (notice.is_end(), std::cmp::Reverse(notice.severity().unwrap_or(Severity::Watch)));
    ordered.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| b.at().cmp(&a.at())));
    ordered
}

fn digest_headline(count: usize, is_thai: bool) -> String {
    match is_thai {
        true => format!("สรุปสถานการณ์น้ำใต้ดิน {count} รายการ"),
        false if count == 1 => "Groundwater: 1 change".to_owned(),
        false => format!("Groundwater: {count} changes"),
    }
}
