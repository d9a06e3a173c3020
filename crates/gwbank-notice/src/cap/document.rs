//! One document.

use std::io;

use gwbank_model::condition::{Hazard, Scope, Severity, Transition};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_registry::{Registry, places};
use gwbank_store::{ConditionFlag, Drill, DrillKind, FlagAction, FlagNote, NumberedTransition};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};
use serde_json::Value;

use crate::words::{hazard_words, reason_words};

const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// Who sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapSender {
    /// A name that is its own all over the world.
    pub sender: String,
    pub name_en: String,
    pub name_th: String,
    /// Who may read a draft.
    pub restriction: String,
    pub public_url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapKind {
    Alert,
    Update,
    Cancel,
}

impl CapKind {
    /// As CAP's `msgType` has it.
    pub fn name(self) -> &'static str {
        match self {
            CapKind::Alert => "Alert",
            CapKind::Update => "Update",
            CapKind::Cancel => "Cancel",
        }
    }
}

/// A transition as a message of its flag's chain.
#[derive(Debug, Clone, PartialEq)]
pub struct CapMessage {
    pub identifier: String,
    pub transition: NumberedTransition,
    pub kind: CapKind,
    /// By whom and when it was approved.
    pub approved: Option<(String, Timestamp)>,
}

impl CapMessage {
    /// Of the document as it stands: a draft is another document than the one that is approved, as receivers keep one of each
    /// identifier.
    pub fn document_id(&self) -> String {
        match self.approved {
            Some(_) => self.identifier.clone(),
            None => format!("{}{DRAFT}", self.identifier),
        }
    }

    /// What the document says that it is. `earlier` are the messages of the chain before it: what the public has heard nothing
    /// of begins with an alert.
    pub fn document_kind(&self, earlier: &[CapMessage]) -> CapKind {
        let is_first = !earlier.iter().any(|before| before.approved.is_some());
        match self.kind {
            CapKind::Update if self.approved.is_some() && is_first => CapKind::Alert,
            kind => kind,
        }
    }

    pub fn sent(&self) -> Timestamp {
        self.approved.as_ref().map_or(self.transition.transition.at, |(_, at)| *at)
    }
}

/// Whether a flag has documents at all.
pub fn has_documents(hazard: Hazard, scope: Scope) -> bool {
    matches!(hazard, Hazard::Drought | Hazard::Flood | Hazard::Salinity)
        && matches!(scope, Scope::Subdistrict | Scope::Lao | Scope::District | Scope::Province)
}

/// Ends the identifier of a document that is not approved.
const DRAFT: &str = "-draft";

/// The number of the transition that a document's identifier tells; `None` of what is none.
pub fn transition_number(document_id: &str) -> Option<i64> {
    document_id.strip_suffix(DRAFT).unwrap_or(document_id).rsplit('-').next()?.parse().ok()
}

/// CAP allows no spaces, commas, `<` and `&`; the number at its end tells the transition.
pub fn identifier(flag_id: &str, number: i64) -> String {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let safe: String = flag_id.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    format!("{safe}-{number}")
}

/// The messages of a flag, oldest first. `transitions` and `notes` are those of the flag.
pub fn chain(flag: &ConditionFlag, transitions: &[NumberedTransition], notes: &[FlagNote]) -> Vec<CapMessage> {
    if !has_documents(flag.hazard, flag.scope) {
        return Vec::new();
    }
    let mut messages: Vec<CapMessage> = Vec::new();
    for transition in transitions {
        let is_first = messages.last().is_none_or(|last| last.kind == CapKind::Cancel);
        let kind = match transition.transition.transition {
            Transition::Acknowledged => continue,
            Transition::Cleared | Transition::Cancelled => CapKind::Cancel,
            _ if is_first => CapKind::Alert,
            _ => CapKind::Update,
        };
        let approval =
            notes.iter().find(|note| note.action == FlagAction::Approved && note.transition == Some(transition.number));
        messages.push(CapMessage {
            identifier: identifier(&flag.id, transition.number),
            transition: transition.clone(),
            kind,
            approved: approval.map(|note| (note.by.clone(), note.at)),
        });
    }
    messages
}

/// Where a document speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct CapArea {
    pub name_en: String,
    pub name_th: String,
    /// (value name, value)
    pub geocodes: Vec<(&'static str, String)>,
    /// Closed rings of latitude and longitude.
    pub polygons: Vec<Vec<(f64, f64)>>,
}

/// Corners of the polygon that stands for a place without an outline of its own, and how far beyond its wells it reaches.
const CORNERS: usize = 16;
const MARGIN_KM: f64 = 1.0;
const KM_PER_DEGREE: f64 = 111.2;

impl CapArea {
    /// Of a flag: a province by its outline; of smaller places, whose outlines are not built in, the surroundings of the wells that
    /// lie there.
    pub fn of(flag: &ConditionFlag, registry: &Registry) -> Self {
        let province = places::province(&flag.province_code);
        let mut geocodes = Vec::new();
        if let Some(province) = province {
            geocodes.push(("ISO 3166-2", province.iso_code.to_owned()));
        }
        let of_dopa = match flag.scope {
            Scope::Province => Some(flag.province_code.clone()),
            Scope::District => flag.district_code.clone(),
            Scope::Subdistrict => flag.subdistrict_code.clone(),
            _ => flag.district_code.clone().or_else(|| Some(flag.province_code.clone())),
        };
        geocodes.extend(of_dopa.map(|code| ("DOPA", code)));
        let place = |text: &str| text.split_once(": ").map_or(text, |(_, place)| place).to_owned();
        let without_count = |text: String| match text.rfind(" (") {
            Some(end) if text.ends_with(')') => text[..end].to_owned(),
            _ => text,
        };
        let polygons = match (flag.scope, province) {
            (Scope::Province, Some(province)) => province.rings().iter().filter_map(closed).collect(),
            _ => around_wells(flag, registry).into_iter().collect(),
        };
        Self {
            name_en: without_count(place(&flag.headline_en)),
            name_th: without_count(place(&flag.headline_th)),
            geocodes,
            polygons,
        }
    }
}

/// A ring of (longitude, latitude) as CAP has it; `None` of one that is no area.
fn closed(ring: &gwbank_registry::Ring) -> Option<Vec<(f64, f64)>> {
    let mut points: Vec<(f64, f64)> = ring.iter().map(|&(longitude, latitude)| (latitude, longitude)).collect();
    let first = *points.first()?;
    if points.last() != Some(&first) {
        points.push(first);
    }
    (points.len() >= 4).then_some(points)
}

fn around_wells(flag: &ConditionFlag, registry: &Registry) -> Option<Vec<(f64, f64)>> {
    let lies_there = |well: &gwbank_registry::Well| match flag.scope {
        Scope::District => well.district_code.as_deref() == Some(&*flag.place),
        Scope::Subdistrict => well.subdistrict_code.as_deref() == Some(&*flag.place),
        Scope::Lao => well.lao_code.as_deref() == Some(&*flag.place),
        _ => false,
    };
    let wells = registry.wells().iter().filter(|well| lies_there(well));
    let points: Vec<(f64, f64)> = wells.filter_map(|well| Some((well.latitude?, well.longitude?))).collect();
    if points.is_empty() {
        return None;
    }
    let n = points.len() as f64;
    let latitude = points.iter().map(|point| point.0).sum::<f64>() / n;
    let longitude = points.iter().map(|point| point.1).sum::<f64>() / n;
    let shrink = latitude.to_radians().cos().max(0.01);
    let km = |(lat, lon): &(f64, f64)| {
        ((lat - latitude).powi(2) + ((lon - longitude) * shrink).powi(2)).sqrt() * KM_PER_DEGREE
    };
    // The polygon's edges lie nearer than its corners.
    let radius =
        (points.iter().map(km).fold(0.0, f64::max) + MARGIN_KM) / (std::f64::consts::PI / CORNERS as f64).cos();
    let corner = |index: usize| {
        let angle = std::f64::consts::TAU * (index % CORNERS) as f64 / CORNERS as f64;
        let (sin, cos) = angle.sin_cos();
        (latitude + radius * cos / KM_PER_DEGREE, longitude + radius * sin / KM_PER_DEGREE / shrink)
    };
    Some((0..=CORNERS).map(corner).collect())
}

struct Judged {
    urgency: &'static str,
    severity: &'static str,
    certainty: &'static str,
    response: &'static str,
    expires_hours: i64,
}

fn judged(hazard: Hazard, severity: Severity, kind: CapKind) -> Judged {
    let is_flood = hazard == Hazard::Flood;
    let is_extreme_flood = is_flood && severity == Severity::Extreme;
    let (urgency, certainty) = match (kind, severity) {
        (CapKind::Cancel, _) => ("Past", "Likely"),
        _ if is_extreme_flood => ("Immediate", "Observed"),
        (_, Severity::Watch) => ("Future", "Possible"),
        _ => ("Expected", "Likely"),
    };
    let in_cap = match severity {
        Severity::Watch => "Minor",
        Severity::Warning => "Moderate",
        Severity::Extreme if is_extreme_flood => "Extreme",
        Severity::Severe | Severity::Extreme => "Severe",
    };
    let response = match (kind, severity) {
        (CapKind::Cancel, _) => "AllClear",
        (_, Severity::Watch | Severity::Warning) => "Monitor",
        _ => "Prepare",
    };
    let expires_hours = match (kind, hazard) {
        (CapKind::Cancel, _) | (_, Hazard::Flood) => 24,
        // Until the next month was judged.
        (_, Hazard::Drought) => 40 * 24,
        _ => 14 * 24,
    };
    Judged { urgency, severity: in_cap, certainty, response, expires_hours }
}

/// What a document says.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub sender: &'a CapSender,
    /// The flag as it was known at the transition.
    pub flag: &'a ConditionFlag,
    pub area: &'a CapArea,
}

/// The document of a message. `earlier` are the messages of the chain before it.
pub fn document(
    sender: &CapSender,
    flag: &ConditionFlag,
    area: &CapArea,
    message: &CapMessage,
    earlier: &[CapMessage],
) -> String {
    let is_approved = message.approved.is_some();
    let told: Vec<&CapMessage> = earlier.iter().filter(|before| !is_approved || before.approved.is_some()).collect();
    let kind = message.document_kind(earlier);
    let reference =
        |before: &&CapMessage| format!("{},{},{}", sender.sender, before.document_id(), time(before.sent()));
    let references: Vec<String> = told.iter().map(reference).collect();
    let evidence: Value = serde_json::from_str(&message.transition.transition.evidence).unwrap_or(Value::Null);
    let reason = evidence["reason"].as_str().and_then(reason_words);
    let head = Head {
        identifier: &message.document_id(),
        sent: message.sent(),
        status: if is_approved { "Actual" } else { "Draft" },
        kind,
        is_public: is_approved,
        note: reason.map(|(en, th)| {
            let said = evidence["text"].as_str().map_or_else(String::new, |text| format!(": {text}"));
            (format!("{en}{said}"), format!("{th}{said}"))
        }),
        references: if kind == CapKind::Alert { String::new() } else { references.join(" ") },
        incident: &flag.id,
    };
    write(&Said { sender, flag, area }, &head, message.transition.transition.severity)
}

/// Of the document of a drill; `flag` is what it tells of.
pub fn drill_identifier(flag: &ConditionFlag) -> String {
    identifier(&flag.id, 0)
}

/// As CAP's `status` has it.
pub fn drill_status(kind: DrillKind) -> &'static str {
    match kind {
        DrillKind::Exercise => "Exercise",
        DrillKind::Test => "Test",
    }
}

/// The document of a drill, which nobody has to approve: it says what it is.
pub fn drill_document(sender: &CapSender, flag: &ConditionFlag, area: &CapArea, drill: &Drill) -> String {
    let id = drill_identifier(flag);
    let head = Head {
        identifier: &id,
        sent: drill.at,
        status: drill_status(drill.kind),
        kind: CapKind::Alert,
        is_public: false,
        note: None,
        references: String::new(),
        incident: &flag.id,
    };
    write(&Said { sender, flag, area }, &head, drill.severity)
}

struct Head<'a> {
    identifier: &'a str,
    sent: Timestamp,
    status: &'static str,
    kind: CapKind,
    is_public: bool,
    /// In English and Thai.
    note: Option<(String, String)>,
    references: String,
    incident: &'a str,
}

/// CAP's times have whole seconds and an offset.
fn time(at: Timestamp) -> String {
    Timestamp::from_secs(at.as_secs()).to_rfc3339(BANGKOK_OFFSET_SECONDS)
}

type Xml = Writer<Vec<u8>>;

/// XML has no control characters, however they are written.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

fn put(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(&clean(text)))?;
    Ok(())
}

fn put_some(xml: &mut Xml, name: &str, text: &str) -> io::Result<()> {
    if text.is_empty() { Ok(()) } else { put(xml, name, text) }
}

fn put_pair(xml: &mut Xml, name: &str, value_name: &str, value: &str) -> io::Result<()> {
    xml.create_element(name).write_inner_content(|xml| {
        put(xml, "valueName", value_name)?;
        put(xml, "value", value)
    })?;
    Ok(())
}

fn write(said: &Said<'_>, head: &Head<'_>, severity: Severity) -> String {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    // Memory takes all of it.
    let _ = xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    let _ = xml
        .create_element("alert")
        .with_attribute(("xmlns", NAMESPACE))
        .write_inner_content(|xml| alert(xml, said, head, severity));
    let mut text = String::from_utf8(xml.into_inner()).unwrap_or_default();
    text.push('\n');
    text
}

fn alert(xml: &mut Xml, said: &Said<'_>, head: &Head<'_>, severity: Severity) -> io::Result<()> {
    put(xml, "identifier", head.identifier)?;
    put(xml, "sender", &said.sender.sender)?;
    put(xml, "sent", &time(head.sent))?;
    put(xml, "status", head.status)?;
    put(xml, "msgType", head.kind.name())?;
    put(xml, "scope", if head.is_public { "Public" } else { "Restricted" })?;
    if !head.is_public {
        put(xml, "restriction", &said.sender.restriction)?;
    }
    if let Some((en, th)) = &head.note {
        put(xml, "note", &format!("{en} / {th}"))?;
    }
    put_some(xml, "references", &head.references)?;
    // Incidents are separated by spaces.
    put(xml, "incidents", &identifier_of_incident(head.incident))?;
    for is_thai in [true, false] {
        xml.create_element("info").write_inner_content(|xml| info(xml, said, head, severity, is_thai))?;
    }
    Ok(())
}

fn identifier_of_incident(flag_id: &str) -> String {
    let with_number = identifier(flag_id, 0);
    with_number.strip_suffix("-0").unwrap_or(&with_number).to_owned()
}

fn info(xml: &mut Xml, said: &Said<'_>, head: &Head<'_>, severity: Severity, is_thai: bool) -> io::Result<()> {
    let Said { sender, flag, area } = said;
    let (event_en, event_th) = hazard_words(flag.hazard);
    let judged = judged(flag.hazard, severity, head.kind);
    let either = |en: &str, th: &str| if is_thai { th.to_owned() } else { en.to_owned() };
    put(xml, "language", &either("en-US", "th-TH"))?;
    put(xml, "category", "Env")?;
    put(xml, "event", &either(event_en, event_th))?;
    put(xml, "responseType", judged.response)?;
    put(xml, "urgency", judged.urgency)?;
    put(xml, "severity", judged.severity)?;
    put(xml, "certainty", judged.certainty)?;
    put_pair(xml, "eventCode", "gwbank:hazard", flag.hazard.name())?;
    put(xml, "effective", &time(head.sent))?;
    put(xml, "onset", &time(flag.raised_at))?;
    put(xml, "expires", &time(head.sent.plus_secs(judged.expires_hours * 3_600)))?;
    put(xml, "senderName", &either(&sender.name_en, &sender.name_th))?;
    put(xml, "headline", &either(&flag.headline_en, &flag.headline_th))?;
    let ended = head.kind == CapKind::Cancel;
    let description = match (ended, &head.note) {
        (true, Some((en, th))) => either(&format!("This has ended: {en}."), &format!("สิ้นสุดแล้ว: {th}")),
        (true, None) => either("This has ended.", "สิ้นสุดแล้ว"),
        // The Thai detail says what would clear it itself.
        (false, _) if !is_thai && !flag.what_would_clear_it.is_empty() => {
            format!("{} This ends with {}.", flag.detail_en, flag.what_would_clear_it)
        }
        (false, _) => either(&flag.detail_en, &flag.detail_th),
    };
    put(xml, "description", &description)?;
    put_some(xml, "web", &sender.public_url.as_ref().map(|url| format!("{url}/")).unwrap_or_default())?;
    let number = |value: f64| format!("{}", (value * 1e6).round() / 1e6);
    let mut parameters = vec![
        ("gwbank:flag", flag.id.clone()),
        ("gwbank:severity", severity.name().to_owned()),
        ("gwbank:confidence", number(flag.confidence)),
        ("gwbank:wells_in", flag.wells_in.to_string()),
        ("gwbank:wells_out", flag.wells_out.to_string()),
        ("gwbank:coverage", number(flag.coverage)),
        ("gwbank:rule", flag.rule.clone()),
    ];
    parameters.extend(flag.limit_value.map(|value| ("gwbank:limit", number(value))));
    parameters.extend(flag.observed.map(|value| ("gwbank:observed", number(value))));
    if !is_thai && !flag.what_would_clear_it.is_empty() {
        parameters.push(("gwbank:what_would_clear_it", flag.what_would_clear_it.clone()));
    }
    for (name, value) in &parameters {
        put_pair(xml, "parameter", name, value)?;
    }
    xml.create_element("area").write_inner_content(|xml| {
        put(xml, "areaDesc", &either(&area.name_en, &area.name_th))?;
        for polygon in &area.polygons {
            let points: Vec<String> =
                polygon.iter().map(|(latitude, longitude)| format!("{latitude:.4},{longitude:.4}")).collect();
            put(xml, "polygon", &points.join(" "))?;
        }
        for (name, value) in &area.geocodes {
            put_pair(xml, "geocode", name, value)?;
        }
        Ok(())
    })?;
    Ok(())
}
