//! What keeps flags as they are for a while: suppressions, maintenance, a flag that an officer took back, and the shortest time
//! that a flag stands.
//!
//! # Rules
//! 1. While a place is suppressed its flag stays as it is, and none is raised; what is seen then is judged anew at the end.
//! 2. A well under maintenance counts nowhere. Its open flags go stale: that it is silent ends nothing.
//! 3. A flag that an officer took back is not raised anew until its condition has ended once, has got worse, or the hold has
//!    run out: a mistake must not silence a well for ever.
//! 4. What got worse does not get better within the shortest time of its hazard. Late data and officers may take a flag back at
//!    any time, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gwbank_model::condition::{Hazard, Scope, Transition};
use gwbank_model::{Timestamp, WellId};
use gwbank_registry::{Registry, Well, WellStatus};
use gwbank_store::{Hold, HoldKind};
use parking_lot::Mutex;
use serde_json::json;

use crate::book::{Change, FlagKey, Judgement, Where};
use crate::error::WatchError;
use crate::watch::Inner;

/// How long a taken-back flag is held at most: two evaluations of a month, a week of what is judged live.
pub(crate) fn cancelled_days(hazard: Hazard) -> i64 {
    match hazard {
        Hazard::Drought => 62,
        Hazard::Flood | Hazard::Salinity | Hazard::RapidChange | Hazard::NoData => 7,
    }
}

/// The reason in the evidence where a well is not judged for a hazard any more.
const NOT_APPLICABLE: &str = "not_applicable";

/// A judgement that may not take effect yet.
#[derive(Debug)]
struct Waiting {
    due: Timestamp,
    place: Where,
    judgement: Judgement,
}

/// A registry in which wells under maintenance are not active, and what it was made of.
#[derive(Debug)]
struct Maintained {
    of: Arc<Registry>,
    wells: BTreeSet<WellId>,
    registry: Arc<Registry>,
}

#[derive(Debug, Default)]
pub(crate) struct Holds {
    known: Mutex<Vec<Hold>>,
    /// Of those that held when it was looked last.
    active: Mutex<BTreeSet<String>>,
    maintained: Mutex<Option<Maintained>>,
    waiting: Mutex<BTreeMap<FlagKey, Waiting>>,
    /// Something began or ended to be held: months, and live levels, are judged anew.
    pub months_due: AtomicBool,
    pub live_due: AtomicBool,
}

/// What a hold makes of a judgement.
pub(crate) enum Held {
    No(Judgement),
    /// It changes nothing now.
    Yes,
    /// The flag may be raised again, as this hold has ended.
    Ends(Hold, Judgement),
}

impl Inner {
    /// Reads the holds, which another node may have changed, and notes whether one began or ended.
    pub async fn refresh_holds(&self) -> Result<(), WatchError> {
        let holds = self.metadata.flag_holds().await?;
        let now = self.now();
        let active: BTreeSet<String> =
            holds.iter().filter(|hold| hold.holds(now)).map(|hold| hold.hold_id.clone()).collect();
        *self.holds.known.lock() = holds;
        let mut before = self.holds.active.lock();
        if *before != active {
            *before = active;
            self.holds.months_due.store(true, Ordering::Release);
            self.holds.live_due.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// The registry as it is judged by: a well under maintenance is not active.
    pub fn registry(&self) -> Arc<Registry> {
        let base = self.registry.borrow().clone();
        let now = self.now();
        let wells: BTreeSet<WellId> = {
            let holds = self.holds.known.lock();
            let maintained = holds.iter().filter(|hold| hold.kind == HoldKind::Maintenance && hold.holds(now));
            maintained.filter_map(|hold| WellId::new(&hold.place).ok()).collect()
        };
        if wells.is_empty() {
            return base;
        }
        let mut known = self.holds.maintained.lock();
        if let Some(made) = &*known
            && Arc::ptr_eq(&made.of, &base)
            && made.wells == wells
        {
            return made.registry.clone();
        }
        let inactive = |id: &WellId| {
            let well: &Arc<Well> = base.well(id.as_str())?;
            Some(Well { status: WellStatus::Inactive, ..well.as_ref().clone() })
        };
        let registry = Arc::new(base.with_wells(wells.iter().filter_map(inactive)));
        *known = Some(Maintained { of: base, wells, registry: registry.clone() });
        registry
    }

    /// What holds make of a judgement.
    pub fn held(&self, key: &FlagKey, judgement: Judgement, is_open: bool, now: Timestamp) -> Held {
        let holds = self.holds.known.lock();
        let of_key = |hold: &&Hold| {
            let is_place = hold.scope == key.scope && hold.place == key.place;
            let lies_within = hold.kind == HoldKind::Suppression && self.lies_within(key, hold);
            hold.holds(now) && (is_place || lies_within) && hold.hazard.is_none_or(|hazard| hazard == key.hazard)
        };
        // Of several the one that holds most: suppression, maintenance, a flag that was taken back.
        let Some(hold) = holds.iter().filter(of_key).min_by_key(|hold| hold.kind.code()) else {
            return Held::No(judgement);
        };
        match (hold.kind, &judgement) {
            (HoldKind::Suppression, _) => Held::Yes,
            (HoldKind::Maintenance, _) if is_open => {
                Held::No(Judgement::Unknown { evidence: json!({ "reason": "maintenance" }) })
            }
            (HoldKind::Maintenance, _) | (HoldKind::Cancelled, Judgement::Unknown { .. }) => Held::Yes,
            (HoldKind::Cancelled, Judgement::Stands(standing)) if hold.severity >= Some(standing.severity) => Held::Yes,
            (HoldKind::Cancelled, _) => {
                let (ended_at, ended_by) = (Some(now), Some("the condition".to_owned()));
                Held::Ends(Hold { ended_at, ended_by, ..hold.clone() }, judgement)
            }
        }
    }

    /// Whether a place lies in the one of a hold: by codes, which begin with those of what they lie in, and by the registry.
    fn lies_within(&self, key: &FlagKey, hold: &Hold) -> bool {
        let is_place = |scope: Scope| matches!(scope, Scope::Province | Scope::District | Scope::Subdistrict);
        if is_place(key.scope) && is_place(hold.scope) {
            return key.place.len() > hold.place.len() && key.place.starts_with(&hold.place);
        }
        let registry = self.registry.borrow();
        let Some(well) = registry.well(&key.place).filter(|_| key.scope == Scope::Well) else { return false };
        let code = match hold.scope {
            Scope::Province => Some(well.province_code.as_str()),
            Scope::District => well.district_code.as_deref(),
            Scope::Subdistrict => well.subdistrict_code.as_deref(),
            Scope::Lao => well.lao_code.as_deref(),
            _ => None,
        };
        code == Some(&hold.place)
    }

    /// Lets the holds in memory follow what was committed.
    pub fn adopt_holds(&self, holds: Vec<Hold>) {
        if holds.is_empty() {
            return;
        }
        let mut known = self.holds.known.lock();
        for hold in holds {
            known.retain(|other| other.hold_id != hold.hold_id);
            known.push(hold);
        }
    }

    /// Whether a change must wait: it got better sooner than its hazard may. What waits is taken up again when it is due.
    pub fn must_wait(
        &self,
        key: &FlagKey,
        (place, judgement): (&Where, &Judgement),
        change: &Change,
        worse_since: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let got_better = change
            .transition
            .as_ref()
            .is_some_and(|transition| matches!(transition.transition, Transition::Eased | Transition::Cleared));
        let may_not_speak =
            matches!(judgement, Judgement::Nothing { evidence } if evidence["reason"] == NOT_APPLICABLE);
        let got_better = got_better && !may_not_speak;
        let shortest = i64::try_from(self.config.stands_at_least.of(key.hazard).as_micros()).unwrap_or(i64::MAX);
        let due = worse_since.map(|since| since.plus_micros(shortest)).filter(|due| got_better && now < *due);
        let mut waiting = self.holds.waiting.lock();
        match due {
            Some(due) => {
                let (place, judgement) = (place.clone(), judgement.clone());
                waiting.insert(key.clone(), Waiting { due, place, judgement });
                true
            }
            None => false,
        }
    }

    /// A newer judgement takes the place of one that waits.
    pub fn forget_waiting(&self, key: &FlagKey) {
        self.holds.waiting.lock().remove(key);
    }

    /// Judgements whose time has come.
    pub fn due_judgements(&self, now: Timestamp) -> Vec<(FlagKey, Where, Judgement)> {
        let mut waiting = self.holds.waiting.lock();
        let due: Vec<FlagKey> =
            waiting.iter().filter(|(_, waits)| waits.due <= now).map(|(key, _)| key.clone()).collect();
        let taken = due.into_iter().filter_map(|key| {
            let Waiting { place, judgement, .. } = waiting.remove(&key)?;
            Some((key, place, judgement))
        });
        taken.collect()
    }
}

/// What an officer's withdrawal of a flag holds.
pub(crate) fn cancelled(flag: &gwbank_store::ConditionFlag, by: &str, reason: &str, at: Timestamp) -> Hold {
    Hold {
        hold_id: format!("cancelled-{}-{}", flag.id, at.as_micros()),
        kind: HoldKind::Cancelled,
        hazard: Some(flag.hazard),
        scope: flag.scope,
        place: flag.place.clone(),
        from: at,
        until: Some(at.plus_secs(cancelled_days(flag.hazard) * 86_400)),
        severity: Some(flag.severity),
        reason: reason.to_owned(),
        by: by.to_owned(),
        created_at: at,
        ended_at: None,
        ended_by: None,
    }
}

/// Scopes whose flags can be suppressed.
pub(crate) fn can_be_held(scope: Scope) -> bool {
    !matches!(scope, Scope::Aquifer)
}
