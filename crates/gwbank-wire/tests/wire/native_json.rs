//! Native JSON, case by case.

use crate::support::{NOW, check, check_in};
use expect_test::expect;
use gwbank_wire::{Context, Format, Reason, decode};

fn check_json(payload: &str, expected: expect_test::Expect) {
    check(Format::Json, payload.as_bytes(), expected);
}

#[test]
fn the_three_shapes() {
    check_json(
        r#"{"well":"TH3001-0007","time":"2026-11-23T10:15:00+07:00","depth_to_water":3.42,"water_temperature":27.9}"#,
        expect![[r#"
            TH3001-0007 depth_to_water 2026-11-23T03:15:00Z 3.42 device
            TH3001-0007 water_temperature 2026-11-23T03:15:00Z 27.9 device
        "#]],
    );
    check_json(
        r#"[{"well":"A","time":1795403700,"parameter":"depth_to_water","value":342,"unit":"cm"},{"well":"B","time":1795403700000,"ph":7}]"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z 3.42 device
            B ph 2026-11-23T03:15:00Z 7 device
        "#]],
    );
    check_json(
        r#"{"readings":[{"well":"A","time":1795403700000000,"depth_to_water":-0.2,"status":"flowing","revision":3}]}"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z -0.2 device flowing rev 3
        "#]],
    );
}

#[test]
fn missing_values_and_dry_wells() {
    check_json(
        r#"[{"well":"A","time":1795403700,"depth_to_water":null,"rainfall_total":65535,"ph":-9999},
            {"well":"A","time":1795403700,"parameter":"depth_to_water","status":"dry"},
            {"well":"A","time":1795403700,"parameter":"depth_to_water","value":null},
            {"well":"A","time":1795403700,"depth_to_water":null,"status":"dry"}]"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z — device
            A rainfall_total 2026-11-23T03:15:00Z — device
            A ph 2026-11-23T03:15:00Z — device
            A depth_to_water 2026-11-23T03:15:00Z — device dry
            A depth_to_water 2026-11-23T03:15:00Z — device
            A depth_to_water 2026-11-23T03:15:00Z — device dry
        "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"status":"dry"}"#,
        expect![[r#"
        ! missing_parameter at message [A] ×1: a status needs its parameter, such as "depth_to_water": null
    "#]],
    );
}

#[test]
fn a_bad_field_costs_that_field_only() {
    check_json(
        r#"{"well":"A","time":1795403700,"depth_to_water":3.5,"pressure":101.2,"colour":"blue","ph":"7.1","turbidity":true,"snr":[1],"chloride":{"a":1}}"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z 3.5 device
            ! bad_value at ph [A/ph] ×1: the value "7.1" is text: send the number without quotes
            ! bad_value at turbidity [A/turbidity] ×1: the value is true or false: send a number, or null for none
            ! bad_value at snr [A/snr] ×1: the value is an array: send a number, or null for none
            ! bad_value at chloride [A/chloride] ×1: the value is an object: send a number, or null for none
            ! unknown_parameter at pressure [A/pressure] ×1: a bare pressure is refused: say water_pressure_absolute, water_pressure_gauge or barometric_pressure
            ! unknown_parameter at colour [A/colour] ×1: "colour" is no parameter of gwbank: rename it, or map or ignore it in a device profile
        "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"parameter":"depth_to_water","value":3.5,"unit":"fathom","battery_voltage":3.6}"#,
        expect![[r#"
            A battery_voltage 2026-11-23T03:15:00Z 3.6 device
            ! unknown_unit at depth_to_water [A/depth_to_water] ×1: unit "fathom" is not one of depth_to_water: send m, cm, mm, ft, in, or map it in a device profile
        "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"ph":7,"ph":8,"snr":4}"#,
        expect![[r#"
        A snr 2026-11-23T03:15:00Z 4 device
        ! duplicate_key at ph [A/ph] ×1: ph stands twice in the record: send it once
    "#]],
    );
}

#[test]
fn a_bad_record_costs_that_record_only() {
    check_json(
        r#"[{"well":"A","time":1795403700,"ph":7},
            {"time":1795403700,"ph":7},
            {"well":"A","ph":7},
            {"well":"a b","time":1795403700,"ph":7},
            {"well":7,"time":1795403700,"ph":7},
            {"well":"A","time":true,"ph":7},
            {"well":"A","time":1795403700,"status":"broken","ph":7},
            {"well":"A","time":1795403700,"revision":-1,"ph":7},
            {"well":"A","time":1795403700,"value":7},
            {"well":"A","time":1795403700,"parameter":"ph"},
            {"well":"A","time":1795403700},
            {"well":"A","time":1795403700,"age_s":4,"ph":7,"snr":1},
            {"well":"A","well":"B","time":1795403700,"ph":7},
            {"well":"A","time":1795403700,"depth_to_water":342,"unit":"cm"},
            {},
            [],
            null,
            "x",
            {"well":"B","time":1795403700,"ph":7}]"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 device
            B ph 2026-11-23T03:15:00Z 7 device
            ! missing_well at [1].well [] ×1: the record has no `well`: say which well it is
            ! missing_time at [2].time [A] ×1: the record has no `time`: send RFC 3339 with offset, an epoch number, or `age_s`
            ! bad_id at [3].well [a b] ×1: "a b" is no well id: id contains ' '; white space, control characters, quotes and / + # are not allowed
            ! bad_id at [4].well [] ×1: `well` is a number: send text
            ! bad_time at [5].time [A] ×1: `time` is true or false
            ! bad_status at [6].status [A] ×1: "broken" is no status: send one of ok, dry, pumping, recently_pumped, nearby_pumping, obstructed, flowing, maintenance
            ! bad_revision at [7].revision [A] ×1: `revision` is no integer from 0 to 4294967295
            ! missing_parameter at [8].parameter [A] ×1: `value` has no `parameter`: say what was measured
            ! missing_value at [9].value [A] ×1: the record has no `value`: send a number, or null for none
            ! missing_value at [10] [A] ×1: the record holds no parameter: say what was measured
            ! bad_time at [11].age_s [A] ×2: both `time` and `age_s` are there: send one of them
            ! duplicate_key at [12].well [B] ×1: well stands twice in the record: send it once
            ! unknown_unit at [13].unit [A] ×1: `unit` belongs to `parameter` and `value`: parameters as keys are in their canonical unit
            ! missing_well at [14].well [] ×1: the record has no `well`: say which well it is
            ! bad_record at [15] [] ×1: found an array: each reading is an object
            ! bad_record at [16] [] ×1: found null: each reading is an object
            ! bad_record at [17] [] ×1: found text: each reading is an object
        "#]],
    );
}

#[test]
fn times_are_corrected_and_said_so() {
    check_json(
        r#"[{"well":"A","time":"2569-11-23T10:15:00+07:00","ph":7,"snr":1},{"well":"A","age_s":60,"ph":7}]"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 buddhist_era raw 2569-11-23T10:15:00+07:00
            A snr 2026-11-23T03:15:00Z 1 buddhist_era raw 2569-11-23T10:15:00+07:00
            A ph 2026-11-23T03:14:00Z 7 received
            ~ buddhist_era at [0].time ×2: "2569-11-23T10:15:00+07:00" was read as 2026-11-23T03:15:00Z: the year is of the Buddhist era, 543 were taken off
        "#]],
    );
    let zoned = Context { clock_zone: Some(7 * 3600), ..Context::live(NOW) };
    check_in(
        &zoned,
        Format::Json,
        br#"[{"well":"A","time":"2026-11-23 10:15:00","ph":7},{"well":"B","time":"2026-11-23 10:15:00","ph":7}]"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 clock_zone raw 2026-11-23 10:15:00
            B ph 2026-11-23T03:15:00Z 7 clock_zone raw 2026-11-23 10:15:00
            ~ clock_zone at [0].time ×2: "2026-11-23 10:15:00" was read as 2026-11-23T03:15:00Z: there is no offset, the gateway's clock_zone was applied
        "#]],
    );
}

#[test]
fn broken_text_is_one_fault_and_keeps_what_was_complete() {
    check_json(
        r#"[{"well":"A","time":1795403700,"ph":7},{"well":"A","time":17954"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 device
            ! unreadable at message [] ×1: not JSON: EOF while parsing an object at line 1 column 63; the readings before it (1) were kept
        "#]],
    );
    check_json(
        r#"{"readings":[{"well":"A","time":1795403700,"ph":7}"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 device
            ! unreadable at message [] ×1: not JSON: EOF while parsing a list at line 1 column 50; the readings before it (1) were kept
        "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"ph":7"#,
        expect![[r#"
        ! unreadable at message [] ×1: not JSON: EOF while parsing an object at line 1 column 36
    "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"ph":7} {"well":"B"}"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 device
            ! unreadable at message [] ×1: not JSON: trailing characters at line 1 column 39; the readings before it (1) were kept
        "#]],
    );
}

#[test]
fn impossible_numbers_cost_their_value_only() {
    check_json(
        r#"[{"well":"A","time":1795403700,"ph":NaN,"snr":4},{"well":"A","time":1795403700,"ph":1e999},{"well":"B","time":1795403700,"ph":7}]"#,
        expect![[r#"
            A snr 2026-11-23T03:15:00Z 4 device
            B ph 2026-11-23T03:15:00Z 7 device
            ! bad_value at [0].ph [A/ph] ×1: the value "NaN" is not finite: send null for no value
            ! bad_value at [1].ph [A/ph] ×1: the value "1e999" is not finite: send null for no value
        "#]],
    );
    check_json(
        r#"{"well":"A","time":1795403700,"parameter":"specific_conductance","value":1e308,"unit":"S/m"}"#,
        expect![[r#"
            ! bad_value at value [A/specific_conductance] ×1: the value 1e308 is not finite or too large: send a number, or null for none
        "#]],
    );
}

fn check_reason(payload: &str, reason: Reason) {
    let decoded = decode(Format::Json, payload.as_bytes(), &Context::live(NOW));
    let reasons: Vec<Reason> = decoded.faults.iter().map(|fault| fault.reason).collect();
    assert_eq!((reasons, decoded.readings.len()), (vec![reason], 0), "{payload}");
}

#[test]
fn what_is_no_message() {
    for payload in ["", " \n", "[]", "{\"readings\":[]}"] {
        check_reason(payload, Reason::Empty);
    }
    for payload in ["7", "null", "\"text\"", "{\"readings\":{}}"] {
        check_reason(payload, Reason::Unreadable);
    }
    check_reason("{\"readings\":[7]}", Reason::BadRecord);
    check_json(
        r#"{"gateway":"g","readings":[{"well":"A","time":1795403700,"ph":7}]}"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 7 device
        ! unknown_parameter at message [/gateway] ×1: "gateway" stands beside `readings`: put it into each record
    "#]],
    );
}

#[test]
fn a_sender_that_corrected_a_time_says_how() {
    check_json(
        r#"[{"well":"A","time":"2026-11-23T10:15:00+07:00","time_source":"buddhist_era","time_raw":"23/11/2569 10.15","ph":7},
            {"well":"A","time":1795403700,"time_source":"clock_zone","ph":7},
            {"well":"A","time":1795403700,"time_source":null,"time_raw":null,"ph":7},
            {"well":"A","time":1795403700,"time_source":"device","ph":7},
            {"well":"A","time":1795403700,"time_source":"received","ph":7},
            {"well":"A","time":1795403700,"time_source":2,"ph":7},
            {"well":"A","time":1795403700,"time_raw":"x","ph":7},
            {"well":"A","time":1795403700,"time_source":"device","time_raw":"x","ph":7},
            {"well":"A","time":1795403700,"time_source":"clock_zone","time_raw":3,"ph":7},
            {"well":"A","age_s":5,"time_source":"clock_zone","ph":7},
            {"well":"A","time":"2569-11-23T10:15:00+07:00","time_source":"clock_zone","ph":7},
            {"well":"A","time":1795403700,"time_source":"clock_zone","time_source":"clock_zone","ph":7}]"#,
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7 buddhist_era raw 23/11/2569 10.15
            A ph 2026-11-23T03:15:00Z 7 clock_zone
            A ph 2026-11-23T03:15:00Z 7 device
            A ph 2026-11-23T03:15:00Z 7 device
            ! bad_time at [4].time_source [A] ×1: "received" is no source of a time: send one of device, buddhist_era, clock_zone
            ! bad_time at [5].time_source [A] ×1: `time_source` is a number: send text
            ! bad_time at [6].time_raw [A] ×1: `time_raw` stands without `time_source`: say what was corrected, as `time_source`: buddhist_era or clock_zone
            ! bad_time at [7].time_raw [A] ×1: `time_raw` is the text of a time that was corrected, and `time_source` says that none was
            ! bad_time at [8].time_raw [A] ×1: `time_raw` is a number: send text
            ! bad_time at [9].time_source [A] ×1: `time_source` belongs to a `time` with an offset and a year of the common era: send such a one
            ! bad_time at [10].time_source [A] ×1: `time_source` belongs to a `time` with an offset and a year of the common era: send such a one
            ! duplicate_key at [11].time_source [A] ×1: time_source stands twice in the record: send it once
        "#]],
    );
}
