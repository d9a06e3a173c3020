use gwbank_indicator::bank::{CarryOverRules, CloggingRules, DrainDownRules, FillRules, HarmRules, RechargeRules};
use gwbank_indicator::salinity::SalinityRules;
use gwbank_indicator::{DroughtEventRules, GxgKind, GxgRules, TrendRules};

/// Rules of all that rests on a whole record; defaults are those of the definitions.
#[derive(Debug, Clone)]
pub struct RecordRules {
    pub trend: TrendRules,
    pub events: DroughtEventRules,
    pub gxg: [(GxgKind, GxgRules); 3],
    pub recharge: RechargeRules,
    pub fill: FillRules,
    pub drain_down: DrainDownRules,
    pub clogging: CloggingRules,
    pub carry_over: CarryOverRules,
    /// Months after the peak at which the carry-over is told. INDICATORS names none; four months after a peak in October or
    /// November is the middle of the dry season, when the water is wanted.
    pub carry_over_months: i32,
    pub harm: HarmRules,
    pub salinity: SalinityRules,
    /// For open banks beside which nobody measures it. Without either their infiltration is not measurable.
    pub evaporation_mm_per_day: Option<f64>,
}

impl Default for RecordRules {
    fn default() -> Self {
        Self {
            trend: TrendRules::default(),
            events: DroughtEventRules::default(),
            gxg: [GxgKind::Highest, GxgKind::Lowest, GxgKind::Spring].map(|kind| (kind, GxgRules::of(kind))),
            recharge: RechargeRules::default(),
            fill: FillRules::default(),
            drain_down: DrainDownRules::default(),
            clogging: CloggingRules::default(),
            carry_over: CarryOverRules::default(),
            carry_over_months: 4,
            harm: HarmRules::default(),
            salinity: SalinityRules::default(),
            evaporation_mm_per_day: None,
        }
    }
}
