//! Tables that are queries over `readings`.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;

use crate::config::LevelRules;

/// Names and texts.
pub(crate) fn views(rules: &LevelRules) -> [(&'static str, String); 2] {
    [("readings_daily", READINGS_DAILY.to_owned()), ("levels_monthly", levels_monthly(rules))]
}

/// Statistics of the values that are not missing, by civil day of Thailand.
const READINGS_DAILY: &str = "
SELECT well_id, parameter, bangkok_day(time) AS day,
  avg(value) AS mean, min(value) AS min, max(value) AS max,
  first_value(value ORDER BY time) FILTER (WHERE value IS NOT NULL) AS first,
  last_value(value ORDER BY time) FILTER (WHERE value IS NOT NULL) AS last,
  count(value) AS count,
  count(value) FILTER (WHERE quality = 1) AS good_count
FROM readings
GROUP BY well_id, parameter, bangkok_day(time)";

/// The levels that indicators are made of: mean of daily means, up = wetter, of values whose quality counts and that no
/// pumping, obstruction or maintenance spoils. A dry day without a value stands for the well's depth; a month that was mostly dry
/// to an unknown depth has no level. Months need the days that the well's way of sampling asks for. A well that has both level
/// parameters speaks by its depth to water.
fn levels_monthly(rules: &LevelRules) -> String {
    let qualities: Vec<String> = rules.qualities.iter().map(ToString::to_string).collect();
    let counts = format!(
        "value IS NOT NULL AND quality IN ({}) AND (site_status IS NULL OR site_status IN ('ok', 'flowing'))",
        qualities.join(", ")
    );
    let (logger, manual) = (rules.days_min_logger.max(1), rules.days_min_manual.max(1));
    format!(
        "
WITH daily AS (
  SELECT well_id, parameter, bangkok_day(time) AS day,
    avg(CASE WHEN {counts} THEN value END) AS mean,
    count(CASE WHEN {counts} THEN value END) AS n,
    count(CASE WHEN site_status = 'dry' THEN 1 END) AS n_dry
  FROM readings
  WHERE parameter IN ('depth_to_water', 'groundwater_elevation')
  GROUP BY well_id, parameter, bangkok_day(time)
), days AS (
  SELECT d.well_id, d.parameter, day, n, n_dry > 0 AND n_dry >= n AS dry,
    CASE WHEN mean IS NOT NULL THEN mean
      WHEN n_dry > 0 AND d.parameter = 'depth_to_water' THEN depth
      WHEN n_dry > 0 THEN ground_elevation - depth END AS mean,
    CASE WHEN sampling = 'manual' THEN {manual} ELSE {logger} END AS days_min
  FROM daily d LEFT JOIN wells w ON w.well_id = d.well_id
  WHERE mean IS NOT NULL OR n_dry > 0
), monthly AS (
  SELECT well_id, parameter, CAST(date_trunc('month', day) AS DATE) AS month,
    round(avg(mean), 9) AS mean, sum(n) AS n_obs, count(*) AS n_days, count(mean) AS n_means,
    count(CASE WHEN dry THEN 1 END) AS n_dry_days
  FROM days
  GROUP BY well_id, parameter, CAST(date_trunc('month', day) AS DATE)
  HAVING count(*) >= max(days_min)
), chosen AS (
  SELECT *, min(parameter) OVER (PARTITION BY well_id) AS speaks_by FROM monthly
)
SELECT well_id, month,
  CASE WHEN 2 * n_dry_days >= n_days AND n_means < n_days THEN NULL
    WHEN parameter = 'depth_to_water' THEN -mean ELSE mean END AS level, n_obs, n_days
FROM chosen
WHERE parameter = speaks_by"
    )
}

pub(crate) async fn plan(
    state: SessionState,
    name: &'static str,
    sql: &str,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let plan = state.create_logical_plan(sql).await.map_err(|error| error.context(format!("view {name}")))?;
    Ok(Arc::new(ViewTable::new(plan, Some(sql.trim().to_owned()))))
}
