//! Water turning salt, of places from their wells. Counted, and never a share: one bore that turns salt is one farmer's water.
//!
//! A district is as bad as its worst well at warning or worse. A province is at watch with one such well, at warning with two, at
//! severe with three severe ones: INDICATORS leaves the numbers open; these follow those of high groundwater.

use gwbank_model::condition::{Scope, Severity};

/// Of the wells that measure salinity: what they amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceSalinity {
    pub severity: Option<Severity>,
    pub measuring: u32,
    /// Wells at warning or worse, and those of them at severe or worse.
    pub counted: u32,
    pub severe: u32,
}

impl PlaceSalinity {
    /// Wells are counted from this on.
    pub const COUNTED_FROM: Severity = Severity::Warning;

    /// A place of this scope from the severities of its wells that measure salinity.
    ///
    /// - **Source, limits**: none; this project's. **Weak**: says nothing of how many people drink there.
    ///
    /// ```
    /// use gwbank_indicator::PlaceSalinity;
    /// use gwbank_model::condition::{Scope, Severity};
    ///
    /// let wells = [Some(Severity::Severe), Some(Severity::Watch), None];
    /// assert_eq!(PlaceSalinity::of(Scope::District, wells).severity, Some(Severity::Severe));
    /// let province = PlaceSalinity::of(Scope::Province, wells);
    /// assert_eq!((province.severity, province.counted, province.measuring), (Some(Severity::Watch), 1, 3));
    /// ```
    pub fn of(scope: Scope, wells: impl IntoIterator<Item = Option<Severity>>) -> Self {
        let mut found = Self { severity: None, measuring: 0, counted: 0, severe: 0 };
        let mut worst = None;
        for severity in wells {
            found.measuring += 1;
            if severity >= Some(Self::COUNTED_FROM) {
                found.counted += 1;
                found.severe += u32::from(severity >= Some(Severity::Severe));
                worst = severity.max(worst);
            }
        }
        found.severity = match scope {
            Scope::Province => province_severity(found.counted, found.severe),
            _ => worst,
        };
        found
    }
}

fn province_severity(counted: u32, severe: u32) -> Option<Severity> {
    match (counted, severe) {
        (_, 3..) => Some(Severity::Severe),
        (2.., _) => Some(Severity::Warning),
        (1, _) => Some(Severity::Watch),
        (0, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_province_counts_wells() {
        assert_eq!(province_severity(0, 0), None);
        assert_eq!(province_severity(1, 1), Some(Severity::Watch));
        assert_eq!(province_severity(2, 2), Some(Severity::Warning));
        assert_eq!(province_severity(9, 2), Some(Severity::Warning));
        assert_eq!(province_severity(3, 3), Some(Severity::Severe));
    }
}
