//! What stands beside a value: the site's status, where its time came from, its quality.

use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} {name:?}")]
pub struct UnknownName {
    pub what: &'static str,
    pub name: String,
}

/// An enum that goes by fixed names outside and by a small code inside.
#[macro_export]
macro_rules! named_enum {
    ($(#[$doc:meta])* $enum:ident, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $code:literal, $name:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $enum { $($(#[$vdoc])* $variant = $code,)* }

        impl $enum {
            pub const ALL: &'static [$enum] = &[$($enum::$variant,)*];
            pub const fn name(self) -> &'static str {
                match self { $($enum::$variant => $name,)* }
            }
            pub const fn code(self) -> u8 {
                self as u8
            }
            pub fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some($enum::$variant),)* _ => None }
            }
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some($enum::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
        impl std::str::FromStr for $enum {
            type Err = $crate::UnknownName;
            fn from_str(name: &str) -> Result<Self, $crate::UnknownName> {
                Self::from_name(name)
                    .ok_or_else(|| $crate::UnknownName { what: $what, name: name.to_owned() })
            }
        }
    };
}

named_enum! {
    /// State of the site at the measurement (after USGS site status codes).
    SiteStatus, "site status" {
        Ok = 1, "ok";
        /// No water down to the deepest measurable depth: a valid low, not a missing value.
        Dry = 2, "dry";
        Pumping = 3, "pumping";
        RecentlyPumped = 4, "recently_pumped";
        NearbyPumping = 5, "nearby_pumping";
        Obstructed = 6, "obstructed";
        Flowing = 7, "flowing";
        Maintenance = 8, "maintenance";
    }
}

named_enum! {
    /// Where a reading's time came from.
    TimeSource, "time source" {
        /// As the device stated it.
        Device = 0, "device";
        /// Resolved from a relative time (`age_s`, SenML below 2^28) at arrival.
        Received = 1, "received";
        /// A Buddhist-era year, minus 543.
        BuddhistEra = 2, "buddhist_era";
        /// Without offset; the gateway's configured `clock_zone` was applied.
        ClockZone = 3, "clock_zone";
    }
}

named_enum! {
    /// QARTOD quality flag of one reading.
    QualityFlag, "quality flag" {
        Pass = 1, "pass";
        NotEvaluated = 2, "not_evaluated";
        Suspect = 3, "suspect";
        Fail = 4, "fail";
        Missing = 9, "missing";
    }
}

impl QualityFlag {
    /// Place in the roll-up order 9 < 2 < 1 < 3 < 4, in which the last wins (ioos_qc `qartod_compare`).
    const fn severity(self) -> u8 {
        match self {
            QualityFlag::Missing => 0,
            QualityFlag::NotEvaluated => 1,
            QualityFlag::Pass => 2,
            QualityFlag::Suspect => 3,
            QualityFlag::Fail => 4,
        }
    }

    /// The worse of two flags: unknown gives way to good, good to suspect, suspect to fail.
    pub fn worst(self, other: QualityFlag) -> QualityFlag {
        if other.severity() > self.severity() { other } else { self }
    }
}

named_enum! {
    /// The QARTOD water-level tests (manual 2.1), and those of our own from `uncompensated` on.
    QcTest, "quality test" {
        Gap = 0, "gap";
        Syntax = 1, "syntax";
        Location = 2, "location";
        GrossRange = 3, "gross_range";
        Climatology = 4, "climatology";
        Spike = 5, "spike";
        RateOfChange = 6, "rate_of_change";
        FlatLine = 7, "flat_line";
        MultiVariate = 8, "multi_variate";
        AttenuatedSignal = 9, "attenuated_signal";
        Neighbour = 10, "neighbour";
        /// Absolute pressure without a barometer.
        Uncompensated = 11, "uncompensated";
        /// The sensor left the truth slowly: against a reference, or by a ramp that ended with a jump back.
        Drift = 12, "drift";
        /// The sensor stood elsewhere for a while: moved, hung differently, replaced.
        LevelShift = 13, "level_shift";
        /// A person rejected the reading.
        Review = 14, "review";
    }
}

/// The set of tests that found a reading suspect or failed. Bit n is the test of code n; 0 means that none objected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct QcTests(u16);

impl QcTests {
    pub const NONE: QcTests = QcTests(0);

    pub const fn bits(self) -> u16 {
        self.0
    }
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
    pub const fn contains(self, test: QcTest) -> bool {
        self.0 & (1 << test.code()) != 0
    }
    #[must_use]
    pub const fn with(self, test: QcTest) -> Self {
        Self(self.0 | 1 << test.code())
    }
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    pub fn iter(self) -> impl Iterator<Item = QcTest> {
        QcTest::ALL.iter().copied().filter(move |&test| self.contains(test))
    }
}

impl fmt::Debug for QcTests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(QcTest::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roll_up_order_is_that_of_ioos_qc() {
        use QualityFlag::*;
        let order = [Missing, NotEvaluated, Pass, Suspect, Fail];
        for (i, &a) in order.iter().enumerate() {
            for (j, &b) in order.iter().enumerate() {
                assert_eq!(a.worst(b), order[i.max(j)]);
            }
        }
    }

    #[test]
    fn a_set_of_tests_lists_its_members() {
        let tests = QcTests::NONE.with(QcTest::Spike).with(QcTest::FlatLine);
        assert_eq!(format!("{tests:?}"), r#"{"spike", "flat_line"}"#);
        assert!(!tests.contains(QcTest::GrossRange));
    }
}
