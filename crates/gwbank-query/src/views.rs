//! Tables that are queries over `readings`.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::ViewTable;
use datafusion::error::DataFusionError;
use datafusion::execution::session_state::SessionState;

/// Name and text.
pub(crate) const VIEWS: &[(&str, &str)] = &[("readings_daily", READINGS_DAILY), ("levels_monthly", LEVELS_MONTHLY)];

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

/// Mean of daily means, up = wetter, of values with quality 1 or 2 that no pumping, obstruction or maintenance spoils.
/// A well that has both level parameters speaks by its depth to water.
const LEVELS_MONTHLY: &str = "
WITH daily AS (
  SELECT well_id, parameter, bangkok_day(time) AS day, avg(value) AS mean, count(*) AS n
  FROM readings
  WHERE parameter IN ('depth_to_water', 'groundwater_elevation')
    AND quality IN (1, 2) AND value IS NOT NULL
    AND (site_status IS NULL OR site_status IN ('ok', 'flowing'))
  GROUP BY well_id, parameter, bangkok_day(time)
), monthly AS (
  SELECT well_id, parameter, CAST(date_trunc('month', day) AS DATE) AS month,
    round(avg(mean), 9) AS mean, sum(n) AS n_obs, count(*) AS n_days
  FROM daily
  GROUP BY well_id, parameter, CAST(date_trunc('month', day) AS DATE)
), chosen AS (
  SELECT *, min(parameter) OVER (PARTITION BY well_id) AS speaks_by FROM monthly
)
SELECT well_id, month, CASE WHEN parameter = 'depth_to_water' THEN -mean ELSE mean END AS level, n_obs, n_days
FROM chosen
WHERE parameter = speaks_by";

pub(crate) async fn plan(
    state: SessionState,
    name: &'static str,
    sql: &'static str,
) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let plan = state.create_logical_plan(sql).await.map_err(|error| error.context(format!("view {name}")))?;
    Ok(Arc::new(ViewTable::new(plan, Some(sql.trim().to_owned()))))
}
