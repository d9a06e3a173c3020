//! The simulated country from outside.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Month, Parameter, TimeSource, Timestamp};
use gwbank_registry::{BankType, Sampling, places};
use gwbank_sim::{Clogging, Level, Message, SimConfig, SimError, World};
use gwbank_wire::{Context, Decoded, Format, Reason, Route, decode, route};

/// 2026-11-23T03:15:00Z
const NOW: Timestamp = Timestamp::from_secs(1_795_403_700);
const DAY_S: i64 = 86_400;

fn config(end: Timestamp, years: i64) -> SimConfig {
    SimConfig { start: end.plus_secs(-years * 365 * DAY_S), live_days: 3, ..SimConfig::demo(end) }
}

/// Two years of all wells: enough for what does not speak of climate.
static SHORT: LazyLock<World> = LazyLock::new(|| World::new(config(NOW, 2)).unwrap());

fn decoded(message: &Message) -> Decoded {
    let format = match route(&message.topic) {
        Route::Readings { .. } => Format::Json,
        Route::Senml { .. } => Format::of_senml(&message.payload),
        other => panic!("{}: {other:?}", message.topic),
    };
    let context = Context { earliest_time: Some(Timestamp::from_secs(946_684_800)), ..Context::live(NOW) };
    decode(format, &message.payload, &context)
}

#[test]
fn the_registry_covers_the_country() {
    let wells = SHORT.wells();
    assert_eq!(wells.len(), 1001);
    assert_eq!(wells.iter().map(|well| &well.well_id).collect::<BTreeSet<_>>().len(), 1001, "ids are unique");
    for province in places::provinces() {
        let here = || wells.iter().filter(|well| well.province_code == province.code);
        let observation: Vec<_> = here().filter(|well| well.bank_type == BankType::Observation).collect();
        assert!(observation.len() >= 7, "{}", province.name_en);
        let districts: BTreeSet<_> = observation.iter().map(|well| well.district_code.as_deref()).collect();
        assert!(districts.len() >= 3, "{}: {districts:?}", province.name_en);
        for kind in [BankType::Open, BankType::Closed] {
            assert!(here().any(|well| well.bank_type == kind), "{}: {kind}", province.name_en);
        }
        assert!(observation.iter().any(|well| well.sampling == Sampling::Manual));
        for well in here() {
            let (latitude, longitude) = (well.latitude.unwrap(), well.longitude.unwrap());
            assert!(province.may_contain(latitude, longitude), "{} lies elsewhere", well.well_id);
            assert!(well.district_code.as_deref().unwrap().starts_with(province.code));
            assert!(well.name.is_some() && well.name_th.as_deref().unwrap().starts_with(['บ', 'ธ']));
        }
    }
    let capable = wells.iter().filter(|well| well.bank_type != BankType::Closed);
    let with_limits = capable.clone().filter(|well| well.flood_warning_depth.is_some()).count();
    assert!(with_limits * 10 > capable.count() * 8);
    assert!(wells.iter().all(|well| well.flood_danger_depth <= well.flood_warning_depth));
}

#[test]
fn the_same_seed_gives_the_same_messages() {
    let hash = |seed: u64| {
        let world = World::new(SimConfig { seed, wells: 100, ..config(NOW, 2) }).unwrap();
        let mut hasher = DefaultHasher::new();
        let mut count = 0;
        for message in world.history() {
            (&message.topic, &message.payload).hash(&mut hasher);
            count += 1;
        }
        (count, hasher.finish())
    };
    assert_eq!(hash(5), hash(5));
    assert_ne!(hash(5).1, hash(6).1);
}

#[test]
fn bad_configurations_are_refused() {
    for (wells, years, error) in [(0, 2, SimError::Wells(0)), (10, 0, SimError::Span), (10, 80, SimError::Span)] {
        assert_eq!(World::new(SimConfig { wells, ..config(NOW, years) }).unwrap_err(), error);
    }
}

#[test]
fn the_history_is_read_by_the_decoders() {
    let history = SHORT.history();
    let about = history.readings_about();
    let (mut readings, mut faults, mut messages, mut doubled, mut corrected) = (0u64, 0u64, 0u64, 0u64, 0u64);
    let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
    let mut by_parameter: BTreeMap<Parameter, u64> = BTreeMap::new();
    let mut seen: HashMap<Vec<u8>, Message> = HashMap::new();
    let mut last_sent_at = Timestamp::MIN;
    for (index, message) in history.enumerate() {
        assert!(message.sent_at >= last_sent_at && message.sent_at <= NOW);
        last_sent_at = message.sent_at;
        messages += 1;
        readings += u64::from(message.readings);
        if seen.contains_key(&message.payload) {
            doubled += 1;
        }
        // A debug build decodes slowly: every fifth will do.
        if index % 5 == 0 {
            let decoded = decoded(&message);
            assert_eq!(
                decoded.received(),
                u64::from(message.readings),
                "{}",
                String::from_utf8_lossy(&message.payload)
            );
            for fault in &decoded.faults {
                *reasons.entry(fault.reason).or_default() += fault.readings;
                faults += fault.readings;
            }
            for reading in &decoded.readings {
                *by_parameter.entry(reading.parameter).or_default() += 1;
                corrected += u64::from(reading.time_source == TimeSource::BuddhistEra);
            }
        }
        seen.insert(message.payload.clone(), message);
    }
    assert!(readings.abs_diff(about) < about / 20, "{readings} readings, announced were {about}");
    assert!((0.002..0.008).contains(&(doubled as f64 / messages as f64)), "{doubled} of {messages} doubled");
    assert!(reasons.keys().all(|reason| *reason == Reason::Clock), "{reasons:?}");
    assert!(faults < readings / 500, "{faults} faults in a fifth of {readings} readings");
    assert!(corrected > 0, "no Buddhist-era years");
    for parameter in
        [Parameter::DepthToWater, Parameter::WaterTemperature, Parameter::Rainfall, Parameter::SpecificConductance]
    {
        assert!(by_parameter.contains_key(&parameter), "no {parameter}");
    }
}

#[test]
fn live_messages_are_small_and_read_by_the_decoders() {
    let live = SHORT.live(NOW, 180.0);
    assert_eq!(live.model_time(NOW.plus_secs(5)), NOW.plus_secs(900));
    let mut at = NOW;
    let (mut good, mut bad) = (0, 0);
    for _ in 0..3 {
        let next = at.plus_secs(5);
        for message in live.messages(at, next) {
            assert!((1..=8).contains(&message.readings), "{}", message.readings);
            let decoded = decoded(&message);
            assert_eq!(decoded.received(), u64::from(message.readings));
            good += decoded.readings.len();
            bad += decoded.faults.len();
        }
        at = next;
    }
    assert!(good > 3000 && bad > 0 && bad * 100 < good, "{good} good, {bad} bad");
}

#[test]
fn defects_are_there_and_rare() {
    let (mut days, mut spikes, mut dry, mut missing) = (0, 0, 0, 0);
    let wells: HashMap<&str, usize> =
        SHORT.wells().iter().enumerate().map(|(index, well)| (well.well_id.as_str(), index)).collect();
    for message in SHORT.history().step_by(7) {
        for reading in decoded(&message).readings {
            if reading.parameter != Parameter::DepthToWater {
                continue;
            }
            days += 1;
            match (reading.value, reading.site_status) {
                (None, Some(_)) => dry += 1,
                (None, None) => missing += 1,
                (Some(value), _) => {
                    let truth = SHORT.depth_m(wells[reading.well.as_str()], reading.time);
                    spikes += u64::from(truth.is_some_and(|truth| (truth - value).abs() > 0.7));
                }
            }
        }
    }
    let share = |count: u64| count as f64 / days as f64;
    assert!((0.000_2..0.005).contains(&share(spikes)), "{spikes} spikes of {days}");
    assert!((0.000_1..0.001).contains(&share(missing)), "{missing} missing of {days}");
    assert!((0.01..0.4).contains(&share(dry)), "{dry} dry of {days}");
}

#[test]
fn heads_lag_rain_by_weeks() {
    let world = World::new(SimConfig { wells: 77, ..config(NOW, 12) }).unwrap();
    let first = world.config().start.day(BANGKOK_OFFSET_SECONDS).0 + 1;
    let mut lags = Vec::new();
    for (index, well) in world.wells().iter().enumerate() {
        let province = places::provinces().iter().position(|province| province.code == well.province_code).unwrap();
        let days = first..first + 11 * 365;
        let rain: Vec<f64> = days.clone().map(|day| world.climate().rain_mm(province, Day(day))).collect();
        let rise: Vec<f64> =
            days.map(|day| -world.depth_m(index, Day(day).start(BANGKOK_OFFSET_SECONDS)).unwrap()).collect();
        // By the season: the day of year of the centre of rain, and of the highest level.
        let season = |values: &[f64]| {
            let angle = |day: usize| std::f64::consts::TAU * day as f64 / 365.0;
            let (x, y) = values
                .iter()
                .enumerate()
                .fold((0.0, 0.0), |(x, y), (day, value)| (x + value * angle(day).cos(), y + value * angle(day).sin()));
            y.atan2(x) / std::f64::consts::TAU * 365.0
        };
        lags.push((season(&rise) - season(&rain)).rem_euclid(365.0));
    }
    lags.sort_by(f64::total_cmp);
    let median = lags[lags.len() / 2];
    assert!((30.0..150.0).contains(&median), "median lag {median:.0} days");
    assert!(lags.iter().filter(|lag| **lag < 182.0).count() * 10 > lags.len() * 9);
}

/// What the default seed must give, whatever the day on which a demo starts.
struct Condition {
    /// Provinces with at least 30 % and 3 of their observation wells at an SGI of −1.5 or below (rank 1 or 2 of 25).
    drought: Vec<&'static str>,
    /// Observation wells at or above their flood warning limit.
    flooded: usize,
    lowest: usize,
    highest: usize,
}

fn condition(end: Timestamp) -> Condition {
    let world = World::new(config(end, 25)).unwrap();
    let closed = end.month(BANGKOK_OFFSET_SECONDS).plus(-1);
    let mean = |index: usize, month: Month| {
        let first = month.first_day();
        let days = (0..28).step_by(4).map(|day| Day(first.0 + day).start(BANGKOK_OFFSET_SECONDS));
        days.map(|at| world.depth_m(index, at).unwrap()).sum::<f64>() / 7.0
    };
    let (mut lowest, mut highest, mut flooded) = (0, 0, 0);
    let mut by_province: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (index, well) in world.wells().iter().enumerate() {
        if well.bank_type != BankType::Observation {
            continue;
        }
        let now = mean(index, closed);
        let deeper = (1..25).filter(|year| mean(index, closed.plus(-12 * year)) > now).count();
        let rank_from_lowest = deeper + 1;
        lowest += usize::from(rank_from_lowest == 1);
        highest += usize::from(rank_from_lowest == 25);
        let (severe, eligible) = by_province.entry(&well.province_code).or_default();
        *severe += usize::from(rank_from_lowest <= 2);
        *eligible += 1;
        flooded +=
            usize::from(well.flood_warning_depth.is_some_and(|limit| world.depth_m(index, end).unwrap() <= limit));
    }
    let drought = places::provinces()
        .iter()
        .filter(|province| {
            let (severe, eligible) = by_province[province.code];
            severe >= 3 && severe * 10 >= eligible * 3
        })
        .map(|province| province.code)
        .collect();
    Condition { drought, flooded, lowest, highest }
}

#[test]
fn the_default_seed_holds_drought_and_high_water_in_every_season() {
    let mut report = Vec::new();
    for days in [0, 120, 240] {
        let end = NOW.plus_secs(days * DAY_S);
        let Condition { drought, flooded, lowest, highest } = condition(end);
        let month = end.month(BANGKOK_OFFSET_SECONDS);
        report
            .push(format!("{month}: drought in {drought:?}, {flooded} wells high, {lowest} lowest, {highest} highest"));
        let holds = (5..25).contains(&drought.len()) && (4..60).contains(&flooded) && lowest > 10 && highest > 10;
        assert!(holds, "{report:#?}");
    }
}

#[test]
fn clogging_slows_banks_and_leaves_wells_alone() {
    let plain = World::new(SimConfig { wells: 770, clogging: Clogging::Never, ..config(NOW, 3) }).unwrap();
    let clogged = World::new(SimConfig { clogging: Clogging::ByFills, ..*plain.config() }).unwrap();
    assert_eq!(plain.wells().len(), clogged.wells().len());
    let noons = || (0..700).map(|day| NOW.plus_secs(-day * DAY_S));
    let (mut higher, mut lower) = (0, 0);
    for (index, well) in plain.wells().iter().enumerate() {
        let depths = |world: &World| noons().map(|at| world.depth_m(index, at)).collect::<Vec<_>>();
        let (before, after) = (depths(&plain), depths(&clogged));
        match well.bank_type {
            BankType::Observation => assert_eq!(before, after, "{}", well.well_id),
            BankType::Open => {
                let pairs = || before.iter().zip(&after).map(|(a, b)| (a.unwrap(), b.unwrap()));
                higher += pairs().filter(|(a, b)| b < a).count();
                lower += pairs().filter(|(a, b)| *b > *a + 1e-6).count();
            }
            BankType::Closed => {
                let wet = |depths: &[Option<f64>]| depths.iter().flatten().count();
                assert!(wet(&after) >= wet(&before), "{}", well.well_id);
            }
        }
    }
    assert!(higher > 1000 && lower == 0, "{higher} {lower}");
    let bank = |kind| plain.wells().iter().position(|well| well.bank_type == kind).unwrap();
    for kind in [BankType::Open, BankType::Closed] {
        let fills = clogged.truth().fills(bank(kind));
        assert!(fills.len() > 10 && fills[0].infiltration_left == 1.0);
        assert!(fills.windows(2).all(|pair| pair[1].infiltration_left < pair[0].infiltration_left));
        assert!(plain.truth().fills(bank(kind)).iter().all(|fill| fill.infiltration_left == 1.0));
        assert_eq!(plain.truth().fills(bank(kind)).len(), fills.len());
    }
}

#[test]
fn some_open_banks_of_the_demo_clog_beside_a_well_in_the_same_water() {
    let world = World::new(config(NOW, 3)).unwrap();
    let index_of: HashMap<_, _> =
        world.wells().iter().enumerate().map(|(index, well)| (&well.well_id, index)).collect();
    let (mut clog, mut stay) = (0, 0);
    for (index, bank) in world.wells().iter().enumerate().filter(|(_, well)| well.bank_type != BankType::Observation) {
        let left = world.truth().fills(index).last().map_or(1.0, |fill| fill.infiltration_left);
        if bank.bank_type == BankType::Closed {
            assert_eq!(left, 1.0, "{}", bank.well_id);
            continue;
        }
        *(if left < 1.0 { &mut clog } else { &mut stay }) += 1;
        let beside = index_of[bank.comparison_well_id.as_ref().unwrap()];
        let well = &world.wells()[beside];
        assert_eq!((well.bank_type, well.ground_elevation), (BankType::Observation, bank.ground_elevation));
        assert_eq!((&well.district_code, well.latitude), (&bank.district_code, bank.latitude));
        let table = world.truth().water_table_m(index).unwrap();
        assert_eq!(Some(table.depth_m(NOW)), world.depth_m(beside, NOW), "{}", bank.well_id);
    }
    assert!(clog > 50 && stay > 50, "{clog} {stay}");
}

/// Recharge less what the reservoir lost is what the level shows.
#[test]
fn truth_and_levels_are_of_one_water() {
    let world = World::new(SimConfig { wells: 154, ..config(NOW, 6) }).unwrap();
    let mut compared = 0;
    for index in 0..world.wells().len() {
        let Some(facts) = world.truth().aquifer(index) else { continue };
        let months = world.truth().recharge_mm(index);
        let level = |month: Month| world.depth_m(index, month.start(BANGKOK_OFFSET_SECONDS)).unwrap();
        // Two dry months of a deep well: it recedes towards its base, the same for all months.
        let bases: Vec<f64> = months
            .iter()
            .filter(|(month, _)| level(*month) > 1.5 && level(month.plus(1)) > 1.5)
            .map(|(month, mm)| {
                let days = f64::from(month.days());
                let kept = (-days / facts.recession_days).exp();
                // What came within the month was lost for half of it.
                let came_m = mm / 1000.0 / facts.specific_yield * kept.sqrt();
                // depth₂ = base + (depth₁ − base)·kept − came
                (level(month.plus(1)) - level(*month) * kept + came_m) / (1.0 - kept)
            })
            .collect();
        let mean = bases.iter().sum::<f64>() / bases.len().max(1) as f64;
        for base in bases {
            compared += 1;
            assert!((base - mean).abs() < 0.05 * mean.abs() + 1.0, "well {index}: base {base:.2} of {mean:.2}");
        }
    }
    assert!(compared > 3000, "{compared}");
}

#[test]
fn truth_tells_of_defects_and_high_water() {
    let world = &*SHORT;
    let truth = world.truth();
    let (mut outages, mut flat, mut spikes, mut drifts, mut high_wells) = (0, 0, 0, 0, 0);
    let (first, last) = (Day(NOW.day(BANGKOK_OFFSET_SECONDS).0 - 600), NOW.day(BANGKOK_OFFSET_SECONDS));
    for (index, well) in world.wells().iter().enumerate().step_by(3) {
        for day in (first.0..last.0).map(Day) {
            let at = day.start(BANGKOK_OFFSET_SECONDS).plus_secs(7 * 3600);
            let defects = truth.defects(index, at);
            outages += u64::from(defects.outage);
            flat += u64::from(defects.flat_since.is_some());
            spikes += u64::from(defects.spike_m.is_some());
            drifts += u64::from(defects.drift_m > 0.0);
            if let (true, Level::Depth(depth), Some(true_depth)) =
                (defects.is_none(), truth.sensed(index, at), world.depth_m(index, at))
            {
                assert!((depth - true_depth).abs() < 0.02, "{}: {depth} {true_depth}", well.well_id);
            }
            assert_eq!(defects.outage, truth.sensed(index, at) == Level::Absent);
        }
        let Some(limit) = well.flood_warning_depth else { continue };
        let spans = truth.high_water(index, limit, first, last);
        high_wells += usize::from(!spans.is_empty());
        assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
        for hour in 0..600 {
            let at = first.start(BANGKOK_OFFSET_SECONDS).plus_secs(hour * 24 * 3600 + hour * 3600 % 86_400);
            let depth = world.depth_m(index, at).unwrap();
            let is_high = spans.iter().any(|span| (span.start..=span.end).contains(&at));
            let within = at < last.start(BANGKOK_OFFSET_SECONDS) && (depth - limit).abs() > 1e-4;
            assert!(!within || is_high == (depth <= limit), "{} {at}: {depth} {limit}", well.well_id);
        }
    }
    assert!(outages > 1000 && flat > 50 && spikes > 10 && drifts > 1000 && high_wells > 30);
}
