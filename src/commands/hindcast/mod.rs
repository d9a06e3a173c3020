//! `gwbank hindcast`: what would have been flagged over past years, with only what was known then.
//!
//! Wells, daily levels and readings come from the running server, well by well, so that the days of a few wells, or the
//! readings of one, are in memory.

mod changes;
mod days;
mod readings;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use gwbank_hindcast::{
    Episode, FlagChange, Hindcast, HindcastConfig, JudgedMonths, KnownEvent, NormalClimateRules, Replayed, SkillRules,
    Summary, WellRecord, normal_climate, parse_events, skill,
};
use gwbank_indicator::DaysMin;
use gwbank_model::condition::{Hazard, Scope};
use gwbank_registry::Well;
use gwbank_registry::import::{self, FileKind};
use gwbank_watch::WatchConfig;
use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::{General, HindcastArguments};
use crate::client::{Client, read_all};
use crate::commands::output;
use crate::failure::{Failure, Outcome};
use crate::node::settings;

const REPLAYED: [Hazard; 3] = [Hazard::Drought, Hazard::Flood, Hazard::Salinity];

/// Readings that pumping did not move.
const UNDISTURBED: &str = "(site_status IS NULL OR site_status IN ('ok', 'flowing'))";

/// Flags of all hazards that were asked for.
#[derive(Default)]
struct Found {
    episodes: Vec<Episode>,
    changes: Vec<FlagChange>,
    summary: Summary,
    /// For drought.
    judged: JudgedMonths,
}

pub fn run(general: &General, asked: &HindcastArguments) -> Outcome {
    if asked.to < asked.from {
        return Err(Failure::usage(anyhow!("--to {} lies before --from {}", asked.to, asked.from)));
    }
    let events = asked.against.as_deref().map(events).transpose()?;
    let watch = settings::watch(&general.load()?.config);
    let config = rules(&watch);
    let client = Client::needed(general, &asked.server)?;
    let wells = wells(&client, asked.province.as_deref())?;
    if wells.is_empty() {
        return Err(Failure::failed("no well is registered there; see `gwbank wells list`"));
    }
    let by_levels = asked.hazard.includes(Hazard::Drought) || asked.hazard.includes(Hazard::Flood);
    let reader = readings::Reader::new(&client, &watch, asked);
    // As the live watch counts them: who sends rain or salt and no level stands in no denominator.
    let records = if by_levels {
        days::records(&client, &reader.that_may_have_level(&wells)?, asked, &watch, &config)?
    } else {
        Vec::new()
    };

    let mut found = Found::default();
    if asked.hazard.includes(Hazard::Drought) {
        replay_droughts(&records, asked, &config, &mut found);
    }
    if asked.hazard.includes(Hazard::Flood) {
        found.add(reader.floods(&wells, &records, &config)?);
    }
    if asked.hazard.includes(Hazard::Salinity) {
        found.add(reader.salinity(&wells, &config)?);
    }
    found.summary.add_flags(&found.episodes, asked.to);
    // Each hazard has them in this order already.
    found.changes.sort_by_key(|change| change.at);
    report(&found, &wells, events.as_deref().unwrap_or_default(), asked)?;
    if asked.climates > 0 && asked.hazard.includes(Hazard::Drought) {
        let rules = NormalClimateRules { climates: asked.climates, ..NormalClimateRules::default() };
        let found = normal_climate(&records, (asked.from, asked.to), &config, &rules);
        output::print(&format!("\n{found}"))?;
    }
    Ok(())
}

impl Found {
    fn add(&mut self, flags: gwbank_hindcast::ReadingFlags) {
        self.episodes.extend(flags.episodes);
        self.changes.extend(flags.changes);
    }
}

fn replay_droughts(records: &[WellRecord], asked: &HindcastArguments, config: &HindcastConfig, found: &mut Found) {
    let mut hindcast = Hindcast::new(records, asked.from, asked.to, config);
    while let Some(mut report) = hindcast.next() {
        found.summary.add_month(&report, hindcast.places());
        found.judged.add_month(&report, hindcast.places());
        found.changes.append(&mut report.changes);
    }
    found.episodes.extend(hindcast.into_episodes());
}

fn report(found: &Found, wells: &[Arc<Well>], events: &[KnownEvent], asked: &HindcastArguments) -> Outcome {
    if let Some(out) = &asked.out {
        changes::write(out, &found.changes, &found.episodes)
            .with_context(|| format!("{} cannot be written", out.display()))?;
        output::line(&format!("{} changes of flags are in {}\n", found.changes.len(), out.display()))?;
    }
    output::print(&found.summary.to_string())?;
    for hazard in REPLAYED.into_iter().filter(|hazard| asked.hazard.includes(*hazard)) {
        let of_hazard: Vec<KnownEvent> = events.iter().filter(|event| event.hazard == hazard).cloned().collect();
        if of_hazard.is_empty() {
            continue;
        }
        let episodes: Vec<Episode> =
            found.episodes.iter().filter(|episode| episode.subject.hazard == hazard).cloned().collect();
        let replayed = Replayed { episodes: &episodes, judged: &found.judged, span: (asked.from, asked.to) };
        let skill = skill(replayed, &of_hazard, wells.iter().map(Arc::as_ref), &skill_rules(hazard));
        output::print(&format!("\n{} against known events\n{skill}", hazard.name()))?;
    }
    Ok(())
}

/// One bore that turns salt is told as well as its places are.
fn skill_rules(hazard: Hazard) -> SkillRules {
    match hazard {
        Hazard::Salinity => {
            SkillRules { scopes: vec![Scope::Well, Scope::District, Scope::Province], ..SkillRules::default() }
        }
        _ => SkillRules::default(),
    }
}

/// A bar on the terminal, of so many wells.
fn progress(wells: usize, what: &'static str) -> Outcome<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} wells {msg}, {eta} to go");
    let bar = ProgressBar::new(wells as u64).with_message(what);
    bar.set_style(style.context("the bar's template is wrong")?);
    Ok(bar)
}

/// Those of the live watch, as this configuration has them.
fn rules(watch: &WatchConfig) -> HindcastConfig {
    HindcastConfig {
        closing: watch.closing,
        days_min: DaysMin { logger: watch.days_min_logger, manual: watch.days_min_manual },
        standing: watch.standing,
        drought: watch.drought,
        places: watch.places,
        flood: watch.flood,
        flood_places: watch.flood_places,
        salinity: watch.record.salinity,
        ..HindcastConfig::default()
    }
}

fn events(file: &Path) -> Outcome<Vec<KnownEvent>> {
    let bytes =
        std::fs::read(file).with_context(|| format!("{} cannot be read", file.display())).map_err(Failure::usage)?;
    parse_events(&bytes).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {fault}", file.display())).collect();
        Failure::usage(anyhow!("{}", faults.join("\n")))
    })
}

fn wells(client: &Client, province: Option<&str>) -> Outcome<Vec<Arc<Well>>> {
    let csv = read_all(&mut client.send("GET", "/api/v1/wells", &[("accept", "text/csv")], &[])?)?;
    let wells = import::parse_wells(&csv, FileKind::Csv);
    let wells = wells.map_err(|_| Failure::failed("the server's list of wells cannot be read"))?;
    let wanted = wells.into_iter().filter(|well| province.is_none_or(|code| well.province_code == code));
    Ok(wanted.map(Arc::new).collect())
}
