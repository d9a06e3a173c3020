//! Instants in words: Bangkok time, the Buddhist era in Thai.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, MONTH_NAMES, MONTH_NAMES_TH, Timestamp};

struct Parts {
    day: i32,
    month: usize,
    year: i32,
    hour: i64,
    minute: i64,
}

fn parts(at: Timestamp) -> Parts {
    let month = at.month(BANGKOK_OFFSET_SECONDS);
    let minutes = (at.as_secs() + i64::from(BANGKOK_OFFSET_SECONDS)).rem_euclid(86_400) / 60;
    Parts {
        day: at.day(BANGKOK_OFFSET_SECONDS).0 - month.first_day().0 + 1,
        month: month.month_of_year() as usize - 1,
        year: month.year(),
        hour: minutes / 60,
        minute: minutes % 60,
    }
}

/// `5 November 2026, 03:07 Bangkok time`
pub fn english_time(at: Timestamp) -> String {
    let Parts { day, month, year, hour, minute } = parts(at);
    format!("{day} {} {year}, {hour:02}:{minute:02} Bangkok time", MONTH_NAMES[month])
}

/// `5 พฤศจิกายน 2569 เวลา 03.07 น.`
pub fn thai_time(at: Timestamp) -> String {
    let Parts { day, month, year, hour, minute } = parts(at);
    format!("{day} {} {} เวลา {hour:02}.{minute:02} น.", MONTH_NAMES_TH[month], year + 543)
}

/// `5 November 2026`
pub fn english_day(day: Day) -> String {
    let Parts { day, month, year, .. } = parts(day.start(BANGKOK_OFFSET_SECONDS));
    format!("{day} {} {year}", MONTH_NAMES[month])
}

/// `5 พฤศจิกายน 2569`
pub fn thai_day(day: Day) -> String {
    let Parts { day, month, year, .. } = parts(day.start(BANGKOK_OFFSET_SECONDS));
    format!("{day} {} {}", MONTH_NAMES_TH[month], year + 543)
}
