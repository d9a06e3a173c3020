use expect_test::{Expect, expect};
use gwbank_model::{Day, Parameter, Timestamp, WellId};
use proptest::prelude::*;

use super::*;
use crate::testing::{installation, well};
use crate::{AquiferCondition, BankType, PressureKind, Sampling, WellStatus};

fn faults_text(faults: &[RowFault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn check(bytes: &[u8], kind: FileKind, expected: Expect) {
    expected.assert_eq(&faults_text(&parse_wells(bytes, kind).expect_err("faults")));
}

#[test]
fn a_file_as_a_spreadsheet_saves_it() {
    let text = "\u{feff}bank_type,well_id,name_th,subdistrict_code,latitude,longitude,influenced,installed_on\r\n\
        observation,TH3001-0007,\"บ่อวัดศาลาลอย, บ่อที่ 7\",300101,14.97,102.1,yes,2025-06-01\r\n\
        Open,TH3001-0008, ,300101.0,,,0,\r\n\
        ,,,,,,,\r\n";
    let wells = parse_wells(text.as_bytes(), FileKind::Csv).unwrap();
    assert_eq!(wells.len(), 2);
    let first = &wells[0];
    assert_eq!(first.name_th.as_deref(), Some("บ่อวัดศาลาลอย, บ่อที่ 7"));
    assert_eq!((first.province_code.as_str(), first.district_code.as_deref()), ("30", Some("3001")));
    assert_eq!(first.subdistrict_code.as_deref(), Some("300101"));
    assert_eq!((first.influenced, first.represents_aquifer), (true, false));
    assert_eq!((first.sampling, first.status), (Sampling::Logger, WellStatus::Active));
    assert_eq!(first.installed_on.unwrap().date().to_string(), "2025-06-01");
    assert_eq!((wells[1].bank_type, wells[1].name_th.as_deref()), (BankType::Open, None));
}

#[test]
fn every_fault_is_named_by_line_and_column() {
    let text = "well_id,bank_type,province_code,latitude,longitude,depth,installed_on,influenced,screen_top,screen_bottom\n\
        A,observation,30,14.9,102.1,12,2025-06-01,no,2,9\n\
        B 1,pond,99,14.9,102.1,\"1,200\",2568-06-01,maybe,,\n\
        ,closed,,1650000,187000,deep,01/06/2025,,9,2\n\
        D,closed,,102.1,14.9,,,,,\n\
        A,closed,30,14.9,,-3,,,,\n\
        E,closed,30\n";
    check(
        text.as_bytes(),
        FileKind::Csv,
        expect![[r#"
            line 3, column well_id: id contains ' '; white space, control characters, quotes and / + # are not allowed ("B 1"); use up to 64 bytes without white space, quotes, / + and #
            line 3, column bank_type: not a known name ("pond"); use one of: observation, open, closed
            line 3, column influenced: neither yes nor no ("maybe"); use true/false, yes/no or 1/0
            line 3, column depth: not a number ("1,200"); use a decimal point and no thousands separators
            line 3, column installed_on: not a day ("2568-06-01"); the year looks like the Buddhist era; write 2025 instead of 2568
            line 3, column province_code: no province has the code "99" ("99"); use one of the 77 two-digit DOPA codes, such as 30 for Nakhon Ratchasima
            line 4, column well_id: not given; every well needs it
            line 4, column province_code: not given; give it, or district_code or subdistrict_code from which it follows
            line 4, column latitude: not degrees ("1650000"); convert to WGS 84 degrees; these look like metres of a projection such as UTM 47N
            line 4, column depth: not a number ("deep"); give the number alone, in m
            line 4, column installed_on: not a day ("01/06/2025"); write year-month-day, such as 2026-11-23
            line 4, column screen_top: screen_top 9 is deeper than screen_bottom 2 ("9"); both are depths below ground: the top is the smaller
            line 5, column province_code: not given; give it, or district_code or subdistrict_code from which it follows
            line 5, column latitude: latitude and longitude are swapped ("102.1"); exchange the two
            line 6, column well_id: the well is on line 2 already ("A"); keep one of the two lines
            line 6, column depth: out of range ("-3"); from 0 to 10000 m
            line 6, column longitude: only one of latitude and longitude is given; give both or neither
            line 7: 3 fields instead of 10; give every column of the first line; quote fields that hold commas
        "#]],
    );
}

#[test]
fn a_header_that_cannot_be_read() {
    check(
        b"",
        FileKind::Csv,
        expect![[r#"
        line 1: the file is empty; name the columns on the first line: well_id,name,name_th,province_code,district_code,subdistrict_code,lao_code,aquifer,aquifer_condition,bank_type,represents_aquifer,influenced,sampling,latitude,longitude,ground_elevation,vertical_datum,depth,screen_top,screen_bottom,specific_yield,flood_warning_depth,flood_danger_depth,bank_area,bank_volume,fill_material,comparison_well_id,installed_on,status
    "#]],
    );
    check(
        b"well_id;bank_type;province_code\nA;open;30\n",
        FileKind::Csv,
        expect![[r#"
        line 1: the columns are not separated by commas ("well_id;bank_type;province_code"); save with commas
    "#]],
    );
    check(
        b"well_id,Bank,well_id\nA,open,30\n",
        FileKind::Csv,
        expect![[r#"
        line 1, column Bank: unknown column; known columns: well_id, name, name_th, province_code, district_code, subdistrict_code, lao_code, aquifer, aquifer_condition, bank_type, represents_aquifer, influenced, sampling, latitude, longitude, ground_elevation, vertical_datum, depth, screen_top, screen_bottom, specific_yield, flood_warning_depth, flood_danger_depth, bank_area, bank_volume, fill_material, comparison_well_id, installed_on, status
        line 1, column well_id: the column is there twice; keep one
    "#]],
    );
    check(
        b"well_id,bank_type,province_code,name_th\nA,open,30,\xBA\xE8\xCD\n",
        FileKind::Csv,
        expect![[r#"
        line 2, column name_th: not UTF-8 ("���"); save the file as "CSV UTF-8"
    "#]],
    );
}

#[test]
fn faults_are_bounded() {
    let mut text = String::from("well_id,bank_type,province_code\n");
    for n in 0..FAULTS_MAX + 5 {
        text.push_str(&format!("W{n},pond,30\n"));
    }
    let faults = parse_wells(text.as_bytes(), FileKind::Csv).unwrap_err();
    assert_eq!(faults.len(), FAULTS_MAX + 1);
    assert_eq!(faults.last().unwrap().problem, "5 more faults");
}

#[test]
fn features_of_one_line_are_told_apart_by_their_number() {
    let feature = |well: &str, code: u32| {
        format!(
            r#"{{"type":"Feature","geometry":null,"properties":{{"well_id":"{well}","bank_type":"open","province_code":"{code}"}}}}"#
        )
    };
    let text = format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, feature("A", 30), feature("B", 5));
    let faults = parse_wells(text.as_bytes(), FileKind::GeoJson).unwrap_err();
    assert!(faults[0].problem.starts_with("feature 2 (B): "), "{faults:?}");
}

#[test]
fn geojson_faults_name_the_line_of_their_feature() {
    let text = r#"{
  "type": "FeatureCollection", "name": "features",
  "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32648"}},
  "features": [
    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [102.1, 14.97]},
     "properties": {"well_id": "A", "bank_type": "open", "province_code": 30, "influenced": true}},
    {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []},
     "properties": {"well_id": "B", "bank_type": "open", "province_code": "30", "colour": "]}\"", "depth": [1]}},
    {"type": "Feature", "geometry": {"type": "Point", "coordinates": [102.1, 14.97, 180]},
     "properties": {"well_id": "C", "bank_type": "open", "province_code": "30", "latitude": 15}}
  ]
}"#;
    check(
        text.as_bytes(),
        FileKind::GeoJson,
        expect![[r#"
        line 1, column crs: not WGS 84 ("urn:ogc:def:crs:EPSG::32648"); convert to WGS 84 longitude and latitude (EPSG:4326), for instance with QGIS
        line 7, column colour: unknown property; known properties: well_id, name, name_th, province_code, district_code, subdistrict_code, lao_code, aquifer, aquifer_condition, bank_type, represents_aquifer, influenced, sampling, latitude, longitude, ground_elevation, vertical_datum, depth, screen_top, screen_bottom, specific_yield, flood_warning_depth, flood_danger_depth, bank_area, bank_volume, fill_material, comparison_well_id, installed_on, status
        line 7, column depth: not a single value ("[1]"); give text, a number, true or false
        line 7, column geometry: not a point; give {"type": "Point", "coordinates": [longitude, latitude]} or null
        line 9, column latitude: the property differs from the geometry's 14.97 ("15"); leave it to the geometry
    "#]],
    );
    check(
        b"{\"type\": \"Feature\"}",
        FileKind::GeoJson,
        expect![[r#"
        line 1: not a GeoJSON FeatureCollection; give {"type": "FeatureCollection", "features": […]} of points
    "#]],
    );
    check(
        b"{\n\"type\": ",
        FileKind::GeoJson,
        expect![[r#"
        line 2: not JSON: EOF while parsing a value at line 2 column 8; export the file anew
    "#]],
    );
}

#[test]
fn installations_and_their_faults() {
    let text = "well_id,device_id,parameter,valid_from,valid_to,offset\n\
        A,a84041,water_pressure_gauge,2025-06-01,2026-06-01T09:30:00+07:00,-0.02\n";
    let parsed = parse_installations(text.as_bytes()).unwrap();
    assert_eq!(parsed[0].valid_from, Timestamp::parse_rfc3339("2025-06-01T00:00:00+07:00").unwrap());
    assert_eq!(parsed[0].parameter, Some(Parameter::WaterPressureGauge));
    let text = "well_id,parameter,valid_from,valid_to\n\
        A,pressure,2568-06-01,\n\
        ,,2025-06-01T10:00:00,2025-06-01\n\
        B,,2025-06-02,2025-06-01\n";
    expect![[r#"
        line 2, column valid_from: not a time ("2568-06-01"); the year looks like the Buddhist era; write 2025 instead of 2568
        line 2, column parameter: not a known name ("pressure"); use one of: depth_to_water, groundwater_elevation, distance_to_water, water_height_above_sensor, water_pressure_absolute, water_pressure_gauge, barometric_pressure, water_temperature, air_temperature, specific_conductance, electrical_conductivity, total_dissolved_solids, chloride, rainfall, rainfall_total, turbidity, ph, recharge_flow, soil_moisture, evaporation, battery_voltage, battery_level, signal_strength, snr, device_temperature
        line 3, column well_id: not given; every installation needs it
        line 3, column valid_from: not a time ("2025-06-01T10:00:00"); write 2026-11-23T10:15:00+07:00 with an offset, or 2026-11-23 for midnight in Bangkok
        line 4, column valid_to: before valid_from ("2025-06-01"); mend one of the two, leave valid_to empty while it stands, or equal to withdraw it
    "#]].assert_eq(&faults_text(&parse_installations(text.as_bytes()).unwrap_err()));
}

fn some_text() -> impl Strategy<Value = Option<String>> {
    let text = prop_oneof![
        Just("บ่อ \"วัด\", ตำบลในเมือง".to_owned()),
        Just("true".to_owned()),
        Just("1.50".to_owned()),
        Just("=A1; b\\n".to_owned()),
        "[a-zA-Zก-ฮ0-9,;'\"{}:\\\\#-]{1,20}",
    ];
    proptest::option::of(text)
}

fn some_number(min: f64, max: f64) -> impl Strategy<Value = Option<f64>> {
    proptest::option::of(min..=max)
}

prop_compose! {
    fn place()(subdistrict in proptest::sample::select(crate::places::subdistricts()), digits in 0usize..3)
        -> (String, Option<String>, Option<String>) {
        let district = (digits > 0).then(|| subdistrict.district_code().to_owned());
        (subdistrict.province_code().to_owned(), district, (digits > 1).then(|| subdistrict.code.to_owned()))
    }
}

prop_compose! {
    fn any_well(id: String)(
        (province_code, district_code, subdistrict_code) in place(),
        texts in proptest::array::uniform6(some_text()),
        (latitude, longitude) in (-90.0..=90.0, -180.0..=180.0),
        located in any::<bool>(),
        sizes in proptest::array::uniform5(some_number(0.0, 900.0)),
        (specific_yield, elevation) in (some_number(0.0, 1.0), some_number(-10.0, 2_000.0)),
        (warning, danger) in (some_number(0.0, 3.0), some_number(-3.0, 0.0)),
        (condition, bank, sampling, status) in (
            proptest::option::of(proptest::sample::select(AquiferCondition::ALL)),
            proptest::sample::select(BankType::ALL),
            proptest::sample::select(Sampling::ALL),
            proptest::sample::select(WellStatus::ALL),
        ),
        (represents_aquifer, influenced) in (any::<bool>(), any::<bool>()),
        day in proptest::option::of(0i32..20_000),
    ) -> Well {
        let [name, name_th, lao_code, aquifer, vertical_datum, fill_material] = texts;
        let [depth, screen, length, bank_area, bank_volume] = sizes;
        let screen_top = screen.map(|top| top.min(depth.unwrap_or(top)));
        let screen_bottom = screen_top.zip(length).map(|(top, length)| (top + length).min(depth.unwrap_or(1e4)));
        Well {
            name, name_th, district_code, subdistrict_code, lao_code, aquifer, aquifer_condition: condition,
            represents_aquifer, influenced, sampling, vertical_datum, depth, screen_top, screen_bottom, specific_yield,
            latitude: located.then_some(latitude), longitude: located.then_some(longitude), ground_elevation: elevation,
            flood_warning_depth: warning, flood_danger_depth: danger, bank_area, bank_volume, fill_material,
            comparison_well_id: influenced.then(|| WellId::new("other").unwrap()), installed_on: day.map(Day), status,
            ..Well::new(WellId::new(&id).unwrap(), &province_code, bank)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn wells_read_back_equal(wells in (0usize..5).prop_flat_map(|n| {
        (0..n).map(|i| any_well(format!("บ่อ-{i}"))).collect::<Vec<_>>()
    })) {
        let csv = write_wells_csv(&wells);
        prop_assert_eq!(parse_wells(csv.as_bytes(), FileKind::Csv).map_err(|f| faults_text(&f)), Ok(wells.clone()));
        let geojson = write_wells_geojson(&wells);
        prop_assert_eq!(parse_wells(geojson.as_bytes(), FileKind::GeoJson).map_err(|f| faults_text(&f)), Ok(wells));
    }

    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[well_id,\"\\n{}\\[\\]:a-c0-9]{0,80}") {
        for input in [bytes.as_slice(), text.as_bytes()] {
            let _ = parse_wells(input, FileKind::Csv);
            let _ = parse_wells(input, FileKind::GeoJson);
            let _ = parse_installations(input);
        }
    }
}

#[test]
fn installations_read_back_equal() {
    let full = Installation {
        device_id: Some("a84041, ตัวใหม่".into()),
        sensor_model: Some("x\"y".into()),
        parameter: Some(Parameter::DistanceToWater),
        sensor_depth_below_mp: Some(12.25),
        measuring_point_height: Some(-0.1),
        pressure_kind: Some(PressureKind::Absolute),
        barometer_id: Some("B1".into()),
        offset: Some(0.1 + 0.2),
        valid_to: Some(Timestamp::from_micros(1_700_000_000_123_456)),
        reason: Some("เปลี่ยนแบตเตอรี่".into()),
        ..installation("A", 1_600_000_000)
    };
    let all = [full, installation("B", 0)];
    assert_eq!(parse_installations(write_installations_csv(&all).as_bytes()).unwrap(), all);
}

#[test]
fn kinds_by_name() {
    assert_eq!(FileKind::from_name("wells.CSV"), Some(FileKind::Csv));
    assert_eq!(FileKind::from_name("a.b.geojson"), Some(FileKind::GeoJson));
    assert_eq!(FileKind::from_name("wells.xlsx"), None);
    assert_eq!(write_wells_csv(&[well("A")]).lines().count(), 2);
}

#[test]
fn limits_are_read_line_by_line_and_judged_by_who_knows_them() {
    let file = "well_id,parameter,limit_name,value\n*,ph,spike.suspect,0.5\nW-1,,gap.silence_max_hours,\n";
    let limits = parse_limits(file.as_bytes(), |_| Vec::new()).unwrap();
    let told: Vec<_> = limits.iter().map(|l| (l.line, l.well_id.is_some(), l.parameter, l.value)).collect();
    assert_eq!(told, [(2, false, Some(gwbank_model::Parameter::Ph), Some(0.5)), (3, true, None, None)]);

    let file = "well_id,parameter,limit_name,value\nW 1,ph,spike.suspect,1\nW-1,pH2,spike.suspect,1\nW-1,ph,,much\n\
                W-1,ph,spike.fail,3\nW-1,ph,spike.fail,4\n";
    let judge = |read: &[LimitLine]| {
        let fault = |line: &LimitLine| RowFault {
            line: line.line,
            column: "limit_name".to_owned(),
            value: line.limit.clone(),
            problem: "strange".to_owned(),
            mend: "mend it".to_owned(),
        };
        read.first().map(fault).into_iter().collect()
    };
    let faults = parse_limits(file.as_bytes(), judge).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column.as_str())).collect();
    assert_eq!(
        told,
        [(2, "well_id"), (3, "parameter"), (4, "limit_name"), (4, "value"), (5, "limit_name"), (6, "limit_name")]
    );
}

const OFFICES: &str = "\
office_id,level,place_code,office_name,office_name_th,office_phone,contact_id,channel,address,secret,language,min_severity,hazards,\
scopes,quiet_hours,digest,drills
korat,province,30,Nakhon Ratchasima,สำนักงานจังหวัดนครราชสีมา,044 000 000,korat-mail,email,office@example.go.th,,both,warning,,,\
22:00-06:00,07:30,yes
korat,province,30,Nakhon Ratchasima,สำนักงานจังหวัดนครราชสีมา,044 000 000,korat-line,line,,,,,drought;flood;no_data,,,,
dgr,national,,DGR,,,dgr-hook,webhook,https://example.org/hook,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,en,,,province,,,
bare,district,3001,Mueang,,,,,,,,,,,,,
";

#[test]
fn offices_read_back_equal() {
    let offices = parse_offices(OFFICES.as_bytes()).unwrap();
    assert_eq!((offices.offices.len(), offices.contacts.len()), (3, 3));
    let (office, mail) = offices.contact("korat-mail").unwrap();
    assert_eq!(office.phone.as_deref(), Some("044 000 000"));
    assert_eq!(mail.quiet_hours.unwrap().to_string(), "22:00-06:00");
    assert_eq!(parse_offices(write_offices_csv(&offices, true).as_bytes()).unwrap(), offices);
    assert!(!write_offices_csv(&offices, false).contains("whsec_"));
    for (office, contact) in offices.all() {
        let (same_office, same_contact) = office_of_fields(office_fields(office, Some(contact))).unwrap();
        assert_eq!((&same_office, same_contact.as_ref()), (office.as_ref(), Some(contact.as_ref())));
    }
}

#[test]
fn every_fault_of_offices_is_named() {
    let file = "\
office_id,level,place_code,office_name,contact_id,channel,address,secret,hazards,digest,quiet_hours
a b,province,99,X,c1,email,nobody,,,,
a,national,30,X,c2,email,x@example.org,,storm,,
a,national,,Y,c3,webhook,ftp://x,whsec_short,,,
a,national,,X,c3,line,Uxyz,whsec_secret,,sometimes,6-8
a,national,,X,c4,fax,,,,,
a,national,,X,,email,x@example.org,,,,
";
    let faults = parse_offices(file.as_bytes()).unwrap_err();
    let told: Vec<_> = faults.iter().map(|fault| (fault.line, fault.column.as_str())).collect();
    for expected in [
        (2, "office_id"),
        (2, "place_code"),
        (2, "address"),
        (3, "place_code"),
        (3, "hazards"),
        (4, "address"),
        (4, "secret"),
        (5, "address"),
        (5, "secret"),
        (5, "digest"),
        (5, "quiet_hours"),
        (6, "channel"),
        (7, "contact_id"),
    ] {
        assert!(told.contains(&expected), "{expected:?} of {faults:#?}");
    }
    assert!(faults.iter().all(|fault| !fault.to_string().contains("whsec_s")), "a secret is not shown");
}
