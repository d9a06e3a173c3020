//! Evidence of a rise: how fast, and when the water would be at the ground. Of the one that stands, or of one on record, whose
//! readings are read again as of the instant at which its row was written.

use std::sync::Arc;

use gwbank_indicator::Basis;
use gwbank_indicator::explain::number;
use gwbank_indicator::flood::FloodReading;
use gwbank_indicator::rapid::{RapidRules, Rise, TimeToGround};
use gwbank_model::condition::{Scope, Severity};
use gwbank_model::{Month, Timestamp};
use gwbank_registry::{Registry, Well};
use gwbank_store::IndicatorRow;

use super::evidence::{Evidence, Line, Missing, Point, Told, points, told};
use super::names::class_thai;
use super::{RecordExplanation, RecordIndicator};
use crate::error::WatchError;
use crate::live::{Followed, read_well};
use crate::rises::{self, RATE_OF_RISE};
use crate::rows::Cell;
use crate::watch::Inner;
use crate::wells;

/// `month`: of the rise that is asked for; without one the latest.
pub(super) async fn explain(
    inner: &Inner,
    registry: &Registry,
    well: &Arc<Well>,
    (indicator, month): (RecordIndicator, Option<Month>),
) -> Result<RecordExplanation, WatchError> {
    let (now, offset_seconds) = (inner.now(), inner.config.closing.offset_seconds);
    let mut explanation = RecordExplanation {
        well: well.well_id.to_string(),
        indicator,
        month: month.unwrap_or_else(|| now.month(offset_seconds)),
        period: None,
        value: None,
        class: None,
        basis: None,
        evidence: evidence(&inner.config.rapid),
        offset_seconds,
    };
    if !wells::is_flood_watched(well) {
        let told =
            told!("the well is not active, or does not speak of high groundwater", "บ่อไม่ได้ใช้งาน หรือไม่ใช้ประเมินน้ำใต้ดินสูง");
        return Ok(explanation.without(Missing::new("not_applicable", told)));
    }
    let is_asked = |time: Timestamp| month.is_none_or(|month| time.month(offset_seconds) == month);
    let followed = read_well(inner, registry, Arc::clone(well), now).await?;
    if let Some(rise) = followed.rises.ground.filter(|rise| is_asked(rise.since)) {
        explanation.of_rise(inner, well, &rise, &followed);
        return Ok(explanation);
    }
    let rows = inner.metadata.indicators(Some(well.well_id.as_str())).await?;
    let on_record = rows
        .into_iter()
        .filter(|row| row.scope == Scope::Well && row.indicator == indicator.name() && is_asked(row.period));
    match on_record.max_by_key(|row| row.period) {
        Some(row) => explanation.of_record(inner, registry, well, &row).await?,
        None => return Ok(explanation.of_nothing(&followed)),
    }
    Ok(explanation)
}

impl RecordExplanation {
    fn of_nothing(mut self, followed: &Followed) -> Self {
        self.evidence.used = readings(&followed.readings, self.offset_seconds);
        let latest = followed.rises.latest.map_or("-".to_owned(), |time| time.to_rfc3339(self.offset_seconds));
        let told = told!(
            "no rise towards the ground is on record, and none stands in the recent readings (the latest: {latest})",
            "ไม่มีการสูงขึ้นสู่ผิวดินในบันทึก และไม่มีในข้อมูลล่าสุด (ล่าสุด: {latest})"
        );
        self.without(Missing::new("no_event", told))
    }

    /// The rise that is over, from the readings that were there when it was told last.
    async fn of_record(
        &mut self,
        inner: &Inner,
        registry: &Registry,
        well: &Arc<Well>,
        row: &IndicatorRow,
    ) -> Result<(), WatchError> {
        let then = read_well(inner, registry, Arc::clone(well), row.computed_at).await?;
        let again = then
            .rises
            .ground
            .filter(|rise| rise.since == row.period && cell_of(self.indicator, rise).value == row.value);
        let computed_at = row.computed_at.to_rfc3339(self.offset_seconds);
        match again {
            Some(rise) => {
                self.of_rise(inner, well, &rise, &then);
                self.evidence.used.insert(
                    0,
                    told!(
                        "the rise is over: told is what stood at {computed_at}",
                        "การสูงขึ้นนี้สิ้นสุดแล้ว ค่านี้เป็นค่าเมื่อ {computed_at}"
                    )
                    .into(),
                );
            }
            None => {
                self.month = row.period.month(self.offset_seconds);
                self.period = Some(row.period);
                self.value = row.value;
                self.class = row.class.as_deref().and_then(Severity::from_name).map(Severity::name);
                self.basis = row.confidence.map(|confidence| Basis { confidence, ..Basis::NOTHING });
                self.evidence.use_line(told!(
                    "as stored at {computed_at}: the readings of then were corrected since, or are gone",
                    "ค่าตามที่บันทึกเมื่อ {computed_at} ข้อมูลขณะนั้นถูกแก้ไขหรือไม่มีแล้ว"
                ));
            }
        }
        Ok(())
    }

    fn of_rise(&mut self, inner: &Inner, well: &Well, rise: &Rise<TimeToGround>, followed: &Followed) {
        let Cell { value, class, basis } = cell_of(self.indicator, rise);
        self.month = rise.since.month(self.offset_seconds);
        self.period = Some(rise.since);
        (self.value, self.class, self.basis) = (value, class, basis);
        let rules = &inner.config.rapid;
        let TimeToGround { at, depth_m, rise_m_per_hour, hours, severity } = rise.last;
        // The steady stretch is the shortest that is long enough, so it lies within.
        let from = at.plus_secs(-2 * rules.steady_hours * 3600);
        let own = followed.readings.iter().filter(|own| own.time >= from && own.time <= at);
        self.evidence.used = readings(&own.copied().collect::<Vec<_>>(), self.offset_seconds);
        let (steady_hours, steady_readings) = (rules.steady_hours, rules.steady_readings);
        let at = at.to_rfc3339(self.offset_seconds);
        let above = number(depth_m.max(0.0));
        let [depth, rate, hours] = [depth_m, rise_m_per_hour, hours].map(number);
        self.evidence.formulas = vec![
            told!(
                "rate = median of the slopes of all pairs of readings, of the shortest stretch of {steady_hours} h and \
                 {steady_readings} readings up to {at} = {rate}",
                "อัตรา = มัธยฐานของความชันของทุกคู่ค่าที่วัด ในช่วงสั้นที่สุดที่ยาว {steady_hours} ชม. และมี {steady_readings} ค่า \
                 ถึง {at} = {rate}"
            ),
            told!("hours = depth/rate = {above}/{rate} = {hours}", "ชั่วโมง = ความลึก/อัตรา = {above}/{rate} = {hours}"),
        ];
        self.evidence.limits.push(severity_told(well, &depth, severity));
    }
}

fn severity_told(well: &Well, depth: &str, severity: Severity) -> Told {
    let (name, name_th) = (severity.name(), class_thai(severity.name()));
    match well.flood_warning_depth.map(number) {
        Some(limit) => told!(
            "warning where the depth {depth} <= flood warning depth {limit}: {name}",
            "ควรตรวจสอบเมื่อความลึก {depth} <= ความลึกเฝ้าระวังน้ำสูง {limit}: {name_th}"
        ),
        None => told!("no flood warning depth is registered: {name}", "ยังไม่ลงทะเบียนความลึกเฝ้าระวังน้ำสูง: {name_th}"),
    }
}

fn cell_of(indicator: RecordIndicator, rise: &Rise<TimeToGround>) -> Cell {
    let [rate, hours] = rises::cells(rise);
    if indicator.name() == RATE_OF_RISE { rate } else { hours }
}

fn evidence(rules: &RapidRules) -> Evidence {
    let (hours, readings) = (rules.steady_hours, rules.steady_readings);
    let (horizon, exit) = (rules.horizon_hours, rules.ground_exit_hours);
    let [rise, noise, depth] = [rules.steady_rise_min_m, rules.noise_m, rules.ground_depth_max_m].map(number);
    Evidence {
        limits: vec![
            told!(
                "steady over at least {hours} h and {readings} readings, by {rise} m at least",
                "สูงขึ้นต่อเนื่องอย่างน้อย {hours} ชม. และ {readings} ค่า รวมอย่างน้อย {rise} ม."
            ),
            told!(
                "no reading more than {noise} m deeper than the one before; the bank is not filling",
                "ไม่มีค่าที่ลึกกว่าค่าก่อนหน้าเกิน {noise} ม. และบ่อไม่ได้กำลังเติมน้ำ"
            ),
            told!(
                "water at most {depth} m deep; at the ground within {horizon} h",
                "น้ำลึกไม่เกิน {depth} ม. และจะถึงผิวดินภายใน {horizon} ชม."
            ),
            told!(
                "stands until a reading comes {exit} h after the last that met it",
                "คงอยู่จนมีค่าที่วัดหลังค่าสุดท้ายที่เข้าเกณฑ์ {exit} ชม."
            ),
        ],
        confidence: told!("one half, as nobody knows the rain to come", "ครึ่งหนึ่ง เพราะไม่มีใครรู้ฝนข้างหน้า"),
        weaknesses: vec![told!(
            "near the ground water rises more slowly: the true time is later",
            "ใกล้ผิวดินน้ำสูงขึ้นช้าลง เวลาจริงจึงช้ากว่านี้"
        )],
        ..Evidence::default()
    }
}

fn readings(readings: &[FloodReading], offset_seconds: i32) -> Vec<Line> {
    let heading = told!("readings, m below the ground", "ค่าที่วัด (ม. จากผิวดิน)");
    let point = |own: &FloodReading| Point {
        time: own.time,
        text: format!("{} {}", own.time.to_rfc3339(offset_seconds), number(own.depth_m)),
        value: own.depth_m,
    };
    let listed: Vec<Point> = readings.iter().map(point).collect();
    std::iter::once(heading.into()).chain(points(&listed, 3, offset_seconds)).collect()
}
