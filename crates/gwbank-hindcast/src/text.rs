//! What a replay found, as plain text in English for a terminal or a report.

use std::fmt;

use gwbank_model::condition::{Hazard, Severity};

use crate::normal_climate::{Flagged, NORMAL_CLIMATE_SHARE_MAX, NormalClimate, Share};
use crate::skill::Skill;
use crate::summary::{PlaceMonths, Summary};

/// `7.4 % ± 0.5`: the mean in percent and half of its 95 % interval.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.mean * 100.0)?;
        match self.half_width() {
            Some(half) => write!(f, " ± {:.1}", half * 100.0),
            None => f.write_str(" (one climate, no uncertainty)"),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "flags by year, hazard, scope and worst severity")?;
        for ((year, hazard, scope, severity), count) in &self.flags {
            writeln!(f, "  {year} {:<9} {:<11} {:<8} {count:>6}", hazard.name(), scope.name(), severity.name())?;
        }
        for ((hazard, scope), kind) in &self.kinds {
            writeln!(f, "{} of {}: {} flags, {} of them open", hazard.name(), scope.name(), kind.flags, kind.open)?;
            writeln!(
                f,
                "  months open: median {}, longest {} ({})",
                kind.median_months, kind.longest_months, kind.longest
            )?;
            // A drought is told at closings alone.
            if let (Hazard::Flood | Hazard::Salinity, Some(days)) = (hazard, kind.median_days) {
                writeln!(f, "  of those that ended a median of {days:.1} days")?;
            }
            writeln!(f, "  raised again within two months: {} ({:.1} %)", kind.flapping, kind.flapping_share * 100.0)?;
            match kind.median_lead_months {
                Some(lead) => writeln!(f, "  worsened: {}, a median of {lead} months after the raise", kind.worsened)?,
                None => writeln!(f, "  none worsened after it was raised")?,
            }
        }
        for (scope, months) in &self.place_months {
            writeln!(f, "{} months: {}", scope.name(), PlaceMonthsText(months))?;
        }
        Ok(())
    }
}

struct PlaceMonthsText<'a>(&'a PlaceMonths);

impl fmt::Display for PlaceMonthsText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let months = self.0;
        write!(f, "{}, judged {}", months.months, months.judged)?;
        if let Some(share) = months.share_not_judged() {
            write!(f, ", not judged {:.1} %", share * 100.0)?;
        }
        for (why, count) in &months.not_judged {
            write!(f, ", {why} {count}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Skill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: Option<f64>| share.map_or("none".to_owned(), |share| format!("{:.0} %", share * 100.0));
        let events = self.hits.len() + self.misses.len();
        writeln!(f, "detected {} of {events} events: {}", self.hits.len(), percent(self.probability_of_detection))?;
        writeln!(
            f,
            "false alarms {} of {} flags: {}",
            self.false_alarms.len(),
            self.flags,
            percent(self.false_alarm_ratio)
        )?;
        if self.probability_of_detection_where_judged != self.probability_of_detection {
            let share = percent(self.probability_of_detection_where_judged);
            writeln!(f, "detected of the events that could be judged: {share}")?;
        }
        if let Some(lead) = self.median_lead_months {
            writeln!(f, "median lead {lead} months (negative: after the start)")?;
        }
        let event = |event: &crate::events::KnownEvent| {
            let (scope, hazard) = (event.scope.name(), event.hazard.name());
            format!("line {}: {hazard} of {scope} {} {} to {}", event.line, event.code, event.start, event.end)
        };
        for hit in &self.hits {
            writeln!(f, "  hit {}, lead {}: {}", event(&hit.event), hit.lead_months, hit.flags.join(" "))?;
        }
        for miss in &self.misses {
            let why = if miss.judged_months == Some(0) { ", which could not be judged" } else { "" };
            writeln!(f, "  missed {}{why}", event(&miss.event))?;
        }
        for outside in &self.outside {
            writeln!(f, "  outside of the replay {}", event(outside))?;
        }
        for alarm in &self.false_alarms {
            writeln!(f, "  false alarm {alarm}")?;
        }
        Ok(())
    }
}

impl fmt::Display for NormalClimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(flagged) = self.flagged else {
            return writeln!(f, "normal climate: no province could be judged");
        };
        let aim = NORMAL_CLIMATE_SHARE_MAX * 100.0;
        let verdict = if self.is_within_aim() { "within" } else { "above" };
        writeln!(
            f,
            "normal climate: flags at warning or worse in {flagged} of judged province-months, {verdict} the aim of {aim:.0} % \
             ({} climates, {} province-months)",
            self.climates, self.judged
        )?;
        if let Some(claimed) = self.claimed {
            writeln!(f, "  months that claim it themselves {claimed}; the rest is kept up by the exit rules")?;
        }
        if let Some(any) = self.flagged_at_all {
            writeln!(f, "  flags of any severity {any}")?;
        }
        if let Some(wells) = self.wells_severe {
            writeln!(f, "  wells' months severe or worse {wells}")?;
        }
        for severity in Severity::ALL {
            let count = self.claims.get(severity).copied().unwrap_or(0);
            let share = if self.judged == 0 { 0.0 } else { count as f64 / self.judged as f64 };
            writeln!(f, "  claims {:<8} {:.1} %", severity.name(), share * 100.0)?;
        }
        let percent = |of: &Flagged| of.share().unwrap_or(0.0) * 100.0;
        for (years, of) in &self.by_record {
            writeln!(f, "  records from {years} years {:.1} % of {}", percent(of), of.judged)?;
        }
        for (wells, of) in &self.by_wells {
            writeln!(f, "  provinces from {wells} eligible wells {:.1} % of {}", percent(of), of.judged)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::parse_events;
    use crate::testing::episode;
    use crate::{JudgedMonths, Replayed, SkillRules, skill};
    use gwbank_model::Month;

    const JAN: Month = Month::new(2020, 1);

    #[test]
    fn a_summary_reads_well() {
        let mut summary = Summary::default();
        summary.add_flags(&[episode("30", JAN, Some(JAN.plus(4)))], JAN.plus(11));
        let expected = "flags by year, hazard, scope and worst severity\n  2020 drought   province    warning       1\n\
                        drought of province: 1 flags, 0 of them open\n  months open: median 4, longest 4 \
                        (drought-province-30-2020-01)\n  raised again within two months: 0 (0.0 %)\n  none worsened after it \
                        was raised\n";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn skill_lists_hits_and_false_alarms() {
        let events = parse_events(b"scope,code,hazard,start,end\nprovince,30,drought,2020-02,2020-03\n").unwrap();
        let flags = [episode("30", JAN, None), episode("31", JAN, None)];
        let judged = JudgedMonths::default();
        let replayed = Replayed { episodes: &flags, judged: &judged, span: (JAN, JAN.plus(11)) };
        let found = skill(replayed, &events, [], &SkillRules::default());
        let expected = "detected 1 of 1 events: 100 %\nfalse alarms 1 of 2 flags: 50 %\nmedian lead 1 months (negative: after \
                        the start)\n  hit line 2: drought of province 30 2020-02 to 2020-03, lead 1: \
                        drought-province-30-2020-01\n  false alarm drought-province-31-2020-01\n";
        assert_eq!(found.to_string(), expected);
    }

    #[test]
    fn a_share_tells_its_uncertainty() {
        let share = Share { mean: 0.0738, standard_error: Some(0.0023), lowest: 0.07, highest: 0.08, climates: 20 };
        assert_eq!(share.to_string(), "7.4 % ± 0.5");
        assert_eq!(
            Share { standard_error: None, climates: 1, ..share }.to_string(),
            "7.4 % (one climate, no uncertainty)"
        );
    }
}
