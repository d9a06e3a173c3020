//! Lines into offices and their contacts: one line a contact, the office's columns on each.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use gwbank_model::condition::{Hazard, Scope, Severity};

use serde_json::Value;

use super::line::{Fields, Line};
use super::write::office_cell;
use super::{Faults, OFFICE_COLUMNS, RowFault};
use crate::office::{Channel, Contact, MessageLanguage, Office, OfficeLevel, Offices, USUAL_HAZARDS};
use crate::places;

/// A contact with its office as fields in the order of [`OFFICE_COLUMNS`], for a table that keeps texts.
pub fn office_fields(office: &Office, contact: Option<&Contact>) -> Vec<Option<String>> {
    let text = |value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    OFFICE_COLUMNS.iter().map(|column| text(office_cell(office, contact, column))).collect()
}

/// What [`office_fields`] made.
pub fn office_of_fields(fields: Vec<Option<String>>) -> Result<(Office, Option<Contact>), RowFault> {
    let mut faults = Faults::default();
    let mut line = Line::new(1, OFFICE_COLUMNS);
    line.fields = fields;
    line.fields.resize(OFFICE_COLUMNS.len(), None);
    // What was taken in once is read again, whatever the rules have become since: it must not keep everybody else from hearing.
    let read = office_and_contact(&line, Rules::AsKept, &mut faults);
    let unread = || RowFault {
        line: 1,
        column: String::new(),
        value: String::new(),
        problem: "not an office".into(),
        mend: "import it again".into(),
    };
    match faults.into_result(read) {
        Ok(read) => read.ok_or_else(unread),
        Err(faults) => Err(faults.into_iter().next().unwrap_or_else(unread)),
    }
}

const ID_CHARS_MAX: usize = 64;
/// What Standard Webhooks asks of a secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(crate) fn offices(lines: &[Line], faults: &mut Faults) -> Offices {
    let mut offices: HashMap<String, (Office, u64)> = HashMap::new();
    let mut contacts: HashMap<String, (Contact, u64)> = HashMap::new();
    for line in lines {
        let Some((office, contact)) = office_and_contact(line, Rules::OfAFile, faults) else { continue };
        let row = Fields::new(line, faults);
        let (first, first_line) = offices.entry(office.office_id.clone()).or_insert((office.clone(), line.number));
        if *first != office {
            let problem = format!("the office is another one on line {first_line}");
            row.fault("office_id", problem, "give the same level, place, names, phone and rate on each of its lines");
        }
        let Some(contact) = contact else { continue };
        match contacts.get(&contact.contact_id) {
            Some((_, first_line)) => {
                let problem = format!("the contact is on line {first_line} already");
                row.fault("contact_id", problem, "keep one of the two lines");
            }
            None => drop(contacts.insert(contact.contact_id.clone(), (contact, line.number))),
        }
    }
    let only = |(value, _)| value;
    Offices::new(offices.into_values().map(only), contacts.into_values().map(|(contact, _)| contact))
}

/// Whether addresses and secrets are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rules {
    OfAFile,
    AsKept,
}

fn office_and_contact(line: &Line, rules: Rules, faults: &mut Faults) -> Option<(Office, Option<Contact>)> {
    let row = Fields::new(line, faults);
    for column in ["office_id", "level", "office_name"] {
        if !row.is_given(column) {
            row.fault(column, "not given", "every office needs it");
        }
    }
    let office_id = id(&row, "office_id");
    let level = row.named("level", OfficeLevel::ALL);
    let place_code = level.and_then(|level| place_code(&row, level));
    let name = row.text("office_name");
    let rate = row.number("messages_per_minute", 1.0, 100_000.0, "messages a minute").map(|rate| rate as u32);
    let contact = if row.is_given("contact_id") { contact(&row, rules) } else { None };
    if !row.is_given("contact_id") {
        let needs_one = ["channel", "address", "secret", "hazards", "scopes", "digest", "quiet_hours"];
        if let Some(column) = needs_one.into_iter().find(|column| row.is_given(column)) {
            row.fault("contact_id", format!("not given beside {column}"), "name the contact");
        }
    }
    let office = Office {
        office_id: office_id?,
        level: level?,
        place_code,
        name: name?,
        name_th: row.text("office_name_th"),
        phone: row.text("office_phone"),
        messages_per_minute: rate,
    };
    let contact = contact.map(|contact| Contact { office_id: office.office_id.clone(), ..contact });
    Some((office, contact))
}

fn id(row: &Fields, column: &str) -> Option<String> {
    let text = row.text(column)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.len() > ID_CHARS_MAX || !text.chars().all(is_plain) {
        row.fault(column, "not an id", "use up to 64 letters a to z, digits, - _ and .");
        return None;
    }
    Some(text)
}

fn place_code(row: &Fields, level: OfficeLevel) -> Option<String> {
    let given = row.text("place_code").map(|code| code.strip_suffix(".0").map(str::to_owned).unwrap_or(code));
    let known = |code: &str| match level {
        OfficeLevel::National | OfficeLevel::Lao => true,
        OfficeLevel::Province => places::province(code).is_some(),
        OfficeLevel::District => places::district(code).is_some(),
    };
    match (level, given) {
        (OfficeLevel::National, Some(_)) => {
            row.fault("place_code", "a national office has none", "leave it empty, or give another level");
            None
        }
        (OfficeLevel::National, None) => None,
        (level, None) => {
            row.fault("place_code", format!("not given of an office of level {level}"), "give the code of its place");
            None
        }
        (level, Some(code)) if !known(&code) => {
            row.fault("place_code", format!("no {level} has it"), "use the DOPA code, such as 30 or 3001");
            None
        }
        (_, code) => code,
    }
}

fn contact(row: &Fields, rules: Rules) -> Option<Contact> {
    let contact_id = id(row, "contact_id");
    if !row.is_given("channel") {
        row.fault("channel", "not given", "use one of: email, webhook, line");
    }
    let channel = row.named("channel", Channel::ALL);
    let address = row.text("address");
    if let Some(channel) = channel
        && rules == Rules::OfAFile
    {
        check_address(row, channel, address.as_deref());
    }
    let of_fields = Contact {
        name: row.text("contact_name"),
        address,
        secret: row.text("secret"),
        language: row.named("language", MessageLanguage::ALL).unwrap_or(MessageLanguage::Thai),
        min_severity: row.named("min_severity", Severity::ALL).unwrap_or(Severity::Watch),
        hazards: list(row, "hazards", Hazard::ALL).unwrap_or_else(|| USUAL_HAZARDS.to_vec()),
        scopes: list(row, "scopes", Scope::ALL).unwrap_or_default(),
        quiet_hours: row.parsed("quiet_hours", "write it as 22:00-06:00, Bangkok time"),
        digest: row.parsed("digest", "write it as 07:30 or monday 07:30, Bangkok time"),
        drills: row.yes_or_no("drills").unwrap_or(false),
        active: row.yes_or_no("active").unwrap_or(true),
        ..Contact::new("", "", channel?)
    };
    Some(Contact { contact_id: contact_id?, ..of_fields })
}

/// Names between semicolons or spaces.
fn list<T: Copy + FromStr + Display + PartialEq>(row: &Fields, column: &str, all: &[T]) -> Option<Vec<T>> {
    let text = row.text(column)?;
    let mut values = Vec::new();
    for word in text.split([';', ' ']).filter(|word| !word.is_empty()) {
        match word.to_ascii_lowercase().parse() {
            Ok(value) if values.contains(&value) => {}
            Ok(value) => values.push(value),
            Err(_) => {
                let names: Vec<String> = all.iter().map(ToString::to_string).collect();
                let mend = format!("use some of these with ; between them: {}", names.join(", "));
                row.fault(column, format!("{word:?} is not a known name"), mend);
                return None;
            }
        }
    }
    Some(values)
}

fn check_address(row: &Fields, channel: Channel, address: Option<&str>) {
    let secret = row.text("secret");
    match (channel, address) {
        (Channel::Line, None) => {}
        (Channel::Line, Some(address)) => {
            if !is_line_id(address) {
                let mend = "leave it empty and link it with the code of `gwbank offices invite`";
                row.fault("address", "not the id of a friend, group or room of LINE", mend);
            }
        }
        (_, None) => row.fault("address", "not given", "give the e-mail address or the URL"),
        (Channel::Email, Some(address)) => {
            let parts = address.rsplit_once('@');
            let is_address = parts.is_some_and(|(name, host)| {
                !name.is_empty() && host.contains('.') && !host.starts_with('.') && !host.ends_with('.')
            }) && !address.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';'));
            if !is_address {
                row.fault("address", "not an e-mail address", "write one address alone, such as office@example.go.th");
            }
        }
        (Channel::Webhook, Some(address)) => {
            if !address.starts_with("https://") && !address.starts_with("http://") {
                row.fault("address", "not a URL", "write it as https://host/path");
            }
            let authority = address.split_once("://").map_or("", |(_, rest)| rest).split(['/', '?', '#']).next();
            if authority.is_some_and(|authority| authority.contains('@')) {
                // Addresses are shown in lists.
                row.fault_unshown(
                    "address",
                    "holds a user or password",
                    "the signature by `secret` is what tells the sender",
                );
            }
        }
    }
    match (channel, secret) {
        (Channel::Webhook, None) => {
            row.fault("secret", "not given", "every webhook needs one: whsec_ and 24 to 64 bytes in base64");
        }
        (Channel::Webhook, Some(secret)) => {
            let bytes = secret.strip_prefix("whsec_").and_then(base64_bytes);
            if !bytes.is_some_and(|bytes| SECRET_BYTES.contains(&bytes)) {
                // The value is a secret: it is not shown.
                row.fault_unshown("secret", "not a secret of Standard Webhooks", "whsec_ and 24 to 64 bytes in base64");
            }
        }
        (_, Some(_)) => row.fault_unshown("secret", "only a webhook has one", "leave it empty"),
        (_, None) => {}
    }
}

/// Whether a text is the id of a friend, a group or a room of LINE.
pub fn is_line_id(text: &str) -> bool {
    text.len() == 33 && text.starts_with(['U', 'C', 'R']) && text[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How many bytes a text of padded standard base64 stands for.
fn base64_bytes(text: &str) -> Option<usize> {
    let data = text.trim_end_matches('=');
    let padding = text.len() - data.len();
    let is_base64 = data.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'));
    let fits = text.len().is_multiple_of(4) && padding <= 2 && data.len() % 4 != 1;
    (is_base64 && fits).then_some(data.len() * 3 / 4)
}
