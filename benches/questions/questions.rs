//! The questions, in SQL that DuckDB and PostgreSQL understand as well.

use super::data::{Data, END, START_SECS};

pub struct Question {
    pub name: &'static str,
    pub sql: String,
}

/// Those whose name has one of the wanted words.
pub fn chosen(data: &Data) -> Vec<Question> {
    let wanted = std::env::var("GWBANK_BENCH_QUESTIONS").unwrap_or_default();
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let is_wanted = |question: &Question| words.is_empty() || words.iter().any(|word| question.name.contains(word));
    all(data).into_iter().filter(is_wanted).collect()
}

fn all(data: &Data) -> Vec<Question> {
    let well = data.well_id(data.wells / 2);
    // A whole step of the levels after noon of the 200th day, so that each well has a reading in that hour.
    let step = data.level_step_secs();
    let noon = START_SECS + (200 * 86_400 + 12 * 3600i64 + step - 1) / step * step;
    let instant = |secs: i64| format!("timestamp with time zone '{}'", super::data::utc(secs));
    let (hour, next_hour) = (instant(noon), instant(noon + 3600));
    let depth = "parameter = 'depth_to_water'";
    let questions = [
        (
            "last point of each well",
            format!(
                "SELECT well_id, time, value FROM (SELECT well_id, time, value, row_number() OVER (PARTITION BY well_id \
                 ORDER BY time DESC) AS n FROM readings WHERE {depth}) AS r WHERE n = 1"
            ),
        ),
        (
            "one well, one day",
            format!(
                "SELECT time, value FROM readings WHERE well_id = '{well}' AND {depth} AND time >= {} AND time < {} \
                 ORDER BY time",
                instant(noon),
                instant(noon + 86_400)
            ),
        ),
        (
            "all wells, one hour, max",
            format!(
                "SELECT well_id, max(value) AS highest FROM readings WHERE {depth} AND time >= {hour} AND \
                 time < {next_hour} GROUP BY well_id"
            ),
        ),
        (
            "daily means of all wells, a year",
            format!(
                "SELECT well_id, date_trunc('day', time) AS day, avg(value) AS mean FROM readings WHERE {depth} \
                 GROUP BY well_id, date_trunc('day', time)"
            ),
        ),
        (
            "ten wells that fell most this month",
            format!(
                "SELECT well_id, avg(CASE WHEN time >= {middle} THEN value END) - avg(CASE WHEN time < {middle} THEN \
                 value END) AS fall FROM readings WHERE {depth} AND time >= {start} GROUP BY well_id \
                 ORDER BY fall DESC, well_id LIMIT 10",
                middle = instant(END - 15 * 86_400),
                start = instant(END - 30 * 86_400)
            ),
        ),
        (
            "salty wells by province",
            "SELECT p.name_en, count(DISTINCT r.well_id) AS wells, max(r.value) AS highest FROM readings r \
             JOIN wells w ON w.well_id = r.well_id JOIN provinces p ON p.province_code = w.province_code \
             WHERE r.parameter = 'specific_conductance' AND r.value > 2500 GROUP BY p.name_en"
                .to_owned(),
        ),
        (
            "gaps of more than six hours",
            format!(
                "SELECT well_id, count(*) AS gaps FROM (SELECT well_id, time, lag(time) OVER (PARTITION BY well_id \
                 ORDER BY time) AS before FROM readings WHERE {depth}) AS r WHERE before < time - INTERVAL '6 hours' \
                 GROUP BY well_id"
            ),
        ),
        (
            "hours beyond a threshold",
            format!(
                "SELECT well_id, count(*) AS beyond FROM readings WHERE {depth} AND value > 9.5 GROUP BY well_id \
                 HAVING count(*) > 10"
            ),
        ),
        (
            "level as of each rain",
            format!(
                "WITH nearest AS (SELECT r.well_id, r.time, r.value AS rain, max(l.time) AS level_time FROM readings r \
                 JOIN readings l ON l.well_id = r.well_id AND l.time <= r.time AND l.time > r.time - INTERVAL '1 day' \
                 WHERE r.parameter = 'rainfall' AND l.{depth} AND r.time >= {start} AND l.time >= {before} \
                 GROUP BY r.well_id, r.time, r.value) \
                 SELECT a.well_id, a.time, a.rain, l.value AS level FROM nearest a JOIN readings l ON \
                 l.well_id = a.well_id AND l.time = a.level_time WHERE l.{depth}",
                start = instant(END - 30 * 86_400),
                before = instant(END - 31 * 86_400)
            ),
        ),
        (
            "percentiles by calendar month",
            format!(
                "SELECT r.well_id, EXTRACT(month FROM r.time) AS month, \
                 percentile_cont(0.1) WITHIN GROUP (ORDER BY r.value) AS p10, \
                 percentile_cont(0.5) WITHIN GROUP (ORDER BY r.value) AS p50 FROM readings r \
                 JOIN wells w ON w.well_id = r.well_id WHERE w.province_code = '30' AND r.{depth} \
                 GROUP BY r.well_id, EXTRACT(month FROM r.time)"
            ),
        ),
        (
            "a year in 1,000 points",
            format!(
                "SELECT floor(EXTRACT(epoch FROM time) / 31536) AS place, min(value) AS lowest, avg(value) AS mean, \
                 max(value) AS highest FROM readings WHERE well_id = '{well}' AND {depth} \
                 GROUP BY floor(EXTRACT(epoch FROM time) / 31536)"
            ),
        ),
        ("all readings, counted", "SELECT count(*) AS n FROM readings".to_owned()),
    ];
    questions.into_iter().map(|(name, sql)| Question { name, sql }).collect()
}
