//! From names to numbers: which readings belong to registered wells, as rows of the pipeline.

use std::sync::Once;

use gwbank_model::{
    GatewayIndex, Key, Origin, Parameter, QcTests, QualityFlag, Reading, Row, Seq, SeriesId, TimeFormIndex, TimeSource,
    Timestamp, WellId,
};
use gwbank_registry::Registry;
use gwbank_store::RowNames;
use gwbank_wire::Fault;
use hashbrown::HashMap;

use crate::fault::{impossible_value, unknown_wells};
use crate::record::Content;

/// Most series of a message whose impossible values get a dead letter each.
const IMPOSSIBLE_LISTED_MAX: usize = 64;

/// Rows without a sequence yet.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    /// For each row how many earlier ones of the message have its key; empty when none has.
    pub(crate) repeats: Vec<u32>,
}

impl Rows {
    /// Sequences that the message needs.
    pub(crate) fn seq_count(&self) -> u32 {
        self.repeats.iter().max().map_or(1, |most| most + 1)
    }

    /// Gives the rows their sequences.
    pub(crate) fn number(&mut self, first: Seq) {
        for row in &mut self.rows {
            row.seq = first;
        }
        for (row, repeat) in self.rows.iter_mut().zip(&self.repeats) {
            row.seq = first.nth(*repeat);
        }
    }
}

/// Splits readings into those of registered wells and faults: one for each unregistered well, up to a bound.
pub(crate) fn keep_registered(mut readings: Vec<Reading>, mut faults: Vec<Fault>, registry: &Registry) -> Content {
    let unknown = take_unregistered(&mut readings, registry);
    faults.extend(unknown_wells(unknown));
    Content { readings, faults, ..Content::default() }
}

/// Whether a reading says a value that is no finite number.
pub(crate) fn is_impossible(reading: &Reading) -> bool {
    reading.value.is_some_and(|value| !value.is_finite())
}

/// Takes out the readings whose value is no finite number: NaN stands for a missing value in rows, and what the journal could
/// not read back must not get into it. Decoders give none; this is the door of what was read elsewhere.
pub(crate) fn take_impossible(readings: &mut Vec<Reading>) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    readings.retain(|reading| {
        if !is_impossible(reading) {
            return true;
        }
        let fault = impossible_value(reading);
        let is_full = faults.len() == IMPOSSIBLE_LISTED_MAX;
        // The last one stands for the rest, too.
        let last = faults.len().saturating_sub(1);
        match faults.iter().position(|known| known.subject == fault.subject).or(is_full.then_some(last)) {
            Some(known) => faults[known].readings += 1,
            None => faults.push(fault),
        }
        false
    });
    faults
}

/// Takes out the readings of unregistered wells, and counts them by well in the order of first sight.
pub(crate) fn take_unregistered(readings: &mut Vec<Reading>, registry: &Registry) -> Vec<(WellId, u64)> {
    let mut unknown: Vec<(WellId, u64)> = Vec::new();
    let mut places: HashMap<WellId, usize> = HashMap::new();
    // Readings of one well mostly stand together; its place is `None` when it is registered.
    let mut last: Option<(WellId, Option<usize>)> = None;
    readings.retain(|reading| {
        let place = match &last {
            Some((well, place)) if *well == reading.well => *place,
            _ => {
                let registered = registry.well(reading.well.as_str()).is_some();
                let place = (!registered).then(|| {
                    *places.entry(reading.well.clone()).or_insert_with(|| {
                        unknown.push((reading.well.clone(), 0));
                        unknown.len() - 1
                    })
                });
                last = Some((reading.well.clone(), place));
                place
            }
        };
        if let Some(place) = place {
            unknown[place].1 += 1;
        }
        place.is_none()
    });
    unknown
}

/// What a row was made of.
pub(crate) fn reading(row: &Row, names: &RowNames) -> Reading {
    let key = names.series.key(row.series);
    Reading {
        well: key.well,
        parameter: key.parameter,
        time: row.time,
        time_source: row.time_source,
        value: row.value(),
        site_status: row.site_status,
        revision: row.revision,
        time_raw: row.time_form.map(|form| names.time_forms.reader().render(form, row.time).into()),
    }
}

/// The rows of readings, in their order.
pub(crate) fn rows<'a>(readings: &'a [Reading], names: &RowNames, gateway: GatewayIndex) -> Rows {
    // Readings of one series mostly stand together, and a look into the table costs more than the rest of the row.
    let mut last: Option<(&WellId, Parameter, SeriesId)> = None;
    let mut known = Some(names.series.known());
    let mut number_of = |reading: &'a Reading| match last {
        Some((well, parameter, same)) if parameter == reading.parameter && *well == reading.well => same,
        _ => {
            let found = known.as_ref().and_then(|known| known.get(reading.well.as_str(), reading.parameter));
            let number = found.unwrap_or_else(|| {
                drop(known.take()); // who gives a new number waits for all readers
                let number = names.series.intern(&reading.well, reading.parameter);
                known = Some(names.series.known());
                number
            });
            last = Some((&reading.well, reading.parameter, number));
            number
        }
    };
    let mut last_form = None;
    let mut form_of = |reading: &Reading| {
        let time_raw = reading.time_raw.as_deref()?;
        last_form = names.time_forms.intern(time_raw, reading.time, last_form);
        last_form.or_else(|| warn_of_text_without_place(reading))
    };
    let rows: Vec<Row> = readings
        .iter()
        .map(|reading| Row {
            series: number_of(reading),
            gateway,
            time: reading.time,
            value: reading.value.unwrap_or(f64::NAN),
            seq: Seq::ZERO,
            revision: reading.revision,
            qc_tests: QcTests::NONE,
            quality: QualityFlag::NotEvaluated,
            site_status: reading.site_status,
            time_source: reading.time_source,
            origin: Origin::Received,
            time_form: form_of(reading),
        })
        .collect();
    let repeats = repeats(&rows);
    Rows { rows, repeats }
}

/// Told once: who sends such texts sends many.
fn warn_of_text_without_place(reading: &Reading) -> Option<TimeFormIndex> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!(
            well = %reading.well,
            time_raw = reading.time_raw.as_deref(),
            "too many ways of writing times; further new ones are not shown in time_raw"
        );
    });
    None
}

/// Whether any time was resolved at arrival, so that a redelivery would differ.
pub(crate) fn depends_on_arrival(readings: &[Reading]) -> bool {
    readings.iter().any(|reading| reading.time_source == TimeSource::Received)
}

/// The newest time that the device's own clock gave.
pub(crate) fn newest_by_device(readings: &[Reading]) -> Option<Timestamp> {
    let by_device = readings.iter().filter(|reading| reading.time_source != TimeSource::Received);
    by_device.map(|reading| reading.time).max()
}

fn repeats(rows: &[Row]) -> Vec<u32> {
    // Nearly all messages come in the order of (time, series) or (series, time), which proves their keys distinct.
    let rises_by = |rank: fn(&Row) -> (i64, i64)| rows.windows(2).all(|pair| rank(&pair[0]) < rank(&pair[1]));
    if rises_by(|row| (row.time.as_micros(), i64::from(row.series.0)))
        || rises_by(|row| (i64::from(row.series.0), row.time.as_micros()))
    {
        return Vec::new();
    }
    let mut seen: HashMap<Key, u32> = HashMap::with_capacity(rows.len());
    let repeats: Vec<u32> = rows
        .iter()
        .map(|row| {
            let count = seen.entry(row.key()).or_insert(0);
            *count += 1;
            *count - 1
        })
        .collect();
    if repeats.iter().any(|repeat| *repeat > 0) { repeats } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::UNKNOWN_WELLS_LISTED_MAX;
    use gwbank_model::Parameter;

    fn reading(well: &str, secs: i64) -> Reading {
        Reading {
            well: WellId::new(well).unwrap(),
            parameter: Parameter::DepthToWater,
            time: Timestamp::from_secs(secs),
            time_source: TimeSource::Device,
            value: Some(1.0),
            site_status: None,
            revision: 0,
            time_raw: None,
        }
    }

    #[test]
    fn unknown_wells_are_listed_up_to_a_bound_and_all_counted() {
        let wells = UNKNOWN_WELLS_LISTED_MAX + 1000;
        let readings = (0..3 * wells).map(|n| reading(&format!("W-{}", n % wells), n as i64)).collect();
        let content = keep_registered(readings, Vec::new(), &Registry::default());
        assert_eq!((content.readings.len(), content.faults.len()), (0, UNKNOWN_WELLS_LISTED_MAX + 1));
        assert_eq!((content.faults[0].subject.as_str(), content.faults[0].readings), ("W-0", 3));
        let rest = &content.faults[UNKNOWN_WELLS_LISTED_MAX];
        assert_eq!((rest.subject.as_str(), rest.readings), ("", 3000));
        assert!(rest.detail.starts_with("1000 further wells"), "{}", rest.detail);
    }

    #[test]
    fn a_key_that_repeats_takes_a_sequence_more() {
        let names = RowNames::default();
        let readings = [reading("A", 1), reading("B", 1), reading("A", 1), reading("A", 0), reading("A", 1)];
        let mut rows = rows(&readings, &names, GatewayIndex(0));
        assert_eq!(rows.repeats, [0, 0, 1, 0, 2]);
        assert_eq!(rows.seq_count(), 3);
        let first = Seq::from_i64(5 << 20);
        rows.number(first);
        let seqs: Vec<Seq> = rows.rows.iter().map(|row| row.seq).collect();
        assert_eq!(seqs, [first, first, first.nth(1), first, first.nth(2)]);
    }

    #[test]
    fn distinct_keys_take_one_sequence() {
        let names = RowNames::default();
        let in_order = [reading("A", 1), reading("B", 1), reading("A", 2)];
        let mixed = [reading("B", 2), reading("A", 1), reading("B", 1)];
        for readings in [&in_order[..], &mixed[..], &[]] {
            let rows = rows(readings, &names, GatewayIndex(0));
            assert_eq!((rows.repeats.len(), rows.seq_count()), (0, 1));
        }
    }
}
