//! Atom feeds (RFC 4287) of CAP documents, with pages (RFC 5005).

use std::io;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

/// One document of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    pub identifier: String,
    pub title: String,
    pub summary: String,
    pub updated: Timestamp,
    pub published: Timestamp,
    /// `Alert`, `Update` or `Cancel`, and `Draft`, `Actual`, ….
    pub categories: Vec<&'static str>,
}

/// One page of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// Of the server, without a slash at its end; documents and pages lie below it.
    pub base_url: String,
    /// Such as `/feeds/cap.atom`.
    pub path: String,
    pub title: String,
    pub author: String,
    /// From 1.
    pub page: usize,
    pub pages: usize,
    pub updated: Timestamp,
    pub entries: Vec<FeedEntry>,
}

type Xml = Writer<Vec<u8>>;

fn put(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    let clean: String = text.chars().filter(|c| !c.is_control()).collect();
    xml.create_element(name).write_text_content(BytesText::new(&clean))?;
    Ok(())
}

fn link(xml: &mut Xml, rel: &str, kind: &str, href: &str) -> io::Result<()> {
    xml.create_element("link").with_attributes([("rel", rel), ("type", kind), ("href", href)]).write_empty()?;
    Ok(())
}

fn time(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_secs()).to_rfc3339(BANGKOK_OFFSET_SECONDS)
}

const ATOM: &str = "application/atom+xml";

impl FeedPage {
    fn url(&self, page: usize) -> String {
        let Self { base_url, path, .. } = self;
        let sign = if path.contains('?') { '&' } else { '?' };
        if page <= 1 { format!("{base_url}{path}") } else { format!("{base_url}{path}{sign}page={page}") }
    }

    /// Stays whatever the page and the server's port.
    fn id(&self, of: &str) -> String {
        let host = self.base_url.split("://").nth(1).unwrap_or("localhost");
        let host = host.split([':', '/']).next().unwrap_or("localhost");
        format!("tag:{host},2026:{of}")
    }
}

/// The page as text.
pub fn feed(page: &FeedPage) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    let _ = xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let _ = xml
        .create_element("feed")
        .with_attribute(("xmlns", "http://www.w3.org/2005/Atom"))
        .write_inner_content(|xml| inner(xml, page));
    let mut text = String::from_utf8(xml.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

fn inner(xml: &mut Xml, page: &FeedPage) -> io::Result<()> {
    put(xml, "id", &page.id(page.path.trim_start_matches('/')))?;
    put(xml, "title", &page.title)?;
    put(xml, "updated", &time(page.updated))?;
    xml.create_element("author").write_inner_content(|xml| put(xml, "name", &page.author))?;
    link(xml, "self", ATOM, &page.url(page.page))?;
    link(xml, "first", ATOM, &page.url(1))?;
    if page.page > 1 {
        link(xml, "previous", ATOM, &page.url(page.page - 1))?;
    }
    if page.page < page.pages {
        link(xml, "next", ATOM, &page.url(page.page + 1))?;
    }
    link(xml, "last", ATOM, &page.url(page.pages.max(1)))?;
    for entry in &page.entries {
        xml.create_element("entry").write_inner_content(|xml| {
            put(xml, "id", &page.id(&format!("cap/{}", entry.identifier)))?;
            put(xml, "title", &entry.title)?;
            put(xml, "updated", &time(entry.updated))?;
            put(xml, "published", &time(entry.published))?;
            for category in &entry.categories {
                xml.create_element("category").with_attribute(("term", *category)).write_empty()?;
            }
            put(xml, "summary", &entry.summary)?;
            link(xml, "alternate", "application/cap+xml", &format!("{}/cap/{}.xml", page.base_url, entry.identifier))
        })?;
    }
    Ok(())
}
