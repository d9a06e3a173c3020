//! A model of the archive so plain that it is plainly right, and the random input to compare with it.

use std::collections::BTreeMap;

use gwbank_model::versions::{self, Change, Outcome};
use gwbank_model::{
    GatewayId, Key, Origin, Parameter, QcTests, QualityFlag, Row, Seq, SeriesId, SiteStatus, TimeFormIndex, TimeSource,
    Timestamp, WellId,
};

use crate::RowNames;

/// xorshift64*: the suites need numbers that repeat by seed, not good ones.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    /// From 0 up to but without `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        (self.next_u64() >> 11) % limit
    }
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Every version ever stored, by key, in no particular shape.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub position: Seq,
    versions: BTreeMap<(SeriesId, Timestamp), Vec<Row>>,
}

impl Model {
    pub fn commit(&mut self, rows: &[Row], through: Seq) -> Vec<Outcome> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&i| rows[i].seq);
        let mut outcomes = vec![Outcome::Duplicate; rows.len()];
        for i in order {
            let known = self.versions.entry((rows[i].series, rows[i].time)).or_default();
            let change = versions::compare(known.iter(), &rows[i]);
            outcomes[i] = change.outcome();
            if !matches!(change, Change::Known | Change::Duplicate) {
                known.push(rows[i]);
            }
        }
        self.versions.retain(|_, known| !known.is_empty());
        self.position = self.position.max(through);
        outcomes
    }

    /// One row a key, by series and time.
    pub fn winners(&self) -> Vec<Row> {
        let best = |known: &Vec<Row>| *known.iter().max_by_key(|row| row.precedence()).expect("never empty");
        self.versions.values().map(best).collect()
    }

    /// All others, by series, time and seq.
    pub fn losers(&self) -> Vec<Row> {
        let mut losers = Vec::new();
        for known in self.versions.values() {
            let mut sorted = known.clone();
            sorted.sort_by_key(Row::precedence);
            sorted.pop();
            sorted.sort_by_key(|row| row.seq);
            losers.append(&mut sorted);
        }
        losers
    }

    pub fn keys(&self) -> Vec<Key> {
        self.versions.keys().map(|&(series, time)| Key { series, time }).collect()
    }

    pub fn versions_of(&self, key: Key) -> usize {
        self.versions.get(&(key.series, key.time)).map_or(0, Vec::len)
    }
}

/// Makes random versions of few keys, so that they collide often: months apart, before and after 1970, corrections,
/// redeliveries, requalifications, missing values.
#[derive(Debug)]
pub struct Writer {
    pub random: Random,
    series: Vec<SeriesId>,
    gateways: Vec<gwbank_model::GatewayIndex>,
    /// How senders of times that need correction write them.
    time_forms: Vec<Option<TimeFormIndex>>,
    seq: i64,
    sent: Vec<Row>,
}

const HOUR_MICROS: i64 = 3_600_000_000;

impl Writer {
    pub fn new(seed: u64, names: &RowNames) -> Self {
        let parameters = [Parameter::DepthToWater, Parameter::WaterTemperature, Parameter::Chloride];
        // Names whose order is not the order of their numbers.
        let wells = ["W-3", "W-1", "a-9", "บ่อ-1", "W-20"];
        let series = wells
            .iter()
            .flat_map(|well| parameters.map(|p| names.series.intern(&WellId::new(well).expect("a valid id"), p)))
            .collect();
        let gateways =
            ["gw-2", "gw-1"].map(|id| names.gateways.intern(&GatewayId::new(id).expect("a valid id"))).to_vec();
        let written = Timestamp::from_micros(1_700_000_000_000_001);
        let texts = ["2566-11-15T05:13:20.000001+07:00", "2023-11-14 22:13:20.000001"];
        let time_forms = texts.map(|text| names.time_forms.intern(text, written, None)).to_vec();
        Self { random: Random::new(seed), series, gateways, time_forms, seq: 1_700_000_000_000 << 20, sent: Vec::new() }
    }

    fn time(&mut self) -> Timestamp {
        let random = &mut self.random;
        let start = match random.below(8) {
            0 => -2_000_000_000_000_000,                  // 1906
            1 => 1_706_745_600_000_000 - 3 * HOUR_MICROS, // around the first of February 2024, UTC
            _ => 1_700_000_000_000_000 + (self.seq >> 20) % 1000 * HOUR_MICROS,
        };
        Timestamp::from_micros(start + random.below(6) as i64 * HOUR_MICROS + random.below(2) as i64)
    }

    fn row(&mut self) -> Row {
        self.seq += (1 + self.random.below(3) as i64) << 8;
        let old = (!self.sent.is_empty() && self.random.one_in(3)).then(|| {
            let back = self.random.below(self.sent.len() as u64) as usize;
            self.sent[back]
        });
        if let Some(old) = old {
            return match self.random.below(4) {
                0 => old,                                                                   // met again in a replay
                1 => Row { seq: Seq::from_i64(self.seq), origin: Origin::Received, ..old }, // redelivered
                2 => Row {
                    value: self.random.below(4) as f64,
                    revision: self.random.below(3) as u32,
                    seq: Seq::from_i64(self.seq),
                    origin: Origin::Received,
                    ..old
                },
                _ => Row {
                    quality: if self.random.one_in(2) { QualityFlag::Suspect } else { QualityFlag::Pass },
                    qc_tests: QcTests::from_bits(self.random.below(4) as u16),
                    seq: Seq::from_i64(self.seq),
                    origin: Origin::Requalified,
                    ..old
                },
            };
        }
        let missing = self.random.one_in(6);
        let corrected = self.random.one_in(3);
        Row {
            series: self.series[self.random.below(self.series.len() as u64) as usize],
            gateway: self.gateways[self.random.below(self.gateways.len() as u64) as usize],
            time: self.time(),
            value: if missing { f64::NAN } else { self.random.below(5) as f64 - 1.5 },
            seq: Seq::from_i64(self.seq),
            revision: if self.random.one_in(5) { 1 } else { 0 },
            qc_tests: QcTests::NONE,
            quality: if missing { QualityFlag::Missing } else { QualityFlag::Pass },
            site_status: if self.random.one_in(5) { Some(SiteStatus::Pumping) } else { None },
            time_source: TimeSource::Device,
            origin: Origin::Received,
            time_form: if corrected { self.time_forms[self.random.below(2) as usize] } else { None },
        }
    }

    /// Rows in random order, and the position to commit them with.
    pub fn commit(&mut self, rows_max: u64) -> (Vec<Row>, Seq) {
        let count = self.random.below(rows_max + 1);
        let mut rows: Vec<Row> = (0..count)
            .map(|_| {
                let row = self.row();
                self.sent.push(row);
                row
            })
            .collect();
        for i in (1..rows.len()).rev() {
            rows.swap(i, self.random.below(i as u64 + 1) as usize);
        }
        self.seq += 1 << 8;
        (rows, Seq::from_i64(self.seq))
    }
}
