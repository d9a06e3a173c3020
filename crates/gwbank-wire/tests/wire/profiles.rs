//! Vendors' fields, mapped and ignored.

use std::collections::BTreeMap;

use crate::support::{NOW, check_in, show};
use expect_test::{Expect, expect};
use gwbank_wire::{
    Context, DEFAULT_SENTINELS, Decoded, DeviceProfile, DeviceProfiles, FieldReading, FieldRule, Format, decode,
};
use proptest::prelude::*;

fn vendor() -> DeviceProfiles {
    let read = |parameter: &str, unit: &str, scale: f64, sentinels: Option<Vec<f64>>| {
        FieldRule::Read(FieldReading::try_new(parameter, Some(unit), scale, sentinels).unwrap())
    };
    let fields = BTreeMap::from([
        ("lvl".to_owned(), read("depth_to_water", "cm", 1.0, Some(vec![-1.0]))),
        ("t10".to_owned(), read("water_temperature", "Cel", 0.1, None)),
        ("fw".to_owned(), FieldRule::Ignore),
    ]);
    let units = BTreeMap::from([("Meter".to_owned(), "m".to_owned())]);
    let mut profiles = DeviceProfiles::default();
    let gateways = vec!["gw-30*".to_owned()];
    profiles.add(DeviceProfile { name: "vendor".to_owned(), gateways, wells: Vec::new(), fields, units }).unwrap();
    profiles
}

fn check(format: Format, payload: &[u8], expected: Expect) {
    let profiles = vendor();
    check_in(&Context { profiles: profiles.of("gw-3001"), ..Context::live(NOW) }, format, payload, expected);
}

fn check_json(payload: &str, expected: Expect) {
    check(Format::Json, payload.as_bytes(), expected);
}

fn decoded(payload: &str) -> Decoded {
    let profiles = vendor();
    decode(Format::Json, payload.as_bytes(), &Context { profiles: profiles.of("gw-3001"), ..Context::live(NOW) })
}

#[test]
fn fields_are_mapped_in_all_three_shapes() {
    let expected = || {
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z 3.42 device
            A water_temperature 2026-11-23T03:15:00Z 27.9 device
        "#]]
    };
    let record = r#"{"well":"A","time":1795403700,"lvl":342,"t10":279,"fw":{"major":1}}"#;
    check_json(record, expected());
    check_json(&format!("[{record}]"), expected());
    check_json(&format!(r#"{{"fw":"1.2","readings":[{record}]}}"#), expected());
    check_json(
        r#"[{"well":"A","time":1795403700,"parameter":"lvl","value":342},{"well":"A","time":1795403700,"parameter":"t10","value":279},
            {"well":"A","time":1795403700,"parameter":"fw","value":"1.2"}]"#,
        expected(),
    );
}

#[test]
fn senml_names_are_mapped_too() {
    let expected = || {
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z 3.42 device
            A water_temperature 2026-11-23T03:15:00Z 27.9 device
            A depth_to_water 2026-11-23T03:15:00Z 5 device
        "#]]
    };
    let pack = r#"[{"bn":"A:","bt":1795403700,"n":"lvl","v":342},{"n":"t10","v":279},{"n":"fw","vs":"1.2"},{"n":"depth_to_water","u":"Meter","v":5}]"#;
    check(Format::SenmlJson, pack.as_bytes(), expected());
    let mut cbor = Vec::new();
    ciborium::ser::into_writer(&serde_json::from_str::<serde_json::Value>(pack).unwrap(), &mut cbor).unwrap();
    check(Format::SenmlCbor, &cbor, expected());
}

#[test]
fn sentinels_and_units_of_a_field() {
    check_json(
        r#"[{"well":"A","time":1795403700,"lvl":-1},{"well":"A","time":1795403700,"lvl":65535,"t10":-9999},
            {"well":"B","time":1795403700,"parameter":"lvl","value":3,"unit":"Meter"},
            {"well":"B","time":1795403700,"parameter":"depth_to_water","value":4,"unit":"Meter"},
            {"well":"B","time":1795403700,"parameter":"lvl","value":3,"unit":"furlong"}]"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z — device
            A depth_to_water 2026-11-23T03:15:00Z 655.35 device
            A water_temperature 2026-11-23T03:15:00Z — device
            B depth_to_water 2026-11-23T03:15:00Z 3 device
            B depth_to_water 2026-11-23T03:15:00Z 4 device
            ! unknown_unit at [4].lvl [B/lvl] ×1: unit "furlong" is not one of depth_to_water: send m, cm, mm, ft, in, or map it in a device profile
        "#]],
    );
}

#[test]
fn a_parameter_under_two_names_is_not_guessed() {
    check_json(
        r#"[{"well":"A","time":1795403700,"lvl":342,"depth_to_water":3.4},
            {"well":"B","time":1795403700,"parameter":"lvl","value":342,"depth_to_water":3.4},
            {"well":"C","time":1795403700,"parameter":"depth_to_water","value":342,"lvl":342},
            {"well":"D","time":1795403700,"lvl":"deep","other":1}]"#,
        expect![[r#"
            ! duplicate_key at [0].depth_to_water [A/depth_to_water] ×1: depth_to_water stands twice in the record: send it once
            ! duplicate_key at [0].lvl [A/lvl] ×1: depth_to_water stands in the record under two names: send it once
            ! duplicate_key at [1].lvl [B/lvl] ×1: depth_to_water stands in the record both as `parameter` and as a key: send it once
            ! duplicate_key at [1].depth_to_water [B/depth_to_water] ×1: depth_to_water stands twice in the record: send it once
            ! duplicate_key at [2].depth_to_water [C/depth_to_water] ×1: depth_to_water stands in the record both as `parameter` and as a key: send it once
            ! duplicate_key at [2].lvl [C/lvl] ×1: depth_to_water stands in the record under two names: send it once
            ! bad_value at [3].lvl [D/depth_to_water] ×1: the value "deep" is text: send a number, or null for none
            ! unknown_parameter at [3].other [D/other] ×1: "other" is no parameter of gwbank: rename it, or map or ignore it in a device profile
        "#]],
    );
}

#[test]
fn what_is_ignored_is_neither_reading_nor_fault() {
    for payload in [
        r#"{"well":"A","time":1795403700,"fw":1}"#,
        r#"{"fw":1}"#,
        r#"[{"well":"A","time":"noon","fw":1}]"#,
        r#"{"fw":1,"readings":[]}"#,
        r#"{"well":"A","parameter":"fw","value":1}"#,
    ] {
        let decoded = decoded(payload);
        assert_eq!((decoded.received(), decoded.ignored), (0, 1), "{payload}: {}", show(&decoded));
    }
    // A record that cannot be read stands for its readings only.
    check_json(
        r#"{"well":"A","time":"noon","lvl":1,"fw":1}"#,
        expect![[r#"
            ! bad_time at time [A] ×1: "noon" is no time: send RFC 3339 with offset, such as 2026-11-23T10:15:00+07:00
        "#]],
    );
}

#[test]
fn other_gateways_have_no_such_names() {
    let profiles = vendor();
    let context = Context { profiles: profiles.of("gw-31"), ..Context::live(NOW) };
    let decoded = decode(Format::Json, br#"{"well":"A","time":1795403700,"lvl":1,"fw":1}"#, &context);
    assert_eq!((decoded.readings.len(), decoded.faults.len(), decoded.ignored), (0, 2, 0));
}

proptest! {
    /// A vendor's names give what gwbank's names give, but for the unit. What is a sentinel as the vendor sends it
    /// is no value, whatever it would come to.
    #[test]
    fn names_are_all_that_a_profile_changes(
        records in prop::collection::vec((0u8..4, 0i64..100_000, prop::option::of(-10_000i32..10_000)), 1..20),
    ) {
        let text = |key: &str, shown: &dyn Fn(i32) -> String| {
            let records: Vec<String> = records.iter().map(|(well, second, value)| {
                let value = value.filter(|sent| !DEFAULT_SENTINELS.contains(&f64::from(*sent)));
                let value = value.map_or("null".to_owned(), shown);
                format!(r#"{{"well":"W{well}","time":{},"{key}":{value}}}"#, 1_795_303_700 + second)
            }).collect();
            format!("[{}]", records.join(","))
        };
        let own = text("water_temperature", &|tenths| format!("{}e-1", tenths));
        let vendors = text("t10", &|tenths| tenths.to_string());
        prop_assert_eq!(decoded(&own).readings, decoded(&vendors).readings);
    }

    #[test]
    fn any_text_is_accounted_for(text in r#"([\[\]{}:,"]|"well"|"time"|"ph"|"lvl"|"fw"|"readings"|"parameter"|"value"|"A"|1795403700|-?[0-9.]{1,4}|null){0,60}"#) {
        let decoded = decoded(&text);
        prop_assert!(decoded.received() + decoded.ignored > 0);
    }
}
