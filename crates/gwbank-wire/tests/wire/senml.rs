//! SenML, case by case, in JSON and CBOR.

use crate::support::check;
use ciborium::value::Value;
use expect_test::expect;
use gwbank_wire::Format;

fn check_json(payload: &str, expected: expect_test::Expect) {
    check(Format::SenmlJson, payload.as_bytes(), expected);
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::ser::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn base_fields_hold_for_later_records() {
    check_json(
        r#"[{"bn":"TH3001-0007:","bt":1795403600,"bu":"cm","bv":300,"bver":10,"n":"depth_to_water","v":42},
            {"n":"depth_to_water","t":60,"v":41},
            {"n":"water_temperature","u":"Cel","v":-272.1},
            {"bn":"urn:dev:mac:0024befffe804ff1/","bt":0,"bu":"kPa","bv":0,"n":"barometric_pressure","t":-30,"v":101.2},
            {"n":"barometric_pressure","u":"hPa","v":1012.5}]"#,
        expect![[r#"
            TH3001-0007 depth_to_water 2026-11-23T03:13:20Z 3.42 device
            TH3001-0007 depth_to_water 2026-11-23T03:14:20Z 3.41 device
            TH3001-0007 water_temperature 2026-11-23T03:13:20Z 27.899999999999977 device
            urn:dev:mac:0024befffe804ff1 barometric_pressure 2026-11-23T03:14:30Z 101.2 received
            urn:dev:mac:0024befffe804ff1 barometric_pressure 2026-11-23T03:15:00Z 101.25 received
        "#]],
    );
}

#[test]
fn without_unit_the_canonical_one_holds() {
    check_json(
        r#"[{"n":"A:ph","v":7.1,"t":1795403700.25},{"n":"A:soil_moisture","u":"%RH","v":7.1}]"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00.250Z 7.1 device
        ! unknown_unit at [1] [A/soil_moisture] ×1: unit "%RH" is not one of soil_moisture: send %, or map it in a device profile
    "#]],
    );
}

#[test]
fn names_part_at_the_last_separator() {
    check_json(
        r#"[{"n":"ph","v":1},{"n":":ph","v":1},{"v":1},{"n":"TH3001-0007","v":1},{"n":"A:pressure","v":1},{"n":"a b:ph","v":1},
            {"n":"A/B:ph","v":1},{"n":7,"v":1}]"#,
        expect![[r#"
            ! missing_well at [0] [] ×1: "ph" names no well: send well:parameter
            ! missing_well at [1] [] ×1: ":ph" names no well: send well:parameter
            ! missing_well at [2] [] ×1: the record has no name: send well:parameter in `bn` and `n`
            ! missing_parameter at [3] [] ×1: "TH3001-0007" has no `:` or `/` between well and parameter: send well:parameter
            ! unknown_parameter at [4] [A/pressure] ×1: a bare pressure is refused: say water_pressure_absolute, water_pressure_gauge or barometric_pressure
            ! bad_id at [5] [a b/ph] ×1: "a b" is no well id: id contains ' '; white space, control characters, quotes and / + # are not allowed
            ! bad_id at [6] [A/B/ph] ×1: "A/B" is no well id: id contains '/'; white space, control characters, quotes and / + # are not allowed
            ! bad_id at [7] [] ×1: `n` is a number: send text
        "#]],
    );
}

#[test]
fn values_other_than_numbers() {
    check_json(
        r#"[{"n":"A:depth_to_water","vs":"dry"},{"n":"A:ph","vs":"7.1"},{"n":"A:ph","vb":true},{"n":"A:ph","vd":"AAEC_w"},
            {"n":"A:ph","vd":"AAEC/w=="},{"n":"A:ph","v":1,"vs":"x"},{"n":"A:ph"},{"n":"A:ph","s":4},{"n":"A:ph","v":7,"s":4},
            {"n":"A:ph","v":"7"},{"n":"A:ph","v":null},{"n":"A:ph","v":-9999},{"n":"A:ph","v":NaN},{"n":"A:ph","v":7,"s":"x"},
            {"n":"A:ph","v":7,"ut":60,"unheard":1}]"#,
        expect![[r#"
            A depth_to_water 2026-11-23T03:15:00Z — received dry
            A ph 2026-11-23T03:15:00Z 7 received
            A ph 2026-11-23T03:15:00Z — received
            A ph 2026-11-23T03:15:00Z — received
            A ph 2026-11-23T03:15:00Z 7 received
            ! bad_value at [1] [A/ph] ×1: `vs` carries text, which no parameter measures: send `v`
            ! bad_value at [2] [A/ph] ×1: `vb` carries true or false, which no parameter measures: send `v`
            ! bad_value at [3] [A/ph] ×1: `vd` carries bytes, which no parameter measures: send `v`
            ! bad_value at [4] [A/ph] ×1: `vd` is not base64url, and bytes are no value of a parameter: send `v`
            ! bad_value at [5] [] ×1: `v` and `vs` stand in one record: send one value
            ! missing_value at [6] [A/ph] ×1: the record has no value: send `v`
            ! missing_value at [7] [A/ph] ×1: a sum alone (`s`) is no value of a parameter: send `v`
            ! bad_value at [9] [A/ph] ×1: the value "7" is text: send the number without quotes
            ! bad_value at [12] [A/ph] ×1: the value "NaN" is not finite: send null for no value
            ! bad_value at [13] [A/ph] ×1: `s` is text: send a finite number
        "#]],
    );
}

#[test]
fn a_pack_may_be_refused_as_a_whole() {
    check_json(
        r#"[{"n":"A:ph","v":1},{"n":"A:ph","v":2,"crc_":"x"}]"#,
        expect![[r#"
        ! must_understand at [1] [crc_] ×2: label "crc_" must be understood and is not: the whole pack was refused
    "#]],
    );
    check_json(
        r#"[{"bver":11,"n":"A:ph","v":1},{"n":"A:ph","v":2}]"#,
        expect![[r#"
        ! unsupported_version at [0].bver [bver] ×2: SenML version 11 is not supported, 10 is: the whole pack was refused
    "#]],
    );
    check_json(
        r#"[{"bver":"10","n":"A:ph","v":1}]"#,
        expect![[r#"
        ! unsupported_version at [0].bver [bver] ×1: SenML version that is text is not supported, 10 is: the whole pack was refused
    "#]],
    );
    check_json(
        r#"[{"bver":5,"n":"A:ph","v":1}]"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 1 received
    "#]],
    );
    check_json(
        r#"[{"n":"A:ph","v":1},{"n":"A:ph","v"#,
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in JSON: EOF while parsing a string at line 1 column 34; the whole pack was refused
    "#]],
    );
    check_json(
        r#"{"n":"A:ph","v":1}"#,
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in JSON: invalid type: map, expected an array of SenML records at line 1 column 0; the whole pack was refused
    "#]],
    );
    check_json(
        r#"[]"#,
        expect![[r#"
        ! empty at message [] ×1: the message holds no reading: send at least one, or nothing
    "#]],
    );
    check_json(
        r#"[{"bn":"A:"},{"bt":4}]"#,
        expect![[r#"
        ! empty at message [] ×1: the message holds no reading: send at least one, or nothing
    "#]],
    );
}

#[test]
fn a_bad_base_field_spoils_what_follows() {
    check_json(
        r#"[{"n":"A:ph","v":1},{"bt":"now","n":"A:ph","v":2},{"n":"A:ph","v":3}]"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 1 received
        ! bad_time at [1] [] ×2: `bt` is text: send a number; this record and all after it depend on it
    "#]],
    );
    check_json(
        r#"[{"n":"A:ph","v":1},{"bn":"A:","bn":"B:","n":"ph","v":2},{"n":"ph","v":3}]"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 1 received
        ! duplicate_key at [1] [] ×2: `bn` stands twice in the record; this record and all after it depend on it
    "#]],
    );
    check_json(
        r#"[{"n":"A:ph","v":1,"v":2},{"n":"A:ph","v":3},7]"#,
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 3 received
        ! duplicate_key at [0] [] ×1: `v` stands twice in the record
        ! bad_record at [2] [] ×1: found a number: each SenML record is a map
    "#]],
    );
}

#[test]
fn times_below_two_to_the_28_are_relative() {
    check_json(
        r#"[{"n":"A:ph","v":1,"t":-60},{"n":"A:ph","v":1,"t":1795403700000},{"bt":1795403000,"n":"A:ph","v":1,"t":25900},
            {"bt":0,"n":"A:ph","v":1,"t":"x"}]"#,
        expect![[r#"
            A ph 2026-11-23T03:14:00Z 1 received
            ! bad_time at [1] [A/ph] ×1: time 1.7954037e12 is out of range: SenML times are seconds (these may be milliseconds)
            ! clock at [2] [A/ph] ×1: 2026-11-23T10:15:00Z is 7 h 00 min ahead of the server's clock: about +7 h, which looks like Thai local time sent as UTC: send the offset +07:00
            ! bad_time at [3] [A/ph] ×1: `t` is text: send a number
        "#]],
    );
}

#[test]
fn the_example_of_the_rfc_in_cbor() {
    // RFC 8428 §6, with the name and unit of one of our wells: labels −2, −3, −4, −5, −1 and half, single and double floats.
    let label = |number: i64| Value::Integer(number.into());
    let pack = Value::Array(vec![
        Value::Map(vec![
            (label(-2), Value::Text("A:".into())),
            (label(-3), Value::Float(1_795_403_600.0)),
            (label(-4), Value::Text("cm".into())),
            (label(-1), Value::Integer(5.into())),
            (label(0), Value::Text("depth_to_water".into())),
            (label(2), Value::Float(342.5)),
        ]),
        Value::Map(vec![
            (label(0), Value::Text("depth_to_water".into())),
            (label(6), Value::Integer(60.into())),
            (label(2), Value::Integer((-20).into())),
            (label(7), Value::Integer(60.into())),
        ]),
        Value::Map(vec![
            (label(0), Value::Text("ph".into())),
            (label(1), Value::Text("1".into())),
            (
                label(2),
                Value::Tag(4, Box::new(Value::Array(vec![Value::Integer((-2).into()), Value::Integer(712.into())]))),
            ),
        ]),
        Value::Map(vec![(label(0), Value::Text("ph".into())), (label(8), Value::Bytes(vec![1, 2, 3]))]),
    ]);
    check(
        Format::SenmlCbor,
        &cbor(&pack),
        expect![[r#"
        A depth_to_water 2026-11-23T03:13:20Z 3.425 device
        A depth_to_water 2026-11-23T03:14:20Z -0.2 device
        A ph 2026-11-23T03:13:20Z 7.12 device
        ! unknown_unit at [3] [A/ph] ×1: unit "cm" is not one of ph: send 1, pH, or map it in a device profile
    "#]],
    );
}

#[test]
fn indefinite_lengths_half_floats_and_tags() {
    // [_ {_ 0: (_ "A:", "ph"), 2: 7.5 as half float}, {0: "A:ph", 2: 7.5 as single}, {0: "A:ph", 2: 2(h'07')}, {"n": "A:ph", 2: 5([-1, 15])}]
    check(
        Format::SenmlCbor,
        &hex(
            "9f bf 00 7f 62413a 627068 ff 02 f94780 ff a2 00 6441 3a7068 02 fa40f00000 a2 00 64413a7068 02 c24107 a2 616e 64413a7068 02 c582200f ff",
        ),
        expect![[r#"
            A ph 2026-11-23T03:15:00Z 7.5 received
            A ph 2026-11-23T03:15:00Z 7.5 received
            A ph 2026-11-23T03:15:00Z 7 received
            A ph 2026-11-23T03:15:00Z 7.5 received
        "#]],
    );
    // The self-description tag, and NaN.
    check(
        Format::SenmlCbor,
        &hex("d9d9f7 81 a2 00 64413a7068 02 07"),
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 7 received
    "#]],
    );
    check(
        Format::SenmlCbor,
        &hex("82 a2 00 64413a7068 02 f97e00 a2 00 64413a7068 02 f6"),
        expect![[r#"
            A ph 2026-11-23T03:15:00Z — received
            ! bad_value at [0] [A/ph] ×1: the value NaN is not finite or too large: send a number, or null for none
        "#]],
    );
}

#[test]
fn broken_cbor_is_one_fault() {
    check(
        Format::SenmlCbor,
        &hex("82 a2 00 64413a7068 02 07"),
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in CBOR: the pack ends too early, after 10 bytes; the whole pack was refused
    "#]],
    );
    check(
        Format::SenmlCbor,
        &hex("81 a2 00 64413a7068 02 07 00"),
        expect![[r#"
        A ph 2026-11-23T03:15:00Z 7 received
        ! unreadable at message [] ×1: 1 bytes follow the end of the pack: send one array, in one message
    "#]],
    );
    check(
        Format::SenmlCbor,
        &hex("81 a2 00 64413aff68 02 07"),
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in CBOR: no CBOR at byte 3; the whole pack was refused
    "#]],
    );
    check(
        Format::SenmlCbor,
        &hex("a2 00 64413a7068 02 07"),
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in CBOR: invalid type: map, expected array, near byte 1; the whole pack was refused
    "#]],
    );
    check(
        Format::SenmlCbor,
        &[0x81; 4000],
        expect![[r#"
        ! unreadable at message [] ×1: not a SenML pack in CBOR: nested deeper than 32 levels, near byte 35; the whole pack was refused
    "#]],
    );
}
