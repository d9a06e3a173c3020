//! Offices that are told of condition flags, and the contacts by which they are reached.
//!
//! # Rules
//! 1. What a contact is told is a pure function of the contact, its office and the flag; [`Contact`] holds the wishes,
//!    `gwbank-notice` the function.
//! 2. A contact of LINE may have no address yet: a one-time code links it ([`Channel::Line`]).
//! 3. Quiet hours and digests are in Bangkok time, as all of Thailand is.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use gwbank_model::condition::{Hazard, Scope, Severity};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp, named_enum};

named_enum! {
    OfficeLevel, "office level" {
        /// The whole country; has no place code.
        National = 1, "national";
        /// A province: its DOPA code.
        Province = 2, "province";
        /// A district: its DOPA code.
        District = 3, "district";
        /// A local administrative organisation: the `lao_code` of its wells.
        Lao = 4, "lao";
    }
}

impl OfficeLevel {
    /// Of which scopes an office of this level is told where a contact does not say: few messages, each of its own size.
    pub fn usual_scopes(self) -> &'static [Scope] {
        match self {
            OfficeLevel::National => &[Scope::Province],
            OfficeLevel::Province => &[Scope::Province, Scope::District],
            OfficeLevel::District => &[Scope::District, Scope::Subdistrict],
            OfficeLevel::Lao => &[Scope::Subdistrict, Scope::Lao, Scope::Well],
        }
    }
}

named_enum! {
    /// How a contact is reached.
    Channel, "channel" {
        /// Address: an e-mail address.
        Email = 1, "email";
        /// Address: a URL that takes a POST.
        Webhook = 2, "webhook";
        /// Address: the id of a friend or a group, which linking fills in.
        Line = 3, "line";
    }
}

named_enum! {
    MessageLanguage, "language" {
        Thai = 1, "th";
        English = 2, "en";
        Both = 3, "both";
    }
}

/// Hazards of which a contact is told where it does not say: what concerns the operator is asked for.
pub const USUAL_HAZARDS: &[Hazard] = &[Hazard::Drought, Hazard::Flood, Hazard::Salinity];

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
const MINUTE_MICROS: i64 = 60_000_000;

/// A time of day in Bangkok, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// `None` beyond 23:59.
    pub fn new(hour: u16, minute: u16) -> Option<Self> {
        (hour < 24 && minute < 60).then(|| Self(hour * 60 + minute))
    }

    fn of(at: Timestamp) -> Self {
        let day = at.day(BANGKOK_OFFSET_SECONDS).start(BANGKOK_OFFSET_SECONDS);
        Self((at.micros_since(day) / MINUTE_MICROS) as u16)
    }

    /// The next time that a clock in Bangkok shows it, after `at`.
    pub fn next_after(self, at: Timestamp) -> Timestamp {
        let day = at.day(BANGKOK_OFFSET_SECONDS).start(BANGKOK_OFFSET_SECONDS);
        let today = day.plus_secs(i64::from(self.0) * 60);
        if today > at { today } else { today.plus_secs(i64::from(DAY_MINUTES) * 60) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotATime(&'static str);

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotATime {}

impl FromStr for TimeOfDay {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let refused = NotATime("not a time of day");
        let (hour, minute) = text.split_once(':').ok_or(refused.clone())?;
        if hour.is_empty() || hour.len() > 2 || minute.len() != 2 {
            return Err(refused);
        }
        let number = |text: &str| -> Result<u16, NotATime> {
            if text.bytes().all(|byte| byte.is_ascii_digit()) {
                text.parse().map_err(|_| NotATime("not a time of day"))
            } else {
                Err(NotATime("not a time of day"))
            }
        };
        Self::new(number(hour)?, number(minute)?).ok_or(refused)
    }
}

/// From one time of day to another, over midnight where the second is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuietHours {
    pub from: TimeOfDay,
    pub to: TimeOfDay,
}

impl QuietHours {
    /// When they end, if it is quiet now.
    pub fn end(&self, at: Timestamp) -> Option<Timestamp> {
        let now = TimeOfDay::of(at);
        let is_quiet =
            if self.from <= self.to { self.from <= now && now < self.to } else { self.from <= now || now < self.to };
        is_quiet.then(|| self.to.next_after(at))
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.to)
    }
}

impl FromStr for QuietHours {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let (from, to) = text.split_once('-').ok_or(NotATime("not a span of a day"))?;
        let hours = Self { from: from.trim().parse()?, to: to.trim().parse()? };
        if hours.from == hours.to { Err(NotATime("begins when it ends")) } else { Ok(hours) }
    }
}

named_enum! {
    Weekday, "weekday" {
        Monday = 1, "monday";
        Tuesday = 2, "tuesday";
        Wednesday = 3, "wednesday";
        Thursday = 4, "thursday";
        Friday = 5, "friday";
        Saturday = 6, "saturday";
        Sunday = 7, "sunday";
    }
}

/// When what may wait is told together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestTime {
    /// `None`: every day.
    pub weekday: Option<Weekday>,
    pub at: TimeOfDay,
}

impl DigestTime {
    /// 07:30, before an office opens: of contacts that name no time of their own.
    pub const USUAL: Self = Self { weekday: None, at: TimeOfDay(7 * 60 + 30) };

    pub fn next_after(self, at: Timestamp) -> Timestamp {
        let mut due = self.at.next_after(at);
        if let Some(weekday) = self.weekday {
            // 1 January 1970 was a Thursday.
            let number = |time: Timestamp| (i64::from(time.day(BANGKOK_OFFSET_SECONDS).0) + 3).rem_euclid(7) as u8 + 1;
            while number(due) != weekday.code() {
                due = due.plus_secs(i64::from(DAY_MINUTES) * 60);
            }
        }
        due
    }
}

impl fmt::Display for DigestTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weekday {
            Some(weekday) => write!(f, "{weekday} {}", self.at),
            None => self.at.fmt(f),
        }
    }
}

impl FromStr for DigestTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        match text.split_once(' ') {
            None => Ok(Self { weekday: None, at: text.parse()? }),
            Some((weekday, at)) => {
                let weekday = weekday.to_ascii_lowercase().parse().map_err(|_| NotATime("not a day of the week"))?;
                Ok(Self { weekday: Some(weekday), at: at.trim().parse()? })
            }
        }
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Office {
    pub office_id: String,
    pub level: OfficeLevel,
    /// A DOPA code, or a `lao_code`; `None` of a national office.
    pub place_code: Option<String>,
    pub name: String,
    pub name_th: Option<String>,
    pub phone: Option<String>,
    /// Messages to all its contacts together; `None` for the configured one.
    pub messages_per_minute: Option<u32>,
}

/// One way to reach an office, and what it wants to hear.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    pub contact_id: String,
    pub office_id: String,
    pub name: Option<String>,
    pub channel: Channel,
    /// `None` of LINE until it is linked.
    pub address: Option<String>,
    /// Signs what is sent to a webhook: `whsec_` and base64. Shown to nobody.
    pub secret: Option<String>,
    pub language: MessageLanguage,
    pub min_severity: Severity,
    pub hazards: Vec<Hazard>,
    /// Empty: the usual ones of the office's level.
    pub scopes: Vec<Scope>,
    pub quiet_hours: Option<QuietHours>,
    /// With it, what is no longer urgent than `warning` waits for it.
    pub digest: Option<DigestTime>,
    /// Whether it takes part in drills.
    pub drills: bool,
    /// `false`: told nothing, and kept for the record.
    pub active: bool,
    /// Since when it cannot be reached: a LINE friend who left.
    pub unreachable_since: Option<Timestamp>,
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No address and no secret: logs are read by more people than the list of contacts.
        f.debug_struct("Contact")
            .field("contact_id", &self.contact_id)
            .field("office_id", &self.office_id)
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

impl Contact {
    /// One that is told all that is usual.
    pub fn new(contact_id: &str, office_id: &str, channel: Channel) -> Self {
        Self {
            contact_id: contact_id.to_owned(),
            office_id: office_id.to_owned(),
            name: None,
            channel,
            address: None,
            secret: None,
            language: MessageLanguage::Thai,
            min_severity: Severity::Watch,
            hazards: USUAL_HAZARDS.to_vec(),
            scopes: Vec::new(),
            quiet_hours: None,
            digest: None,
            drills: false,
            active: true,
            unreachable_since: None,
        }
    }

    /// Whether anything may be sent to it now.
    pub fn is_reachable(&self) -> bool {
        self.active && self.address.is_some() && self.unreachable_since.is_none()
    }
}

/// All offices and contacts, each by its id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offices {
    pub offices: BTreeMap<String, Arc<Office>>,
    pub contacts: BTreeMap<String, Arc<Contact>>,
}

impl Offices {
    pub fn new(offices: impl IntoIterator<Item = Office>, contacts: impl IntoIterator<Item = Contact>) -> Self {
        Self {
            offices: offices.into_iter().map(|office| (office.office_id.clone(), Arc::new(office))).collect(),
            contacts: contacts.into_iter().map(|contact| (contact.contact_id.clone(), Arc::new(contact))).collect(),
        }
    }

    /// A contact with its office.
    pub fn contact(&self, id: &str) -> Option<(&Arc<Office>, &Arc<Contact>)> {
        let contact = self.contacts.get(id)?;
        Some((self.offices.get(&contact.office_id)?, contact))
    }

    /// Every contact with its office, by contact.
    pub fn all(&self) -> impl Iterator<Item = (&Arc<Office>, &Arc<Contact>)> {
        self.contacts.values().filter_map(|contact| Some((self.offices.get(&contact.office_id)?, contact)))
    }

    /// These with those of a file, which replaces offices and contacts by their ids, or all of them. A LINE contact keeps the
    /// friend that it was linked to where the file names none.
    pub fn with(&self, file: Offices, replaces_all: bool) -> Offices {
        let mut offices = if replaces_all { Offices::default() } else { self.clone() };
        offices.offices.extend(file.offices);
        for (id, mut contact) in file.contacts {
            if let Some(known) = self.contacts.get(&id).filter(|known| known.channel == contact.channel) {
                let contact = Arc::make_mut(&mut contact);
                if contact.channel == Channel::Line && contact.address.is_none() {
                    contact.address.clone_from(&known.address);
                }
                // Nobody is found again by a file that says nothing new.
                if contact.address == known.address {
                    contact.unreachable_since = known.unreachable_since;
                }
            }
            offices.contacts.insert(id, contact);
        }
        offices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn quiet_hours_reach_over_midnight() {
        let night: QuietHours = "22:00-06:00".parse().unwrap();
        assert_eq!(night.end(at("2026-11-28T21:59:59+07:00")), None);
        assert_eq!(night.end(at("2026-11-28T22:00:00+07:00")), Some(at("2026-11-29T06:00:00+07:00")));
        assert_eq!(night.end(at("2026-11-29T05:59:59+07:00")), Some(at("2026-11-29T06:00:00+07:00")));
        assert_eq!(night.end(at("2026-11-29T06:00:00+07:00")), None);
        let noon: QuietHours = "12:00-13:00".parse().unwrap();
        assert_eq!(noon.end(at("2026-11-29T12:30:00+07:00")), Some(at("2026-11-29T13:00:00+07:00")));
        for wrong in ["22:00", "24:00-06:00", "22:00-22:00", "22:0-06:00", "+2:00-06:00", ""] {
            assert!(wrong.parse::<QuietHours>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn digests_come_daily_or_on_a_day_of_the_week() {
        let daily: DigestTime = "07:30".parse().unwrap();
        assert_eq!(daily.next_after(at("2026-11-28T07:29:00+07:00")), at("2026-11-28T07:30:00+07:00"));
        assert_eq!(daily.next_after(at("2026-11-28T07:30:00+07:00")), at("2026-11-29T07:30:00+07:00"));
        // 28 November 2026 is a Saturday.
        let weekly: DigestTime = "Monday 08:00".parse().unwrap();
        assert_eq!(weekly.next_after(at("2026-11-28T07:30:00+07:00")), at("2026-11-30T08:00:00+07:00"));
        assert_eq!(weekly.next_after(at("2026-11-30T08:00:00+07:00")), at("2026-12-07T08:00:00+07:00"));
        assert_eq!(weekly.to_string(), "monday 08:00");
        assert!("someday 08:00".parse::<DigestTime>().is_err());
    }

    #[test]
    fn a_file_does_not_unlink_a_friend() {
        let line = |address: Option<&str>| Contact {
            address: address.map(str::to_owned),
            ..Contact::new("c", "o", Channel::Line)
        };
        let other = Contact::new("d", "o", Channel::Email);
        let known = Offices::new([], [line(Some("U1")), other]);
        let merged = known.with(Offices::new([], [line(None)]), false);
        assert_eq!(merged.contacts["c"].address.as_deref(), Some("U1"));
        assert!(merged.contacts.contains_key("d"));
        let replaced = known.with(Offices::new([], [line(Some("U2"))]), true);
        assert_eq!(replaced.contacts["c"].address.as_deref(), Some("U2"));
        assert!(!replaced.contacts.contains_key("d"));
    }
}
