//! The limits by name.

use serde::{Deserialize, Serialize};

use super::{OverrideError, SeriesOverrides};

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: Option<f64>,)*
        }
        impl $name {
            const NAMES: &'static [&'static str] = &[$(stringify!($field),)*];
            fn limit_mut(&mut self, name: &str) -> Option<&mut Option<f64>> {
                match name { $(stringify!($field) => Some(&mut self.$field),)* _ => None }
            }
        }
    )*};
}

limits! {
    /// In the parameter's unit. Limits are inside.
    GrossRangeLimits {
        /// What the sensor can say; outside fails.
        sensor_min,
        sensor_max,
        /// What is expected here; outside is suspect.
        user_min,
        user_max,
    }
    SpikeLimits {
        suspect,
        /// Ten times `suspect` where the parameter has no default.
        fail,
        /// Raises the limits to this share of the value.
        relative_share,
        /// 1: limits grow with √hours between readings; 0: they do not.
        grows_with_hours,
        gap_max_hours,
    }
    RateOfChangeLimits {
        suspect_per_hour,
        fail_per_hour,
        /// Shorter times count as this long.
        elapsed_min_minutes,
        gap_max_hours,
    }
    FlatLineLimits {
        tolerance,
        suspect_hours,
        suspect_readings_min,
        fail_hours,
        fail_readings_min,
        gap_max_hours,
    }
    GapLimits {
        silence_max_hours,
    }
    /// Where the sensor ends, one of the two: what it says there stands still rightly.
    FloorLimits {
        /// Depths.
        at_or_above,
        /// Elevations, heights, pressures.
        at_or_below,
    }
    AttenuatedSignalLimits {
        range_min,
        suspect_hours,
        suspect_readings_min,
        fail_hours,
        fail_readings_min,
        gap_max_hours,
    }
    /// Both are needed.
    SpanLimits {
        min,
        max,
    }
}

/// Month by month, in the calendar of a fixed zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClimatologyLimits {
    /// 7 where it is not given.
    pub utc_offset_hours: Option<f64>,
    pub january: SpanLimits,
    pub february: SpanLimits,
    pub march: SpanLimits,
    pub april: SpanLimits,
    pub may: SpanLimits,
    pub june: SpanLimits,
    pub july: SpanLimits,
    pub august: SpanLimits,
    pub september: SpanLimits,
    pub october: SpanLimits,
    pub november: SpanLimits,
    pub december: SpanLimits,
}

pub(super) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

impl ClimatologyLimits {
    pub(super) fn months_mut(&mut self) -> [&mut SpanLimits; 12] {
        [
            &mut self.january,
            &mut self.february,
            &mut self.march,
            &mut self.april,
            &mut self.may,
            &mut self.june,
            &mut self.july,
            &mut self.august,
            &mut self.september,
            &mut self.october,
            &mut self.november,
            &mut self.december,
        ]
    }
}

impl SeriesOverrides {
    /// `test.limit` or `climatology.month.limit`.
    pub(super) fn limit_mut(&mut self, key: &str) -> Option<&mut Option<f64>> {
        let (test, limit) = key.split_once('.')?;
        match test {
            "gross_range" => self.gross_range.limit_mut(limit),
            "spike" => self.spike.limit_mut(limit),
            "rate_of_change" => self.rate_of_change.limit_mut(limit),
            "flat_line" => self.flat_line.limit_mut(limit),
            "gap" => self.gap.limit_mut(limit),
            "floor" => self.floor.limit_mut(limit),
            "attenuated_signal" => self.attenuated_signal.limit_mut(limit),
            "climatology" if limit == "utc_offset_hours" => Some(&mut self.climatology.utc_offset_hours),
            "climatology" => {
                let (month, limit) = limit.split_once('.')?;
                let number = MONTHS.iter().position(|name| *name == month)?;
                self.climatology.months_mut().into_iter().nth(number)?.limit_mut(limit)
            }
            _ => None,
        }
    }

    /// Every key of [`Self::limit_mut`].
    pub(super) fn limit_keys() -> Vec<String> {
        let tests: [(&str, &[&str]); 7] = [
            ("gross_range", GrossRangeLimits::NAMES),
            ("spike", SpikeLimits::NAMES),
            ("rate_of_change", RateOfChangeLimits::NAMES),
            ("flat_line", FlatLineLimits::NAMES),
            ("gap", GapLimits::NAMES),
            ("floor", FloorLimits::NAMES),
            ("attenuated_signal", AttenuatedSignalLimits::NAMES),
        ];
        let months = MONTHS.map(|month| format!("climatology.{month}"));
        let months = months.iter().map(|month| (month.as_str(), SpanLimits::NAMES));
        let sections = tests.into_iter().chain(months);
        let keys = sections.flat_map(|(test, limits)| limits.iter().map(move |limit| format!("{test}.{limit}")));
        keys.chain(["climatology.utc_offset_hours".to_owned()]).collect()
    }

    /// For an error: the months would be a long list.
    pub(super) fn limit_names() -> Vec<String> {
        let is_short = |key: &String| !key.starts_with("climatology.") || key.ends_with("hours");
        let mut names: Vec<String> = Self::limit_keys().into_iter().filter(is_short).collect();
        names.push("climatology.january.min and so on".to_owned());
        names
    }

    /// Limits that are no numbers, or negative where that means nothing.
    pub(super) fn number_faults(&self, section: &str) -> Vec<OverrideError> {
        let mut limits = self.clone();
        let fault = |key: String| {
            let value = limits.limit_mut(&key).and_then(|limit| *limit)?;
            let may_be_negative = ["gross_range", "climatology", "floor"].iter().any(|test| key.starts_with(test));
            let (problem, mend) = match value {
                value if !value.is_finite() => ("is not a finite number", "give a number"),
                value if value < 0.0 && !may_be_negative => ("is negative", "give 0 or more"),
                _ => return None,
            };
            let (section, problem, mend) = (section.to_owned(), problem.to_owned(), mend.to_owned());
            Some(OverrideError { section, key, problem, mend })
        };
        Self::limit_keys().into_iter().filter_map(fault).collect()
    }
}
