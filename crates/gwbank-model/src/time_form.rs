//! How a sender writes times: what gives the text of a corrected time again.
//!
//! # Why
//! A gateway whose clock shows years of the Buddhist era has every one of its times corrected, and each text is to be kept.
//! Beside a row it would cost more than the row. But it is a function of the instant and of how the sender writes, which
//! hardly ever changes: so a row carries the number of a form, and the text is made when somebody asks for it.
//!
//! # Rules
//! 1. [`TimeForm::render`] gives exactly the text of which, with the same instant, [`TimeForm::derive`] made the form.
//!    What no pattern gives (leap seconds, names of another language) is a form that is the text itself.
//! 2. Texts of one sender have one form, or a few where numbers come with and without leading zeros.
//! 3. Numbers of forms are private to one process, as all dense numbers: journal and archive carry the text.
//! 4. Forms are bounded ([`FORMS_MAX`]; within it [`LITERAL_FORMS_MAX`] of those that one text alone has; texts of at most
//!    [`TEXT_BYTES_MAX`]). Beyond the bounds a row has no text from here on: the journal has it still, a file of the
//!    archive that is written anew loses it.
//!
//! # Pattern
//! As `strftime` writes it: `%Y` year, `%E` year of the Buddhist era, `%m` month, `%d` day, `%H` hour, `%I` hour of twelve,
//! `%M` minute, `%S` second with two digits, with a minus (`%-d`) as many as needed; `%1` to `%6` so many digits of the
//! fraction; `%b` `%B` month and `%a` `%A` weekday by short and long name, `%p` AM or PM, with `^` in capitals, with `_` in
//! small letters; `%%` a percent sign. An offset from UTC is the same in all texts of a form and stands there as it is.

use std::fmt::Write;
use std::num::NonZeroU16;
use std::sync::{Arc, RwLock};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Timelike};
use hashbrown::HashMap;

use crate::Timestamp;

/// What a year of the Buddhist era is ahead of the common era.
pub const BUDDHIST_ERA_OFFSET: i32 = 543;
/// Years that are taken for ones of the Buddhist era.
pub const BUDDHIST_ERA_YEARS: std::ops::RangeInclusive<i32> = 2400..=2700;

/// Forms of a process. What senders in their right mind need is dozens; this many take at most some 15 MB.
pub const FORMS_MAX: usize = u16::MAX as usize;
/// Forms of which each has one text: so many are kept before a sender of nonsense is taken for what it is.
pub const LITERAL_FORMS_MAX: usize = 4096;
/// Longest text that is kept: more than a time takes with long names in a script of three bytes a letter.
pub const TEXT_BYTES_MAX: usize = 128;
/// Digits that a pattern may hold itself: four of an offset and three beyond the microsecond.
const OWN_DIGITS_MAX: usize = 7;

/// English names of the months.
pub const MONTH_NAMES: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Thai names of the months.
pub const MONTH_NAMES_TH: [&str; 12] = [
    "มกราคม",
    "กุมภาพันธ์",
    "มีนาคม",
    "เมษายน",
    "พฤษภาคม",
    "มิถุนายน",
    "กรกฎาคม",
    "สิงหาคม",
    "กันยายน",
    "ตุลาคม",
    "พฤศจิกายน",
    "ธันวาคม",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const SHORT_NAME: usize = 3;
const DAY_SECONDS: i32 = 86_400;

/// A pattern, and the offset from UTC at which its fields are read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeForm {
    pattern: Box<str>,
    offset_seconds: i32,
}

impl TimeForm {
    /// How `raw` is written, given the instant that it was taken for.
    pub fn derive(raw: &str, time: Timestamp) -> Self {
        let whole_year_first = Tokens::of(raw, Compact::YearFirst).form(raw, time);
        let form = whole_year_first.or_else(|| Tokens::of(raw, Compact::YearLast).form(raw, time));
        form.unwrap_or_else(|| Self { pattern: raw.replace('%', "%%").into(), offset_seconds: 0 })
    }

    /// The text that the sender writes for an instant.
    pub fn render(&self, time: Timestamp) -> String {
        let local = DateTime::from_timestamp_micros(time.plus_secs(i64::from(self.offset_seconds)).as_micros());
        let local = local.unwrap_or(DateTime::UNIX_EPOCH).naive_utc();
        let mut text = String::with_capacity(self.pattern.len() + 8);
        let mut rest = self.pattern.chars();
        while let Some(char) = rest.next() {
            match char {
                '%' => put_field(&mut text, &mut rest, local),
                other => text.push(other),
            }
        }
        text
    }

    /// Whether hardly another text has this form.
    fn is_literal(&self) -> bool {
        let mut own_digits = 0;
        let mut has_field = false;
        let mut rest = self.pattern.chars();
        while let Some(char) = rest.next() {
            match char {
                '%' => has_field |= rest.next() != Some('%'),
                other => own_digits += usize::from(other.is_ascii_digit()),
            }
        }
        !has_field || own_digits > OWN_DIGITS_MAX
    }
}

/// Writes the field whose code comes next.
fn put_field(text: &mut String, code: &mut std::str::Chars<'_>, local: NaiveDateTime) {
    let mut style = ' ';
    let mut field = code.next().unwrap_or('%');
    if matches!(field, '-' | '^' | '_') {
        style = field;
        field = code.next().unwrap_or('%');
    }
    let is_afternoon = local.hour() >= 12;
    let month = MONTH_NAMES[local.month0() as usize];
    let weekday = WEEKDAYS[local.weekday().num_days_from_monday() as usize];
    let number = match field {
        'Y' => return put_number(text, local.year(), 4),
        'E' => return put_number(text, local.year() + BUDDHIST_ERA_OFFSET, 4),
        '1'..='6' => {
            let digits = usize::from(field as u8 - b'0');
            let beyond = 10u32.pow(6 - digits as u32);
            return put_number(text, local.and_utc().timestamp_subsec_micros() / beyond, digits);
        }
        'b' => return put_name(text, &month[..SHORT_NAME], style),
        'B' => return put_name(text, month, style),
        'a' => return put_name(text, &weekday[..SHORT_NAME], style),
        'A' => return put_name(text, weekday, style),
        'p' => return put_name(text, if is_afternoon { "PM" } else { "AM" }, style),
        'm' => local.month(),
        'd' => local.day(),
        'H' => local.hour(),
        'I' => local.hour12().1,
        'M' => local.minute(),
        'S' => local.second(),
        other => return text.push(other),
    };
    put_number(text, number, if style == '-' { 1 } else { 2 });
}

/// With at least so many digits.
fn put_number(text: &mut String, number: impl std::fmt::Display, digits: usize) {
    write!(text, "{number:0digits$}").expect("a String takes everything");
}

fn put_name(text: &mut String, name: &str, style: char) {
    match style {
        '^' => text.push_str(&name.to_ascii_uppercase()),
        '_' => text.push_str(&name.to_ascii_lowercase()),
        _ => text.push_str(name),
    }
}

/// How digits without anything between them are taken apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compact {
    /// `25691123`
    YearFirst,
    /// `23112569`
    YearLast,
}

/// What a number of a text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Fraction,
}

const CLOCK: [Role; 4] = [Role::Hour, Role::Minute, Role::Second, Role::Fraction];
/// Where a number of either could be day or month, the instant tells; on days such as 11 November the first is taken.
const DATES: [&[Role]; 3] = [
    &[Role::Year, Role::Month, Role::Day],
    &[Role::Day, Role::Month, Role::Year],
    &[Role::Month, Role::Day, Role::Year],
];
const DATES_WITH_MONTH_NAME: [&[Role]; 2] = [&[Role::Day, Role::Year], &[Role::Year, Role::Day]];

/// A run of digits, or a part of one.
#[derive(Debug, Clone, Copy)]
struct Number {
    start: usize,
    end: usize,
    /// The character before it; a space where there is none.
    after: char,
}

/// A name of a month or a weekday, or AM or PM.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
    /// Code of the field.
    code: char,
    style: char,
    /// Of a month from 1 to 12; of the afternoon 1.
    value: u32,
}

struct Tokens {
    numbers: Vec<Number>,
    words: Vec<Word>,
}

impl Tokens {
    fn of(raw: &str, compact: Compact) -> Self {
        let mut tokens = Self { numbers: Vec::new(), words: Vec::new() };
        let bytes = raw.as_bytes();
        let run_end = |start: usize, is_in: fn(&u8) -> bool| {
            bytes[start..].iter().position(|byte| !is_in(byte)).map_or(bytes.len(), |length| start + length)
        };
        let mut has_year = false;
        let mut at = 0;
        while at < bytes.len() {
            let end = if bytes[at].is_ascii_digit() {
                let end = run_end(at, u8::is_ascii_digit);
                let after = raw[..at].chars().next_back().unwrap_or(' ');
                tokens.add_run(at, end, after, compact, &mut has_year);
                end
            } else if bytes[at].is_ascii_alphabetic() {
                let end = run_end(at, u8::is_ascii_alphabetic);
                tokens.words.extend(word(&raw[at..end], at));
                end
            } else {
                at + 1
            };
            at = end;
        }
        tokens
    }

    fn add_run(&mut self, start: usize, end: usize, after: char, compact: Compact, has_year: &mut bool) {
        let in_fraction = matches!(after, '.' | ',');
        let parts: &[usize] = match (end - start, compact) {
            _ if in_fraction => &[],
            (14, Compact::YearFirst) => &[4, 2, 2, 2, 2, 2],
            (14, Compact::YearLast) => &[2, 2, 4, 2, 2, 2],
            (12, Compact::YearFirst) => &[4, 2, 2, 2, 2],
            (12, Compact::YearLast) => &[2, 2, 4, 2, 2],
            (8, Compact::YearFirst) => &[4, 2, 2],
            (8, Compact::YearLast) => &[2, 2, 4],
            (6, _) => &[2, 2, 2],
            (4, _) if *has_year && !matches!(after, '+' | '-') => &[2, 2],
            _ => &[],
        };
        *has_year |= !in_fraction && (end - start == 4 || parts.contains(&4));
        let (mut at, mut after) = (start, after);
        for length in parts {
            self.numbers.push(Number { start: at, end: at + length, after });
            (at, after) = (at + length, '0');
        }
        if at < end {
            self.numbers.push(Number { start: at, end, after });
        }
    }

    /// The form, if one gives the text again.
    fn form(&self, raw: &str, time: Timestamp) -> Option<TimeForm> {
        let month_name = self.words.iter().any(|word| matches!(word.code, 'b' | 'B'));
        let dates: &[&[Role]] = if month_name { &DATES_WITH_MONTH_NAME } else { &DATES };
        let orders = dates.iter().copied().flat_map(|date| {
            let clocks = (0..=CLOCK.len()).rev().map(|length| &CLOCK[..length]);
            let date_first = clocks.clone().map(move |clock| [date, clock].concat());
            date_first.chain(clocks.filter(|clock| !clock.is_empty()).map(move |clock| [clock, date].concat()))
        });
        orders.filter(|roles| roles.len() <= self.numbers.len()).find_map(|roles| {
            let fields: Vec<(Role, Number)> = roles.into_iter().zip(self.numbers.iter().copied()).collect();
            let civil = Civil::of(raw, &fields, &self.words)?;
            let offset_seconds = civil.offset_from(time)?;
            let others = &self.numbers[fields.len()..];
            let explained = others.is_empty() || is_offset(raw, others, offset_seconds);
            let pattern = explained.then(|| self.pattern(raw, &fields, civil.has_meridiem))?;
            let form = TimeForm { pattern: pattern.into(), offset_seconds };
            (form.render(time) == raw).then_some(form)
        })
    }

    fn pattern(&self, raw: &str, fields: &[(Role, Number)], has_meridiem: bool) -> String {
        let numbers = fields.iter().map(|(role, number)| {
            let (code, length) = number_code(raw, *role, *number, has_meridiem);
            (number.start, number.start + length, code)
        });
        let words = self.words.iter().map(|word| {
            let style = if word.style == ' ' { String::new() } else { word.style.to_string() };
            (word.start, word.end, format!("%{style}{}", word.code))
        });
        let mut parts: Vec<(usize, usize, String)> = numbers.chain(words).collect();
        parts.sort_unstable();
        let mut pattern = String::with_capacity(raw.len() + parts.len());
        let mut at = 0;
        for (start, end, code) in parts {
            pattern.push_str(&raw[at..start].replace('%', "%%"));
            pattern.push_str(&code);
            at = end;
        }
        pattern.push_str(&raw[at..].replace('%', "%%"));
        pattern
    }
}

/// The code of a number, and how many of its digits it stands for.
fn number_code(raw: &str, role: Role, number: Number, has_meridiem: bool) -> (String, usize) {
    let length = number.end - number.start;
    let code = match role {
        Role::Year if BUDDHIST_ERA_YEARS.contains(&year(raw, number)) => 'E',
        Role::Year => 'Y',
        Role::Month => 'm',
        Role::Day => 'd',
        Role::Hour if has_meridiem => 'I',
        Role::Hour => 'H',
        Role::Minute => 'M',
        Role::Second => 'S',
        // What is beyond the microsecond was cut off, and stands in the pattern as it is.
        Role::Fraction => return (format!("%{}", length.min(6)), length.min(6)),
    };
    let unpadded = if length == 1 { "-" } else { "" };
    (format!("%{unpadded}{code}"), length)
}

fn year(raw: &str, number: Number) -> i32 {
    raw[number.start..number.end].parse().unwrap_or(0)
}

/// Whether the numbers that are left say the offset from UTC.
fn is_offset(raw: &str, numbers: &[Number], offset_seconds: i32) -> bool {
    let sign = match numbers[0].after {
        '+' => 1,
        '-' => -1,
        _ => return false,
    };
    let digits: String = numbers.iter().map(|number| &raw[number.start..number.end]).collect();
    let (hours, minutes) = digits.split_at(digits.len().min(2));
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i32>().ok() };
    match (number(hours), number(minutes)) {
        (Some(hours), Some(minutes)) if digits.len() <= 4 => sign * (hours * 3600 + minutes * 60) == offset_seconds,
        _ => false,
    }
}

/// A name that `strftime` writes, in capitals, small letters or as usual.
fn word(text: &str, start: usize) -> Option<Word> {
    let named = |names: &[&str], short: char, long: char| {
        names.iter().zip(1..).find_map(|(name, value)| {
            let is_short = text.len() == SHORT_NAME && name[..SHORT_NAME].eq_ignore_ascii_case(text);
            let code = if is_short { short } else { long };
            (is_short || name.eq_ignore_ascii_case(text)).then_some((code, value))
        })
    };
    let meridiem = || ["AM", "PM"].iter().zip(0..).find(|(name, _)| name.eq_ignore_ascii_case(text));
    let (code, value) = named(&MONTH_NAMES, 'b', 'B')
        .or_else(|| named(&WEEKDAYS, 'a', 'A'))
        .or_else(|| meridiem().map(|(_, value)| ('p', value)))?;
    let is_all = |test: fn(&u8) -> bool| text.as_bytes().iter().all(test);
    let style = match code {
        _ if is_all(u8::is_ascii_lowercase) => '_',
        'p' => ' ',
        _ if is_all(u8::is_ascii_uppercase) => '^',
        _ => ' ',
    };
    Some(Word { start, end: start + text.len(), code, style, value })
}

/// What the fields of a text say, where its offset from UTC is not known yet.
struct Civil {
    local: NaiveDateTime,
    has_meridiem: bool,
}

impl Civil {
    fn of(raw: &str, fields: &[(Role, Number)], words: &[Word]) -> Option<Self> {
        let word = |codes: [char; 2]| words.iter().find(|word| codes.contains(&word.code)).map(|word| word.value);
        let afternoon = word(['p', 'p']);
        let (mut common_year, mut month, mut day) = (0, word(['b', 'B']).unwrap_or(0), 0);
        let (mut hour, mut minute, mut second, mut micros) = (0, 0, 0, 0);
        for (role, number) in fields {
            let text = &raw[number.start..number.end];
            let digits_max = match role {
                Role::Year => 4,
                Role::Fraction => usize::MAX,
                _ => 2,
            };
            if text.len() > digits_max || (*role == Role::Year && text.len() < 4) {
                return None;
            }
            match role {
                Role::Year if BUDDHIST_ERA_YEARS.contains(&year(raw, *number)) => {
                    common_year = year(raw, *number) - BUDDHIST_ERA_OFFSET;
                }
                Role::Year => common_year = year(raw, *number),
                Role::Month => month = text.parse().ok()?,
                Role::Day => day = text.parse().ok()?,
                Role::Hour => hour = text.parse().ok()?,
                Role::Minute => minute = text.parse().ok()?,
                Role::Second => second = text.parse().ok()?,
                Role::Fraction if matches!(number.after, '.' | ',') => {
                    micros = format!("{text:0<6}")[..6].parse().ok()?;
                }
                Role::Fraction => return None,
            }
        }
        if let Some(afternoon) = afternoon {
            hour = (hour <= 12).then_some(hour % 12 + 12 * afternoon)?;
        }
        let date = NaiveDate::from_ymd_opt(common_year, month, day)?;
        let local = date.and_hms_micro_opt(hour, minute, second, micros)?;
        Some(Self { local, has_meridiem: afternoon.is_some() })
    }

    /// How far the fields are ahead of an instant, where that can be an offset from UTC.
    fn offset_from(&self, time: Timestamp) -> Option<i32> {
        let micros = self.local.and_utc().timestamp_micros().checked_sub(time.as_micros())?;
        let seconds = i32::try_from(micros / 1_000_000).ok()?;
        let whole_minutes = micros % 60_000_000 == 0;
        (whole_minutes && seconds.abs() < DAY_SECONDS).then_some(seconds)
    }
}

/// A form, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TimeFormIndex(NonZeroU16);

impl TimeFormIndex {
    fn place(self) -> usize {
        usize::from(self.0.get()) - 1
    }
}

#[derive(Default)]
struct Forms {
    forms: Vec<Arc<TimeForm>>,
    by_form: HashMap<Arc<TimeForm>, TimeFormIndex>,
    literal: usize,
    refused: u64,
}

/// The forms that this process has seen. Grows up to a bound, never shrinks; cheap to share.
#[derive(Clone, Default)]
pub struct TimeForms(Arc<RwLock<Forms>>);

impl TimeForms {
    /// The number of the form in which `raw` says `time`, given now if it had none; `None` beyond the bounds. `like` is the
    /// form of the text before: mostly it is this one's too, and that is soon seen.
    pub fn intern(&self, raw: &str, time: Timestamp, like: Option<TimeFormIndex>) -> Option<TimeFormIndex> {
        if raw.len() > TEXT_BYTES_MAX {
            self.write().refused += 1;
            return None;
        }
        if like.is_some_and(|like| self.form(like).render(time) == raw) {
            return like;
        }
        let form = TimeForm::derive(raw, time);
        let known = self.read().by_form.get(&form).copied();
        known.or_else(|| self.add(form))
    }

    fn add(&self, form: TimeForm) -> Option<TimeFormIndex> {
        let mut table = self.write();
        if let Some(known) = table.by_form.get(&form) {
            return Some(*known); // another thread was first
        }
        let is_literal = form.is_literal();
        if table.forms.len() >= FORMS_MAX || (is_literal && table.literal >= LITERAL_FORMS_MAX) {
            table.refused += 1;
            return None;
        }
        table.literal += usize::from(is_literal);
        let form = Arc::new(form);
        table.forms.push(form.clone());
        let index = TimeFormIndex(u16::try_from(table.forms.len()).ok().and_then(NonZeroU16::new)?);
        table.by_form.insert(form, index);
        Some(index)
    }

    /// Renders the texts of many rows.
    pub fn reader(&self) -> TimeFormReader<'_> {
        TimeFormReader { forms: self, last: None }
    }

    /// The form of a number that this table gave out.
    ///
    /// # Panics
    /// On a number of another table.
    pub fn form(&self, index: TimeFormIndex) -> Arc<TimeForm> {
        self.read().forms[index.place()].clone()
    }

    /// Texts that had no place within the bounds.
    pub fn refused(&self) -> u64 {
        self.read().refused
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Forms> {
        self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Forms> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl std::fmt::Debug for TimeForms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TimeForms({} forms)", self.read().forms.len())
    }
}

/// Looks a form up once for a run of rows that have it.
#[derive(Debug)]
pub struct TimeFormReader<'a> {
    forms: &'a TimeForms,
    last: Option<(TimeFormIndex, Arc<TimeForm>)>,
}

impl TimeFormReader<'_> {
    /// # Panics
    /// On a number of another table.
    pub fn render(&mut self, index: TimeFormIndex, time: Timestamp) -> String {
        let known = self.last.take().filter(|(last, _)| *last == index);
        let (_, form) = self.last.insert(known.unwrap_or_else(|| (index, self.forms.form(index))));
        form.render(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(raw: &str, time: &str) -> TimeForm {
        let time = Timestamp::parse_rfc3339(time).unwrap();
        let form = TimeForm::derive(raw, time);
        assert_eq!(form.render(time), raw);
        form
    }

    fn pattern(raw: &str, time: &str) -> String {
        form(raw, time).pattern.into_string()
    }

    #[test]
    fn texts_have_the_pattern_that_their_sender_writes() {
        let time = "2026-11-23T03:15:07.250Z";
        for (raw, expected) in [
            ("2569-11-23T10:15:07.25+07:00", "%E-%m-%dT%H:%M:%S.%2+07:00"),
            ("2569-11-23 03:15:07.250000100Z", "%E-%m-%d %H:%M:%S.%6100Z"),
            ("2026-11-23t10:15:07.250", "%Y-%m-%dt%H:%M:%S.%3"),
            ("2569-11-22T23:45:07.25-0330", "%E-%m-%dT%H:%M:%S.%2-0330"),
            ("23/11/2569 10:15:07.25", "%d/%m/%E %H:%M:%S.%2"),
            ("11/23/2569 10:15:07,25", "%m/%d/%E %H:%M:%S,%2"),
        ] {
            assert_eq!(pattern(raw, time), expected, "{raw}");
        }
        let time = "2026-02-03T11:30:00Z";
        for (raw, expected) in [
            ("2569/02/03 18.30", "%E/%m/%d %H.%M"),
            ("3/2/2569 18:30", "%-d/%-m/%E %H:%M"),
            ("Feb 3, 2026 6:30 PM", "%b %-d, %Y %-I:%M %p"),
            ("Tuesday 03 FEBRUARY 2569 06:30:00 pm", "%A %d %^B %E %I:%M:%S %_p"),
            ("18:30 03-02-2569", "%H:%M %d-%m-%E"),
            ("25690203183000", "%E%m%d%H%M%S"),
            ("030225691830", "%d%m%E%H%M"),
            ("03/02/2569 1830", "%d/%m/%E %H%M"),
            ("25690203T183000+07", "%E%m%dT%H%M%S+07"),
            ("วันที่ 03/02/2569 18:30 น. 100%", "วันที่ 03/02/2569 18:30 น. 100%%"),
            ("วันที่ 03/02/2569 18:30 น. %", "วันที่ %d/%m/%E %H:%M น. %%"),
        ] {
            assert_eq!(pattern(raw, time), expected, "{raw}");
        }
        assert_eq!(pattern("2569-02-03", "2026-02-02T17:00:00Z"), "%E-%m-%d");
        assert_eq!(pattern("12/10/2569 12:05 AM", "2026-10-11T17:05:00Z"), "%d/%m/%E %I:%M %p");
    }

    #[test]
    fn what_no_pattern_gives_is_its_own_form() {
        for (raw, time) in [
            ("2559-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("23 พฤศจิกายน 2569", "2026-11-23T00:00:00Z"),
            ("2569-11-23T10:15:00+07:00", "1999-01-01T00:00:00Z"),
            ("", "1999-01-01T00:00:00Z"),
            ("100%", "1999-01-01T00:00:00Z"),
        ] {
            assert!(form(raw, time).is_literal(), "{raw}");
        }
        assert_eq!(TimeForm::derive("x", Timestamp::MAX).render(Timestamp::MIN), "x");
        assert!(!form("2569-11-23T10:15:00.123456789+07:00", "2026-11-23T03:15:00.123456Z").is_literal());
        let beyond = form("2569-11-23T10:15:00.1234567891+07:00", "2026-11-23T03:15:00.123456Z");
        assert!(beyond.is_literal(), "of ten thousand such texts hardly two are alike");
    }

    #[test]
    fn days_that_read_both_ways_follow_the_texts_before() {
        let forms = TimeForms::default();
        let time = Timestamp::parse_rfc3339("2026-11-23T03:15:00Z").unwrap();
        let month_first = forms.intern("11/23/2569 10:15", time, None);
        let double = Timestamp::parse_rfc3339("2026-11-11T03:15:00Z").unwrap();
        assert_eq!(forms.intern("11/11/2569 10:15", double, month_first), month_first);
        assert_ne!(forms.intern("11/11/2569 10:15", double, None), month_first);
    }

    #[test]
    fn literal_forms_are_bounded_and_leave_place_for_patterns() {
        let forms = TimeForms::default();
        let time = Timestamp::parse_rfc3339("2026-11-23T03:15:00Z").unwrap();
        for n in 0..LITERAL_FORMS_MAX {
            assert!(forms.intern(&format!("nonsense {n}"), time, None).is_some());
        }
        assert_eq!(forms.intern("one more", time, None), None);
        assert_eq!(forms.refused(), 1);
        let kept = forms.intern("nonsense 7", time, None).unwrap();
        assert_eq!(forms.form(kept).render(time), "nonsense 7");
        let buddhist = forms.intern("2569-11-23T10:15", time, None);
        assert!(buddhist.is_some());
        let endless = format!("2569-11-23T10:15:00.{}", "0".repeat(TEXT_BYTES_MAX));
        assert_eq!((forms.intern(&endless, time, buddhist), forms.refused()), (None, 2));
    }
}
