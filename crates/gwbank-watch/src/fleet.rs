//! The fleet of a province, once a day: what fell silent, batteries that run down, sensors that fail their tests or drift.
//!
//! # Rules
//! 1. It is for the operator: contacts that ask for `no_data` hear of it, in their digest. Where nothing is wrong, nothing is sent.
//! 2. One report a province and day, whatever restarts: its key is its day.
//! 3. Voltages are judged against the battery's own months, as no two kinds have the same; levels in percent by a limit.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use gwbank_model::condition::{FlagState, Hazard, Scope, Severity, Transition};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, Timestamp, WellId};
use gwbank_notice::{Notice, Told, english_day, route, thai_day};
use gwbank_registry::{Registry, places};
use gwbank_store::{ConditionFlag, FlagTransition, SeriesRequest, WatchCommit};

use crate::announce::contact_messages;
use crate::error::WatchError;
use crate::watch::Inner;
use crate::wells;

/// When a battery or a sensor is worth a look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetRules {
    /// The report is made from then on, Bangkok time: before offices read their digests.
    pub hour: u32,
    /// Percent.
    pub battery_level_low: f64,
    /// A level that falls to empty within so many days at its present pace.
    pub battery_days_left: f64,
    /// Of a voltage against its median of the two months before.
    pub voltage_share_low: f64,
    /// Days in a row on which no reading was better than suspect.
    pub failing_days: i32,
    /// Findings of the second look that reach into so many last days.
    pub finding_days: i32,
}

impl Default for FleetRules {
    fn default() -> Self {
        Self {
            hour: 6,
            battery_level_low: 20.0,
            battery_days_left: 14.0,
            voltage_share_low: 0.93,
            failing_days: 3,
            finding_days: 62,
        }
    }
}

/// Days by whose levels the pace of a battery is told, and how many of them must have one.
const PACE_DAYS: i32 = 14;
const PACE_DAYS_MIN: usize = 5;
/// Days by which a voltage's own level is told, and how many of them must have one.
const VOLTAGE_DAYS: i32 = 60;
const VOLTAGE_DAYS_MIN: usize = 14;
/// The last days of a voltage, whose mean is compared: a cloudy day is no worn battery.
const VOLTAGE_LAST_DAYS: i32 = 3;
/// Wells named in a report, of each kind.
const WELLS_NAMED: usize = 10;

/// What is wrong in one province.
#[derive(Debug, Default)]
struct Report {
    silent_wells: Vec<String>,
    silent_gateways: Vec<String>,
    batteries: Vec<(WellId, Battery)>,
    failing: Vec<WellId>,
    findings: BTreeSet<(WellId, &'static str)>,
}

impl Report {
    fn is_empty(&self) -> bool {
        self.silent_wells.is_empty()
            && self.silent_gateways.is_empty()
            && self.batteries.is_empty()
            && self.failing.is_empty()
            && self.findings.is_empty()
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Battery {
    Low { percent: f64 },
    RunsOut { percent: f64, days: f64 },
    Worn { volts: f64, usual: f64 },
}

/// Of a level in percent by days, the last one last.
fn judge_level(days: &[(Day, f64)], today: Day, rules: &FleetRules) -> Option<Battery> {
    let &(last, percent) = days.last()?;
    if today.0 - last.0 > VOLTAGE_LAST_DAYS {
        return None; // it is silent, which is told of by itself
    }
    if percent <= rules.battery_level_low {
        return Some(Battery::Low { percent });
    }
    let recent: Vec<(f64, f64)> = days
        .iter()
        .filter(|(day, _)| last.0 - day.0 < PACE_DAYS)
        .map(|(day, value)| (f64::from(day.0 - last.0), *value))
        .collect();
    let slope = slope(&recent).filter(|_| recent.len() >= PACE_DAYS_MIN)?;
    let left = percent / -slope;
    (slope < 0.0 && left <= rules.battery_days_left).then_some(Battery::RunsOut { percent, days: left })
}

fn judge_voltage(days: &[(Day, f64)], today: Day, rules: &FleetRules) -> Option<Battery> {
    let is_last = |day: Day| today.0 - day.0 < VOLTAGE_LAST_DAYS;
    let last: Vec<f64> = days.iter().filter(|(day, _)| is_last(*day)).map(|(_, value)| *value).collect();
    let mut before: Vec<f64> = days.iter().filter(|(day, _)| !is_last(*day)).map(|(_, value)| *value).collect();
    if last.is_empty() || before.len() < VOLTAGE_DAYS_MIN {
        return None;
    }
    let volts = last.iter().sum::<f64>() / last.len() as f64;
    let usual = crate::place_standing::median(&mut before)?;
    (volts <= usual * rules.voltage_share_low).then_some(Battery::Worn { volts, usual })
}

/// By least squares.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let spread: f64 = points.iter().map(|p| (p.0 - mx).powi(2)).sum();
    (spread > 0.0).then(|| points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / spread)
}

/// Makes and owes the reports of the day, once its hour has come. Gives how many messages that were.
pub(crate) async fn report(inner: &Inner) -> Result<usize, WatchError> {
    let rules = inner.config.fleet;
    let now = inner.now();
    let today = now.day(BANGKOK_OFFSET_SECONDS);
    let due = today.start(BANGKOK_OFFSET_SECONDS).plus_secs(i64::from(rules.hour) * 3_600);
    if now < due || *inner.fleet_told.lock() == Some(today) {
        return Ok(0);
    }
    let audience = inner.audience().await?;
    let mut commit = WatchCommit { at: Some(now), ..WatchCommit::default() };
    if audience.offices.contacts.values().any(|contact| contact.hazards.contains(&Hazard::NoData)) {
        for (province, report) in reports(inner, today, &rules).await? {
            let flag = flag(&province, &report, today, due);
            let told = Told {
                flag: &flag,
                transition: Transition::Raised,
                severity_before: None,
                at: now,
                laos: &[],
                is_drill: false,
            };
            let transition = FlagTransition {
                flag_id: flag.id.clone(),
                at: due,
                transition: Transition::Raised,
                severity: flag.severity,
                evidence: "{}".to_owned(),
            };
            let mut notice = Notice::of(&flag, &transition, None);
            notice.kind = Notice::FLEET_REPORT.to_owned();
            let listeners = route(&audience.offices, &told);
            commit.outbox.extend(contact_messages(listeners, &notice, (&flag.id, &flag.id), now, audience.age_max));
        }
    }
    let count = commit.outbox.len();
    if count > 0 {
        inner.metadata.commit_watch(commit).await?;
    }
    *inner.fleet_told.lock() = Some(today);
    Ok(count)
}

async fn reports(inner: &Inner, today: Day, rules: &FleetRules) -> Result<BTreeMap<String, Report>, WatchError> {
    let registry = inner.registry();
    let mut reports: BTreeMap<String, Report> = BTreeMap::new();
    for flag in inner.book.lock().flags().filter(|flag| flag.hazard == Hazard::NoData) {
        let report = reports.entry(flag.province_code.clone()).or_default();
        match flag.scope {
            Scope::Well => report.silent_wells.push(flag.place.clone()),
            Scope::Gateway => report.silent_gateways.push(flag.place.clone()),
            _ => {}
        }
    }
    let province = |registry: &Registry, id: &WellId| -> Option<String> {
        let well = registry.well(id.as_str()).filter(|well| wells::is_active(well))?;
        Some(well.province_code.clone())
    };
    let batteries = [Parameter::BatteryLevel, Parameter::BatteryVoltage];
    let every = vec![1, 2, 3, 4];
    for ((id, parameter), days) in series(inner, &batteries, today, VOLTAGE_DAYS, &every).await? {
        let values: Vec<(Day, f64)> = days.iter().filter_map(|day| Some((day.0, day.1?))).collect();
        let found = match parameter {
            Parameter::BatteryLevel => judge_level(&values, today, rules),
            _ => judge_voltage(&values, today, rules),
        };
        if let (Some(found), Some(province)) = (found, province(&registry, &id)) {
            reports.entry(province).or_default().batteries.push((id, found));
        }
    }
    let levels = [Parameter::DepthToWater, Parameter::GroundwaterElevation, Parameter::SpecificConductance];
    // The day that is not over says little.
    let all = series(inner, &levels, today, rules.failing_days, &every).await?;
    let suspect = series(inner, &levels, today, rules.failing_days, &[3, 4]).await?;
    for (key, days) in all {
        let failed: BTreeMap<Day, u32> =
            suspect.get(&key).into_iter().flatten().map(|(day, _, count)| (*day, *count)).collect();
        let full: Vec<_> = days.iter().filter(|(day, _, count)| *day < today && *count > 0).collect();
        let all_fail = full.iter().all(|(day, _, count)| failed.get(day) == Some(count));
        if full.len() as i32 >= rules.failing_days
            && all_fail
            && let Some(province) = province(&registry, &key.0)
        {
            let failing = &mut reports.entry(province).or_default().failing;
            if !failing.contains(&key.0) {
                failing.push(key.0);
            }
        }
    }
    let since = Day(today.0 - rules.finding_days).start(BANGKOK_OFFSET_SECONDS);
    for finding in inner.metadata.quality_findings().await? {
        if finding.to >= since
            && let Some(province) = province(&registry, &finding.well_id)
        {
            reports.entry(province).or_default().findings.insert((finding.well_id, finding.test.name()));
        }
    }
    reports.retain(|_, report| !report.is_empty());
    Ok(reports)
}

type DaysOf = BTreeMap<(WellId, Parameter), Vec<(Day, Option<f64>, u32)>>;

async fn series(
    inner: &Inner,
    parameters: &[Parameter],
    today: Day,
    days: i32,
    qualities: &[u8],
) -> Result<DaysOf, WatchError> {
    let request = SeriesRequest {
        wells: None,
        parameters: parameters.to_vec(),
        from: Some(Day(today.0 - days)),
        to: Some(today),
        offset_seconds: BANGKOK_OFFSET_SECONDS,
        qualities: qualities.to_vec(),
        medians_of: Vec::new(),
    };
    let mut found = DaysOf::new();
    for day in inner.reader.daily_values(request).await? {
        found.entry((day.well_id, day.parameter)).or_default().push((day.day, day.mean, day.count));
    }
    found.values_mut().for_each(|days| days.sort_by_key(|(day, ..)| *day));
    Ok(found)
}

/// What wants looking at in one province, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetReport {
    pub province_code: String,
    pub items: u32,
    pub text_en: String,
    pub text_th: String,
}

/// For how long a look at the fleet is good: it reads two months of all batteries.
const SEEN_SECONDS: i64 = 300;

/// The fleet as it is, for whoever asks; looked at once for all who do.
pub(crate) async fn seen(inner: &Inner) -> Result<Vec<FleetReport>, WatchError> {
    let mut seen = inner.fleet_seen.lock().await;
    let now = inner.now();
    if let Some((at, reports)) = seen.as_ref()
        && now.as_secs() - at.as_secs() < SEEN_SECONDS
    {
        return Ok(reports.clone());
    }
    let reports = reports(inner, now.day(BANGKOK_OFFSET_SECONDS), &inner.config.fleet).await?;
    let reports: Vec<FleetReport> = reports.iter().map(|(province, report)| in_words(province, report)).collect();
    *seen = Some((now, reports.clone()));
    Ok(reports)
}

fn in_words(province: &str, report: &Report) -> FleetReport {
    let Report { silent_wells, silent_gateways, batteries, failing, findings } = report;
    let count = silent_wells.len() + silent_gateways.len() + batteries.len() + failing.len() + findings.len();
    let (mut detail_en, mut detail_th) = (String::new(), String::new());
    let mut section = |en: &str, th: &str, names: Vec<(String, String)>| {
        if names.is_empty() {
            return;
        }
        let shown = names.iter().take(WELLS_NAMED);
        let (shown_en, shown_th): (Vec<&str>, Vec<&str>) = shown.map(|(en, th)| (en.as_str(), th.as_str())).unzip();
        let (more_en, more_th) = match names.len().saturating_sub(WELLS_NAMED) {
            0 => (String::new(), String::new()),
            left => (format!(" and {left} more"), format!(" และอีก {left}")),
        };
        let _ = write!(detail_en, "{en} ({}): {}{more_en}. ", names.len(), shown_en.join(", "));
        let _ = write!(detail_th, "{th} ({}): {}{more_th} ", names.len(), shown_th.join(", "));
    };
    let same = |name: &str| (name.to_owned(), name.to_owned());
    section("Silent gateways", "เกตเวย์ขาดการติดต่อ", silent_gateways.iter().map(|id| same(id)).collect());
    section("Silent wells", "บ่อขาดการติดต่อ", silent_wells.iter().map(|id| same(id)).collect());
    let battery = |(id, battery): &(WellId, Battery)| match battery {
        Battery::Low { percent } => same(&format!("{id} {percent:.0} %")),
        Battery::RunsOut { percent, days } => (
            format!("{id} {percent:.0} %, empty in {days:.0} days"),
            format!("{id} {percent:.0}% จะหมดใน {days:.0} วัน"),
        ),
        Battery::Worn { volts, usual } => {
            (format!("{id} {volts:.2} V, usually {usual:.2} V"), format!("{id} {volts:.2} V ปกติ {usual:.2} V"))
        }
    };
    section("Batteries running down", "แบตเตอรี่ใกล้หมด", batteries.iter().map(battery).collect());
    let failing = failing.iter().map(|id| same(id.as_str())).collect();
    section("Sensors that fail their tests", "หัววัดไม่ผ่านการตรวจสอบคุณภาพ", failing);
    let finding = |(id, test): &(WellId, &str)| same(&format!("{id} {test}"));
    section("Series that drift or jump", "ข้อมูลเลื่อนหรือกระโดด", findings.iter().map(finding).collect());
    FleetReport {
        province_code: province.to_owned(),
        items: count as u32,
        text_en: detail_en.trim_end().to_owned(),
        text_th: detail_th.trim_end().to_owned(),
    }
}

fn flag(province: &str, report: &Report, today: Day, due: Timestamp) -> ConditionFlag {
    let (en, th) = places::province(province).map_or((province, province), |place| (place.name_en, place.name_th));
    let FleetReport { items: count, text_en, text_th, .. } = in_words(province, report);
    ConditionFlag {
        id: format!("fleet-{province}-{}", today.date()),
        scope: Scope::Province,
        place: province.to_owned(),
        province_code: province.to_owned(),
        district_code: None,
        subdistrict_code: None,
        well_id: None,
        hazard: Hazard::NoData,
        severity: Severity::Watch,
        state: FlagState::Open,
        raised_at: due,
        changed_at: due,
        closed_at: None,
        confidence: 1.0,
        wells_in: count,
        wells_out: 0,
        coverage: 1.0,
        rule: "fleet".to_owned(),
        limit_value: None,
        observed: None,
        what_would_clear_it: String::new(),
        headline_en: format!("{en}, {}: {count} to look at", english_day(today)),
        headline_th: format!("จังหวัด{th} {}: ควรตรวจดู {count} รายการ", thai_day(today)),
        detail_en: text_en,
        detail_th: text_th,
        acknowledged_by: None,
        acknowledged_at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(values: &[f64]) -> Vec<(Day, f64)> {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| (Day(100 - values.len() as i32 + 1 + index as i32), *value))
            .collect()
    }

    #[test]
    fn a_battery_is_low_or_runs_out() {
        let judge = |values: &[f64]| judge_level(&days(values), Day(100), &FleetRules::default());
        assert_eq!(judge(&[80.0; 20]), None);
        assert_eq!(judge(&[18.0]), Some(Battery::Low { percent: 18.0 }));
        let falls: Vec<f64> = (0..10).map(|n| 75.0 - 5.0 * f64::from(n)).collect();
        assert!(matches!(judge(&falls), Some(Battery::RunsOut { days, .. }) if (days - 6.0).abs() < 1e-9));
        assert_eq!(judge(&falls[..3]), None, "three days tell no pace");
        let charged: Vec<f64> = (0..10).map(|n| 30.0 + f64::from(n)).collect();
        assert_eq!(judge(&charged), None);
        assert_eq!(judge_level(&days(&[5.0]), Day(110), &FleetRules::default()), None, "it is silent");
    }

    #[test]
    fn a_voltage_is_judged_by_its_own_months() {
        let judge = |values: &[f64]| judge_voltage(&days(values), Day(100), &FleetRules::default());
        let mut lead = vec![12.6; 40];
        assert_eq!(judge(&lead), None);
        lead.extend([11.5, 11.4, 11.3]);
        assert!(matches!(judge(&lead), Some(Battery::Worn { usual, .. }) if usual == 12.6));
        assert_eq!(judge(&[3.6, 3.6, 2.0]), None, "too young");
    }
}
