//! The whole evidence of one number, made anew from the series as they are now.

use gwbank_indicator::TrendRules;
use gwbank_indicator::explain::{
    Explanation, Indicator, PlaceExplanation, PlaceMember, WellRecord, WellRules, explain_place, explain_well,
};
use gwbank_model::condition::Scope;
use gwbank_model::{Month, WellId};

use crate::error::WatchError;
use crate::monthly::daily_levels;
use crate::places;
use crate::record::RecordIndicator;
use crate::series::{WellSeries, counted_days, level_parameter};
use crate::watch::Watch;
use crate::wells;

/// Names of all that can be explained of a well.
pub fn explained_names() -> impl Iterator<Item = &'static str> {
    let of_month = Indicator::ALL.iter().map(|indicator| indicator.name());
    of_month.chain(RecordIndicator::all().map(RecordIndicator::name))
}

impl Watch {
    /// `None` for a well that nobody registered. Without a month the last closed one.
    pub async fn explain_well(
        &self,
        well: &WellId,
        month: Option<Month>,
        indicator: Indicator,
    ) -> Result<Option<Explanation>, WatchError> {
        let inner = self.inner();
        let registry = inner.registry();
        let Some(well) = registry.well(well.as_str()) else { return Ok(None) };
        let days = daily_levels(inner, vec![well.well_id.clone()], None).await?;
        let days = days.get(&well.well_id).map(Vec::as_slice).unwrap_or_default();
        let (parameter, sense) = level_parameter(days);
        let closed_through = inner.config.closing.closed_through(inner.now());
        let record = WellRecord {
            name: well.well_id.as_str(),
            kind: wells::kind(well),
            days: &counted_days(days, parameter),
            rules: WellRules {
                months: wells::month_rules(well, sense, &inner.config),
                standing: inner.config.standing,
                drought: inner.config.drought,
                trend: TrendRules::default(),
            },
            closed_through,
        };
        Ok(Some(explain_well(&record, month.unwrap_or(closed_through), indicator)))
    }

    /// The drought of a province or a district in a month, of the last two years; without one the last closed. From the
    /// standings that the last evaluation left.
    pub fn explain_place(&self, scope: Scope, code: &str, month: Option<Month>) -> PlaceExplanation {
        let inner = self.inner();
        let registry = inner.registry();
        let month = month.unwrap_or_else(|| inner.config.closing.closed_through(inner.now()));
        let lies_there = |well: &gwbank_registry::Well| match scope {
            Scope::District => well.district_code.as_deref() == Some(code),
            _ => well.province_code == code,
        };
        let without_level = inner.known_without_level();
        let counts = |well: &gwbank_registry::Well| wells::is_active(well) && !without_level.contains(well);
        let wells = registry.wells().iter().filter(|well| lies_there(well) && counts(well));
        let known: Vec<_> = wells.map(|well| (well, inner.series_of(&well.well_id))).collect();
        let members: Vec<PlaceMember<'_>> = known
            .iter()
            .map(|(well, series)| {
                let judged = |month| series.as_deref().and_then(|series: &WellSeries| series.judged(month));
                PlaceMember {
                    name: well.well_id.as_str(),
                    part: places::part(scope, well),
                    kind: wells::kind(well),
                    judged: judged(month).map(|judged| &judged.judgement),
                    judged_before: judged(month.plus(-1)).map(|judged| &judged.judgement),
                    record_n: series.as_deref().map_or(0, WellSeries::record_n),
                    dry: judged(month).is_some_and(|judged| judged.standing.dry),
                }
            })
            .collect();
        explain_place(code, month, &members, &inner.config.places)
    }
}
