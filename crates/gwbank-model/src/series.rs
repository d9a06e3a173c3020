//! Dense numbers for names, private to one process.
//!
//! Series and gateway numbers exist so that hot paths compare a `u32` instead of text. They are given out in order of
//! first sight and must never reach the journal, an archive or the wire: another process numbers differently.

use std::fmt;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use hashbrown::HashMap;

use crate::{GatewayId, Parameter, Timestamp, WellId};

/// One parameter of one well, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    pub well: WellId,
    pub parameter: Parameter,
}

/// One parameter of one well, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesId(pub u32);

/// The key of a reading within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub series: SeriesId,
    pub time: Timestamp,
}

/// A gateway (or another origin, such as `http` or `import`), by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GatewayIndex(pub u32);

impl GatewayIndex {
    /// Of [`GatewayId::REVIEW`], in every table: what a version was superseded for is decided where no names are at hand.
    pub const REVIEW: GatewayIndex = GatewayIndex(0);
}

#[derive(Default)]
struct SeriesNames {
    keys: Vec<SeriesKey>,
    /// By well, then by parameter code: a lookup hashes the well's text once and needs no owned key.
    by_well: HashMap<WellId, [Option<SeriesId>; Parameter::ALL.len()]>,
}

/// The series known at a moment.
pub struct KnownSeries<'a>(RwLockReadGuard<'a, SeriesNames>);

impl KnownSeries<'_> {
    pub fn get(&self, well: &str, parameter: Parameter) -> Option<SeriesId> {
        self.0.by_well.get(well)?[usize::from(parameter.code())]
    }

    /// Every series in the order of its number, as [`SeriesTable::keys`] has them.
    pub fn keys(&self) -> &[SeriesKey] {
        &self.0.keys
    }
}

/// All series that this process has seen. Grows, never shrinks; cheap to share.
#[derive(Clone, Default)]
pub struct SeriesTable(Arc<RwLock<SeriesNames>>);

impl SeriesTable {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.read().keys.len()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, well: &str, parameter: Parameter) -> Option<SeriesId> {
        self.known().get(well, parameter)
    }

    /// For many look-ups: one lock, which all threads share, in place of one for each. To be let go of before
    /// [`Self::intern`].
    pub fn known(&self) -> KnownSeries<'_> {
        KnownSeries(self.read())
    }

    /// The series' number, given now if it had none.
    pub fn intern(&self, well: &WellId, parameter: Parameter) -> SeriesId {
        if let Some(series) = self.get(well.as_str(), parameter) {
            return series;
        }
        let mut names = self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let next = SeriesId(u32::try_from(names.keys.len()).expect("fewer than 2^32 series"));
        let slots = names.by_well.entry(well.clone()).or_insert([None; Parameter::ALL.len()]);
        let slot = &mut slots[usize::from(parameter.code())];
        if let Some(series) = *slot {
            return series; // another thread was first
        }
        *slot = Some(next);
        names.keys.push(SeriesKey { well: well.clone(), parameter });
        next
    }

    /// The name of a number that this table gave out.
    ///
    /// # Panics
    /// On a number of another table.
    pub fn key(&self, series: SeriesId) -> SeriesKey {
        self.read().keys[series.0 as usize].clone()
    }

    /// Every series in the order of its number: element n is the name of `SeriesId(n)`.
    pub fn keys(&self) -> Vec<SeriesKey> {
        self.read().keys.clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, SeriesNames> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for SeriesTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesTable({} series)", self.len())
    }
}

struct GatewayNames {
    ids: Vec<GatewayId>,
    by_id: HashMap<GatewayId, GatewayIndex>,
}

impl Default for GatewayNames {
    fn default() -> Self {
        let review = GatewayId::new(GatewayId::REVIEW).expect("a valid id");
        Self { ids: vec![review.clone()], by_id: HashMap::from([(review, GatewayIndex::REVIEW)]) }
    }
}

/// All gateways that this process has seen.
#[derive(Clone, Default)]
pub struct GatewayTable(Arc<RwLock<GatewayNames>>);

impl GatewayTable {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn get(&self, id: &str) -> Option<GatewayIndex> {
        self.read().by_id.get(id).copied()
    }
    pub fn intern(&self, id: &GatewayId) -> GatewayIndex {
        if let Some(index) = self.get(id.as_str()) {
            return index;
        }
        let mut names = self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(&index) = names.by_id.get(id) {
            return index;
        }
        let index = GatewayIndex(u32::try_from(names.ids.len()).expect("fewer than 2^32 gateways"));
        names.ids.push(id.clone());
        names.by_id.insert(id.clone(), index);
        index
    }
    /// # Panics
    /// On a number of another table.
    pub fn id(&self, index: GatewayIndex) -> GatewayId {
        self.read().ids[index.0 as usize].clone()
    }
    pub fn ids(&self) -> Vec<GatewayId> {
        self.read().ids.clone()
    }
    fn read(&self) -> std::sync::RwLockReadGuard<'_, GatewayNames> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for GatewayTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GatewayTable({} gateways)", self.read().ids.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let table = SeriesTable::new();
        let well = WellId::new("A").unwrap();
        let depth = table.intern(&well, Parameter::DepthToWater);
        let temperature = table.intern(&well, Parameter::WaterTemperature);
        assert_ne!(depth, temperature);
        assert_eq!(table.intern(&well, Parameter::DepthToWater), depth);
        assert_eq!(table.get("A", Parameter::WaterTemperature), Some(temperature));
        assert_eq!(table.get("B", Parameter::WaterTemperature), None);
        assert_eq!(table.key(depth).parameter, Parameter::DepthToWater);
    }
}
