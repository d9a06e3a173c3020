//! The SQL of a bulletin's numbers.

use gwbank_model::Month;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What its answer is called in [`crate::Bulletin`].
    pub name: &'static str,
    pub sql: String,
}

fn day(month: Month) -> String {
    month.first_day().date().to_string()
}

/// All questions of a bulletin, in the order of its parts. `province` is a DOPA code.
pub fn statements(province: &str, month: Month) -> Vec<Statement> {
    let (first, next) = (day(month), day(month.plus(1)));
    let (from, to) = (format!("{first}T00:00:00+07:00"), format!("{next}T00:00:00+07:00"));
    let of_year = month.month_of_year();
    let statement = |name, sql: String| Statement { name, sql };
    vec![
        statement(
            "wells",
            format!(
                "SELECT w.well_id, w.name, w.name_th, w.bank_type, w.latitude, w.longitude, i.class, i.n FROM wells w \
                 LEFT JOIN (SELECT * FROM indicators WHERE indicator = 'percentile_class' AND scope = 'well' AND \
                 period = TIMESTAMPTZ '{first}T00:00:00Z') i ON i.well_id = w.well_id \
                 WHERE w.province_code = '{province}' AND w.status = 'active' ORDER BY w.well_id"
            ),
        ),
        statement(
            "levels",
            format!(
                "SELECT l.well_id, max(w.name) AS name, max(w.name_th) AS name_th, max(CASE WHEN month = DATE '{first}' THEN level END) AS level, \
                 avg(CASE WHEN month < DATE '{first}' THEN level END) AS usual, \
                 min(CASE WHEN month < DATE '{first}' THEN level END) AS lowest, \
                 max(CASE WHEN month < DATE '{first}' THEN level END) AS highest, \
                 count(CASE WHEN month < DATE '{first}' THEN level END) AS years \
                 FROM levels_monthly l JOIN wells w ON w.well_id = l.well_id WHERE w.province_code = '{province}' AND \
                 date_part('month', month) = {of_year} AND month <= DATE '{first}' GROUP BY l.well_id \
                 HAVING max(CASE WHEN month = DATE '{first}' THEN level END) IS NOT NULL ORDER BY l.well_id"
            ),
        ),
        statement(
            "changes",
            format!(
                "SELECT f.hazard, f.scope, t.transition, count(*) AS n FROM flag_transitions t JOIN condition_flags f \
                 ON f.id = t.flag_id WHERE f.province_code = '{province}' AND t.at >= TIMESTAMPTZ '{from}' AND \
                 t.at < TIMESTAMPTZ '{to}' AND f.hazard IN ('drought', 'flood', 'salinity') AND \
                 t.transition IN ('raised', 'escalated', 'cleared', 'cancelled') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
            ),
        ),
        statement(
            "flags",
            format!(
                "SELECT headline_th, headline_en, severity, state, raised_at, closed_at FROM condition_flags WHERE \
                 province_code = '{province}' AND hazard IN ('drought', 'flood', 'salinity') AND \
                 raised_at < TIMESTAMPTZ '{to}' AND (closed_at IS NULL OR closed_at >= TIMESTAMPTZ '{from}') \
                 ORDER BY CASE severity WHEN 'extreme' THEN 1 WHEN 'severe' THEN 2 WHEN 'warning' THEN 3 ELSE 4 END, \
                 CASE scope WHEN 'province' THEN 1 WHEN 'district' THEN 2 WHEN 'subdistrict' THEN 3 ELSE 4 END, id"
            ),
        ),
        statement(
            "salinity",
            format!(
                "SELECT class, count(*) AS n FROM indicators WHERE indicator = 'salinity_class' AND scope = 'well' AND \
                 province_code = '{province}' AND period = TIMESTAMPTZ '{first}T00:00:00Z' AND class IS NOT NULL \
                 GROUP BY class ORDER BY class"
            ),
        ),
        statement(
            "coverage",
            format!(
                "SELECT count(*) AS wells, count(d.well_id) AS wells_heard, sum(d.readings) AS readings, \
                 sum(d.good) * 1.0 / nullif(sum(d.readings), 0) AS good_share FROM wells w LEFT JOIN (SELECT well_id, \
                 sum(count) AS readings, sum(good_count) AS good FROM readings_daily WHERE day >= DATE '{first}' AND \
                 day < DATE '{next}' GROUP BY well_id) d ON d.well_id = w.well_id WHERE w.province_code = '{province}' \
                 AND w.status = 'active'"
            ),
        ),
        statement(
            "recharge",
            format!(
                "SELECT i.well_id, max(w.name) AS name, max(w.name_th) AS name_th, indicator, sum(value) AS value FROM indicators i \
                 JOIN wells w ON w.well_id = i.well_id WHERE scope = 'well' AND \
                 i.province_code = '{province}' AND w.bank_type <> 'observation' AND \
                 indicator IN ('recharge_volume', 'infiltrated_volume') \
                 AND period >= TIMESTAMPTZ '{first}T00:00:00Z' AND period < TIMESTAMPTZ '{next}T00:00:00Z' AND value > 0 \
                 GROUP BY i.well_id, indicator ORDER BY indicator, value DESC, i.well_id"
            ),
        ),
    ]
}
