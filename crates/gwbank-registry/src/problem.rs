//! Cross checks over a registry: what one row alone cannot show.

use std::fmt;

use gwbank_model::WellId;

use crate::{BankType, Installation, Registry, Well, places};

/// How much a problem matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Something will not be judged, or is likely a mistake.
    Warning,
    /// The registry contradicts itself.
    Error,
}

/// One thing that is wrong with a registered well, and the mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryProblem {
    pub weight: Weight,
    pub well_id: WellId,
    /// The column to mend.
    pub column: &'static str,
    pub problem: String,
    pub mend: &'static str,
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "well {}: {}: {}; {}", self.well_id, self.column, self.problem, self.mend)
    }
}

pub(crate) fn check(registry: &Registry) -> Vec<RegistryProblem> {
    let mut problems = Vec::new();
    for well in registry.wells() {
        check_well(registry, well, &mut problems);
    }
    check_installations(registry, &mut problems);
    problems.sort_by(|a, b| a.well_id.cmp(&b.well_id));
    problems
}

fn check_well(registry: &Registry, well: &Well, problems: &mut Vec<RegistryProblem>) {
    use Weight::{Error, Warning};
    let mut found = |weight, column, problem: String, mend| {
        problems.push(RegistryProblem { weight, well_id: well.well_id.clone(), column, problem, mend });
    };
    for (column, problem, mend) in contradictions(well) {
        found(Error, column, problem, mend);
    }
    if let Some(other) = &well.comparison_well_id {
        match registry.well(other.as_str()) {
            None => found(Error, "comparison_well_id", format!("well {other} is not registered"), "register it first"),
            Some(other) if other.bank_type != BankType::Observation => found(
                Warning,
                "comparison_well_id",
                format!("well {} is a bank itself", other.well_id),
                "name an observation well that the bank does not reach",
            ),
            Some(_) => {}
        }
    }
    if well.is_outside_its_province() {
        let province = places::province(&well.province_code).map_or("", |p| p.name_en);
        let problem = format!("the location lies more than {} km outside {province}", places::LOCATION_TOLERANCE_KM);
        found(Warning, "latitude", problem, "mend the location or province_code; until then its readings are suspect");
    }
    let flood_capable = well.bank_type != BankType::Closed;
    if flood_capable && well.flood_warning_depth.is_none() && well.flood_danger_depth.is_none() {
        let mend = "give both depths if high groundwater matters here; without them a flood flag is a watch at most";
        found(Warning, "flood_warning_depth", "no flood limits".into(), mend);
    }
}

/// What within one well contradicts itself: (column, problem, mend). The imports refuse the same.
pub(crate) fn contradictions(well: &Well) -> Vec<(&'static str, String, &'static str)> {
    let mut found = Vec::new();
    let province = &well.province_code;
    if places::province(province).is_none() {
        let mend = "use one of the 77 two-digit DOPA codes, such as 30 for Nakhon Ratchasima";
        found.push(("province_code", format!("no province has the code {province:?}"), mend));
    }
    if let Some(code) = &well.district_code {
        if places::district(code).is_none() {
            let mend = "use one of the 928 four-digit DOPA codes";
            found.push(("district_code", format!("no district has the code {code:?}"), mend));
        } else if !code.starts_with(province.as_str()) {
            let problem = format!("district {code} does not lie in province {province}");
            found.push(("district_code", problem, "mend one of the two"));
        }
    }
    if let Some(code) = &well.subdistrict_code {
        let parent = well.district_code.as_ref().unwrap_or(province);
        if places::subdistrict(code).is_none() {
            let mend = "use one of the 7,436 six-digit DOPA codes";
            found.push(("subdistrict_code", format!("no subdistrict has the code {code:?}"), mend));
        } else if !code.starts_with(parent.as_str()) {
            found.push((
                "subdistrict_code",
                format!("subdistrict {code} does not lie in {parent}"),
                "mend one of the two",
            ));
        }
    }
    if well.latitude.is_some() != well.longitude.is_some() {
        let column = if well.latitude.is_some() { "longitude" } else { "latitude" };
        found.push((column, "only one of latitude and longitude is given".into(), "give both or neither"));
    }
    if let (Some(top), Some(bottom)) = (well.screen_top, well.screen_bottom)
        && top > bottom
    {
        let mend = "both are depths below ground: the top is the smaller";
        found.push(("screen_top", format!("screen_top {top} is deeper than screen_bottom {bottom}"), mend));
    }
    if let (Some(bottom), Some(depth)) = (well.screen_bottom.or(well.screen_top), well.depth)
        && bottom > depth
    {
        let problem = format!("the screen reaches {bottom} m, the well only {depth} m");
        found.push(("screen_bottom", problem, "mend one of the two"));
    }
    if let (Some(danger), Some(warning)) = (well.flood_danger_depth, well.flood_warning_depth)
        && danger > warning
    {
        let mend = "danger is nearer to the ground, so the smaller depth";
        let problem = format!("flood_danger_depth {danger} is deeper than flood_warning_depth {warning}");
        found.push(("flood_danger_depth", problem, mend));
    }
    if well.comparison_well_id.as_ref() == Some(&well.well_id) {
        found.push(("comparison_well_id", "the well is compared with itself".into(), "name another well"));
    }
    found
}

const BAROMETER_MEND: &str =
    "name the well whose barometric_pressure holds here, or install the device with that parameter";

fn lacking_mend(column: &str) -> &'static str {
    match column {
        "measuring_point_height" => "give it in m above ground: 0 where depths are measured from the ground",
        "sensor_depth_below_mp" => "give it in m below the measuring point",
        _ => BAROMETER_MEND,
    }
}

fn check_installations(registry: &Registry, problems: &mut Vec<RegistryProblem>) {
    let mut found = |installation: &Installation, weight, column, problem: String, mend| {
        let well_id = installation.well_id.clone();
        problems.push(RegistryProblem { weight, well_id, column, problem, mend });
    };
    let all = registry.installations();
    for (index, installation) in all.iter().enumerate() {
        let well = installation.well_id.as_str();
        if registry.well(well).is_none() {
            let problem = "an installation stands in a well that is not registered".to_owned();
            found(installation, Weight::Error, "well_id", problem, "register the well");
        }
        if installation.valid_to.is_some_and(|end| end < installation.valid_from) {
            let problem = format!("the installation of {} ends before it begins", installation.valid_from);
            found(installation, Weight::Error, "valid_to", problem, "mend valid_from or valid_to");
        }
        if let Some(parameter) = installation.parameter.filter(|parameter| parameter.is_level_sensor())
            && let Some(column) = installation.lacks_for_level(parameter)
        {
            let problem = format!("no level follows from {parameter} without {column}");
            found(installation, Weight::Warning, column, problem, lacking_mend(column));
        }
        if let Some(depth) = installation.sensor_depth_below_mp.filter(|depth| *depth < 0.0) {
            let problem = format!("the sensor hangs {} m above the measuring point", -depth);
            found(installation, Weight::Warning, "sensor_depth_below_mp", problem, "depths are positive downwards");
        }
        if let Some(barometer) = &installation.barometer_id
            && registry.barometer(barometer).is_none()
        {
            let problem = format!("{barometer} is neither a registered well nor the device of a barometer");
            found(installation, Weight::Warning, "barometer_id", problem, BAROMETER_MEND);
        }
        let following = all[index + 1..].iter().take_while(|next| next.well_id == installation.well_id);
        let overlaps = |next: &&Installation| {
            next.parameter == installation.parameter
                && next.valid_to != Some(next.valid_from)
                && installation.valid_to.is_none_or(|end| next.valid_from < end)
        };
        if let Some(next) = following.into_iter().find(overlaps) {
            let problem = format!("the installations of {} and {} overlap", installation.valid_from, next.valid_from);
            found(installation, Weight::Warning, "valid_to", problem, "end the earlier where the later begins");
        }
    }
}

#[cfg(test)]
mod tests {
    use gwbank_model::Parameter;

    use super::*;
    use crate::testing::{installation, well};
    use gwbank_model::Timestamp;

    fn problems(wells: Vec<Well>, installations: Vec<Installation>) -> Vec<String> {
        Registry::new(wells, installations).problems().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sound_registry_has_no_problems() {
        let bank = Well { comparison_well_id: Some(WellId::new("A").unwrap()), ..well("B") };
        assert_eq!(problems(vec![well("A"), bank], vec![installation("A", 0)]), Vec::<String>::new());
    }

    #[test]
    fn each_contradiction_is_named() {
        let check = |change: &dyn Fn(&mut Well), expected: &str| {
            let mut one = well("A");
            change(&mut one);
            let found = problems(vec![one], vec![]);
            assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
        };
        check(&|w| w.province_code = "99".into(), "no province has the code");
        check(&|w| w.district_code = Some("1001".into()), "does not lie in province 30");
        check(&|w| w.district_code = Some("3099".into()), "no district");
        check(&|w| w.subdistrict_code = Some("309999".into()), "no subdistrict");
        check(&|w| w.subdistrict_code = Some("100101".into()), "does not lie in 30");
        check(&|w| w.latitude = Some(15.0), "only one of latitude");
        check(&|w| (w.screen_top, w.screen_bottom) = (Some(9.0), Some(3.0)), "deeper than screen_bottom");
        check(&|w| (w.screen_bottom, w.depth) = (Some(30.0), Some(10.0)), "the well only 10 m");
        check(&|w| w.flood_danger_depth = Some(2.0), "deeper than flood_warning_depth");
        check(&|w| w.comparison_well_id = Some(WellId::new("A").unwrap()), "compared with itself");
        check(&|w| w.comparison_well_id = Some(WellId::new("Z").unwrap()), "is not registered");
        check(&|w| (w.latitude, w.longitude) = (Some(51.0), Some(4.5)), "outside Nakhon Ratchasima");
        check(&|w| (w.flood_warning_depth, w.flood_danger_depth) = (None, None), "no flood limits");
    }

    #[test]
    fn installations_are_checked_against_wells_and_each_other() {
        let found = problems(vec![well("A")], vec![installation("Z", 0)]);
        assert!(found[0].contains("not registered"), "{found:?}");
        let found = problems(vec![well("A")], vec![installation("A", 0), installation("A", 9)]);
        assert!(found.len() == 1 && found[0].contains("overlap"), "{found:?}");
        let absolute = Installation { parameter: Some(Parameter::WaterPressureAbsolute), ..installation("A", 0) };
        let found = problems(vec![well("A")], vec![absolute.clone()]);
        assert!(found.len() == 1 && found[0].contains("without sensor_depth_below_mp"), "{found:?}");
        let hung = Installation {
            sensor_depth_below_mp: Some(12.0),
            measuring_point_height: Some(0.5),
            barometer_id: Some("B".into()),
            ..absolute
        };
        let found = problems(vec![well("A")], vec![hung.clone()]);
        assert!(found.len() == 1 && found[0].contains("B is neither a registered well"), "{found:?}");
        assert_eq!(problems(vec![well("A"), well("B")], vec![hung.clone()]), Vec::<String>::new());
        let air = Some(Parameter::BarometricPressure);
        let device = Installation { device_id: Some("B".into()), parameter: air, ..installation("C", 0) };
        assert_eq!(problems(vec![well("A"), well("C")], vec![hung, device]), Vec::<String>::new());
        let above = Installation { sensor_depth_below_mp: Some(-10.0), ..installation("A", 0) };
        let found = problems(vec![well("A")], vec![above]);
        assert!(found.len() == 1 && found[0].contains("10 m above the measuring point"), "{found:?}");
        let mut withdrawn = installation("A", 9);
        withdrawn.valid_to = Some(withdrawn.valid_from);
        assert_eq!(problems(vec![well("A")], vec![installation("A", 0), withdrawn]), Vec::<String>::new());
        let mut backwards = installation("A", 9);
        backwards.valid_to = Some(Timestamp::from_secs(1));
        let found = problems(vec![well("A")], vec![backwards]);
        assert!(found.len() == 1 && found[0].contains("ends before"), "{found:?}");
    }
}
