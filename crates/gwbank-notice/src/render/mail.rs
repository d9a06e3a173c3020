//! E-mail: a subject, plain text, and the same as HTML that needs no image, style sheet or script.

use gwbank_registry::office::MessageLanguage;

use super::{Links, Said, digest_headline, headline, in_order, languages, said};
use crate::notice::Notice;
use crate::when::{english_time, thai_time};
use crate::words::{NO_DECLARATION_EN, NO_DECLARATION_TH};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailText {
    pub subject: String,
    pub text: String,
    pub html: String,
}

pub fn mail(notice: &Notice, language: MessageLanguage, links: &Links) -> MailText {
    let parts: Vec<(bool, Said)> =
        languages(language).iter().map(|&is_thai| (is_thai, said(notice, links, is_thai))).collect();
    let subject = parts.iter().map(|(_, said)| said.headline.as_str()).collect::<Vec<_>>().join(" / ");
    let text = parts.iter().map(|(_, said)| plain(said)).collect::<Vec<_>>().join("\n----\n\n");
    let html: String = parts.iter().map(|(is_thai, said)| section(*is_thai, &html_of(said))).collect();
    MailText { subject, text, html: page(&html) }
}

/// Many notices in one. `links` are those of the notices, in their order.
pub fn mail_digest(notices: &[Notice], language: MessageLanguage, page_of: impl Fn(&Notice) -> Links) -> MailText {
    if let [notice] = notices {
        return mail(notice, language, &page_of(notice));
    }
    let (mut subjects, mut texts, mut html) = (Vec::new(), Vec::new(), String::new());
    for &is_thai in languages(language) {
        let title = digest_headline(notices.len(), is_thai);
        let (mut text, mut rows) = (format!("{title}\n\n"), String::new());
        for notice in in_order(notices) {
            let line = headline(notice, is_thai);
            let at = if is_thai { thai_time(notice.at()) } else { english_time(notice.at()) };
            text.push_str(&format!("- {line} ({at})\n"));
            let link = page_of(notice).page;
            if let Some(page) = &link {
                text.push_str(&format!("  {page}\n"));
            }
            let line = match link {
                Some(page) => format!("<a href=\"{}\">{}</a>", escaped(&page), escaped(&line)),
                None => escaped(&line),
            };
            rows.push_str(&format!("<li>{line} ({})</li>\n", escaped(&at)));
        }
        let last = if is_thai { NO_DECLARATION_TH } else { NO_DECLARATION_EN };
        text.push_str(&format!("\n{last}\n"));
        html.push_str(&section(
            is_thai,
            &format!("<h1>{}</h1>\n<ul>\n{rows}</ul>\n<p>{}</p>\n", escaped(&title), escaped(last)),
        ));
        subjects.push(title);
        texts.push(text);
    }
    MailText { subject: subjects.join(" / "), text: texts.join("\n----\n\n"), html: page(&html) }
}

fn plain(said: &Said) -> String {
    let mut text = format!("{}\n\n", said.headline);
    for paragraph in &said.paragraphs {
        text.push_str(&format!("{paragraph}\n\n"));
    }
    if let Some((label, page)) = &said.link {
        text.push_str(&format!("{label}:\n{page}\n"));
    }
    text
}

fn html_of(said: &Said) -> String {
    let mut html = format!("<h1>{}</h1>\n", escaped(&said.headline));
    for paragraph in &said.paragraphs {
        html.push_str(&format!("<p>{}</p>\n", escaped(paragraph)));
    }
    if let Some((label, page)) = &said.link {
        html.push_str(&format!("<p><a href=\"{}\">{}</a></p>\n", escaped(page), escaped(label)));
    }
    html
}

fn section(is_thai: bool, html: &str) -> String {
    format!("<section lang=\"{}\">\n{html}</section>\n", if is_thai { "th" } else { "en" })
}

fn page(body: &str) -> String {
    format!("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n{body}</body></html>\n")
}

fn escaped(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}
