//! The flag of a well whose water rises as it does not usually: for the operator, never for a province.

use gwbank_indicator::no_data::fresh_for;
use gwbank_indicator::rapid::RapidChange;
use gwbank_model::condition::{Hazard, Scope};
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Timestamp};
use gwbank_registry::Well;
use serde_json::json;

use crate::book::{FlagKey, Judgement, Standing, Where};
use crate::live::FOLLOW_DAYS_MAX;
use crate::place_standing::put;
use crate::rises::Rises;
use crate::texts::{self, Since, Story};
use crate::watch::Inner;

fn is_out_of_sight(inner: &Inner, raised_at: Timestamp, latest: Timestamp, now: Timestamp) -> bool {
    let oldest = now.plus_secs(-FOLLOW_DAYS_MAX * 86_400);
    raised_at < oldest && latest < raised_at.plus_secs(inner.config.rapid.rapid_exit_hours * 3600)
}

pub(crate) fn judge_well(inner: &Inner, well: &Well, rises: &Rises, now: Timestamp) -> (FlagKey, Where, Judgement) {
    let key = FlagKey::new(Hazard::RapidChange, Scope::Well, well.well_id.as_str());
    let open = inner.open_flag(&key);
    let rules = &inner.config.rapid;
    let time = |at: Timestamp| at.to_rfc3339(BANGKOK_OFFSET_SECONDS);
    let mut evidence = json!({
        "time": rises.latest.map(time),
        "rise": rises.rapid.map(|rise| json!({
            "since": time(rise.since),
            "at": time(rise.last.at),
            "rise_m": rise.last.rise_m,
            "hours": rise.last.hours,
            "limit_m": rise.last.limit_m,
        })),
    });
    let judgement = match (rises.rapid, rises.latest) {
        (Some(rise), _) => {
            let late = gwbank_indicator::flood::late_micros(rises.interval_micros, &inner.config.flood);
            if open.is_none() && now.micros_since(rise.last.at) > late {
                Judgement::Unknown { evidence }
            } else {
                let RapidChange { rise_m, hours, limit_m, .. } = rise.last;
                let raised_at = open.as_ref().map_or(rise.since, |open| open.raised_at);
                let story = Story {
                    hazard: Hazard::RapidChange,
                    scope: Scope::Well,
                    severity: RapidChange::SEVERITY,
                    place: &texts::well_text(well),
                    wells: 1,
                    wells_total: 1,
                    since: Since::Instant(raised_at),
                    facts_en: format!("The water rose by {rise_m:.2} m in {hours} h, more than {limit_m:.2} m"),
                    facts_th: format!("ระดับน้ำสูงขึ้น {rise_m:.2} ม. ใน {hours} ชั่วโมง เกิน {limit_m:.2} ม."),
                    what_would_clear_it: format!("readings over {} h without such a rise", rules.rapid_exit_hours),
                    what_would_clear_it_th: format!("ค่าที่วัดได้ตลอด {} ชั่วโมงไม่สูงขึ้นเช่นนี้", rules.rapid_exit_hours),
                };
                let allowed = fresh_for(Hazard::RapidChange, rises.interval_micros, &inner.config.silence);
                Judgement::Stands(Box::new(Standing {
                    severity: RapidChange::SEVERITY,
                    stale: rises.latest.is_none_or(|latest| now.micros_since(latest) > allowed),
                    raised_at,
                    confidence: 0.7, // a flood, a broken pipe, or a sensor that was lifted
                    wells_in: 1,
                    wells_out: 0,
                    coverage: 1.0,
                    rule: format!("rise_over_{hours}_h"),
                    limit_value: Some(limit_m),
                    observed: Some(rise_m),
                    texts: texts::write(story, &inner.config.contacts),
                    evidence,
                }))
            }
        }
        (None, None) => Judgement::Unknown { evidence },
        // What raised it lies too far back to be read, and no reading came that could end it.
        (None, Some(latest))
            if open.as_ref().is_some_and(|open| is_out_of_sight(inner, open.raised_at, latest, now)) =>
        {
            Judgement::Unknown { evidence }
        }
        (None, Some(_)) => {
            put(&mut evidence, "reason", json!("no_rapid_rise_for_24_hours"));
            Judgement::Nothing { evidence }
        }
    };
    (key, inner.where_is(well), judgement)
}
