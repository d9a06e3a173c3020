//! Indicators on the command line: numbers, and all that they are made of.

use gwbank_indicator::explain::number;
use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Timestamp};
use gwbank_runtime::{Clock, SystemClock};
use serde_json::json;

use crate::program::{Place, until};

#[test]
fn a_number_is_explained_to_the_last_rank() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,bank_type,province_code,sampling\nUDN-0012,observation,41,manual\nUDN-0013,closed,41,manual\n",
    );
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    // Twenty-four Octobers, each deeper than the one before but for a tie.
    let readings: Vec<_> = (0..24)
        .map(|year| {
            let depth = if year == 7 { 5.6 } else { 5.0 + f64::from(year) / 10.0 };
            json!({"well": "UDN-0012", "time": format!("{}-10-15T10:00:00+07:00", 2001 + year), "depth_to_water": depth})
        })
        .collect();
    place.file("old.csv", &{
        let mut csv = "well_id,time,parameter,value\n".to_owned();
        for reading in &readings {
            let text = |key: &str| reading[key].to_string().replace('"', "");
            csv += &format!("{},{},depth_to_water,{}\n", text("well"), text("time"), text("depth_to_water"));
        }
        csv
    });
    place.run(&["readings", "import", "old.csv"]).good();
    let sgi = until("the indicator is computed", || {
        let sql = "SELECT value, n, approved_share, quality_share FROM indicators WHERE well_id = 'UDN-0012' \
                   AND indicator = 'sgi' AND period = '2024-10-01T00:00:00Z'";
        server.sql(sql).as_array().and_then(|rows| rows.first().cloned())
    });
    assert_eq!((&sgi["n"], &sgi["approved_share"]), (&json!(24), &json!(0.0)), "{sgi}");

    let explain = |more: &[&str]| {
        let asked = ["indicators", "--well", "UDN-0012", "--explain", "--month", "2024-10"];
        place.run(&[&asked[..], more].concat())
    };
    let text = explain(&["--indicator", "sgi"]).good();
    let value = sgi["value"].as_f64().unwrap();
    for told in ["UDN-0012", "2024-10", "2001", "(1 - 0.5)/24", &number(value)] {
        assert!(text.contains(told), "{told}:\n{text}");
    }
    assert!(explain(&[]).good().contains("extreme"), "{}", explain(&[]).good());
    assert!(explain(&["--thai"]).good().contains("2567"), "{}", explain(&["--thai"]).good());
    let by_http =
        server.ask("GET", "/api/v1/wells/UDN-0012/indicators/explanation?month=2024-10&indicator=sgi", &[], &[]);
    let by_http: serde_json::Value = serde_json::from_slice(&by_http.1).unwrap();
    assert_eq!((&by_http["value"], &by_http["month"]), (&sgi["value"], &json!("2024-10-01")));

    // So is what rests on the whole record: here the last October below its threshold.
    let deficit = until("the record is computed", || {
        let sql = "SELECT value, period FROM indicators WHERE well_id = 'UDN-0012' AND indicator = 'drought_deficit' \
                   ORDER BY period DESC LIMIT 1";
        server.sql(sql).as_array().and_then(|rows| rows.first().cloned())
    });
    let asked = ["indicators", "--well", "UDN-0012", "--indicator", "drought_deficit"];
    assert!(place.run(&asked).good().contains("drought_deficit"));
    let text = place.run(&[&asked[..], &["--explain"]].concat()).good();
    assert!(text.contains(&format!("= {} m months", number(deficit["value"].as_f64().unwrap()))), "{deficit}\n{text}");
    assert!(place.run(&[&asked[..], &["--explain", "--thai", "--full"]].concat()).good().contains("ช่วงน้ำต่ำ"));
    let thresholds = server.sql(
        "SELECT indicator, value FROM indicators WHERE well_id = 'UDN-0012' AND indicator LIKE 'threshold_%' \
         AND value IS NOT NULL ORDER BY indicator",
    );
    let names: Vec<_> = thresholds.as_array().unwrap().iter().filter_map(|row| row["indicator"].as_str()).collect();
    assert_eq!(names, ["threshold_drought", "threshold_p10", "threshold_p25", "threshold_p75", "threshold_p90"]);
    let recharge = server.ask("GET", "/api/v1/wells/UDN-0012/indicators/explanation?indicator=recharge_wtf", &[], &[]);
    let recharge: serde_json::Value = serde_json::from_slice(&recharge.1).unwrap();
    assert_eq!((&recharge["value"], &recharge["class"]), (&json!(null), &json!("no_aquifer_condition")), "{recharge}");
    assert!(recharge["text_en"].as_str().unwrap().contains("register `aquifer_condition`"), "{recharge}");
    let unknown = place.run(&["indicators", "--well", "UDN-0012", "--indicator", "spi"]);
    assert!(unknown.code == 2 && unknown.err.contains("recharge_wtf"), "{unknown:?}");

    // Why there is none is an answer, too.
    let none = place.run(&["indicators", "--well", "UDN-0013", "--explain"]).good();
    assert!(none.contains("does not speak of this hazard"), "{none}");
    let province = place.run(&["indicators", "--province", "41", "--explain"]).good();
    assert!(province.contains("UDN-0012") && province.contains("are needed"), "{province}");
    assert!(province.starts_with("record too short to judge drought; "), "{province}");
    for (asked, told) in [
        ("/api/v1/wells/UDN-0012/indicators/explanation?indicator=spi", "there are sgi"),
        ("/api/v1/wells/UDN-0012/indicators/explanation?month=October", "write it as 2026-10"),
        ("/api/v1/wells/UDN-0012/indicators/explanation?full=perhaps", "full"),
        ("/api/v1/wells/nobody/indicators/explanation", "no well"),
        ("/api/v1/provinces/99/explanation", "no province"),
    ] {
        let (status, body) = server.ask("GET", asked, &[], &[]);
        let body = String::from_utf8(body).unwrap();
        assert!((400..500).contains(&status) && body.contains(told), "{asked}: {status} {body}");
    }
    assert_eq!(place.run(&["indicators", "--well", "UDN-0012", "--explain", "--month", "soon"]).code, 2);

    // What would have been said of these years as they went by.
    place.file(
        "events.csv",
        "scope,code,hazard,start,end\nwell,UDN-0012,drought,2018-10,2019-01\nprovince,41,drought,2018-10,2019-01\n",
    );
    let asked = ["hindcast", "--from", "2001-01", "--to", "2024-12", "--climates", "2"];
    let told = place.run(&[&asked[..], &["--out", "changes.csv", "--against", "events.csv"]].concat()).good();
    assert!(told.contains("changes of flags are in changes.csv") && told.contains("drought"), "{told}");
    let mut changes = csv::Reader::from_path(place.path("changes.csv")).unwrap();
    let rows: Vec<std::collections::BTreeMap<String, String>> = changes.deserialize().map(Result::unwrap).collect();
    let raised: Vec<&str> =
        rows.iter().filter(|row| row["transition"] == "raised").map(|row| row["month"].as_str()).collect();
    // Five Octobers make a watch at most, ten a drought; seen with hindsight the first ones were wet.
    assert_eq!(raised.first(), Some(&"2005-10"), "{rows:?}");
    assert!(rows.iter().all(|row| row["month"].as_str() >= "2010-10" || row["severity"] == "watch"), "{rows:?}");
    assert!(rows.iter().any(|row| row["severity"] != "watch"), "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| row["place"] == "UDN-0012" && row["at"].contains("-11-05T") || row["transition"] != "raised"),
        "{rows:?}"
    );
    // All of it was received today: to whoever had asked then, nothing was known.
    let received = place.run(&[&asked[..], &["--known", "received", "--out", "none.csv"]].concat()).good();
    assert!(received.contains("0 changes of flags"), "{received}");
    for (wrong, told) in [
        (&["hindcast", "--from", "2024-01", "--to", "2001-01"][..], "lies before --from"),
        (&["hindcast", "--from", "2001", "--to", "2024-01"], "write it as 2026-10"),
        (&["hindcast", "--from", "2001-01", "--to", "2024-01", "--against", "wells.csv"], "wells.csv: line 1"),
    ] {
        let refused = place.run(wrong);
        assert!(refused.code == 2 && refused.err.contains(told), "{told}: {refused:?}");
    }
}

/// Rain, level and conductivity of a day, the same whenever it is asked; salt in the last nine days.
fn of_day(parameter: &str, day: Day, today: Day) -> f64 {
    let noise =
        f64::from((i64::from(day.0) * 7_919 + parameter.len() as i64 * 104_729).rem_euclid(1009) as i32) / 1009.0;
    let season = (f64::from(day.0) / 365.25 * std::f64::consts::TAU).sin();
    match parameter {
        "rainfall" => {
            if noise < 0.6 {
                0.0
            } else {
                (400.0 * (noise - 0.6) * (1.5 + season)).round() / 10.0
            }
        }
        "specific_conductance" if day.0 > today.0 - 9 => 3000.0,
        "specific_conductance" => (700.0 + 100.0 * season + 50.0 * noise).round(),
        _ => ((6.0 - 2.0 * season + 0.01 * noise) * 1000.0).round() / 1000.0,
    }
}

#[test]
fn a_whole_record_is_told_in_sql_and_over_restarts() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,bank_type,province_code,district_code,sampling,aquifer_condition,specific_yield\n\
         KKN-0001,observation,40,4001,logger,unconfined,0.12\n",
    );
    place.run(&["wells", "import", "wells.csv"]).good();
    let server = place.serve();
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let today = now.day(BANGKOK_OFFSET_SECONDS);
    let mut csv = "well_id,time,parameter,value\n".to_owned();
    for parameter in ["depth_to_water", "rainfall", "specific_conductance"] {
        for day in (today.0 - 21 * 365..today.0).map(Day) {
            let time = day.start(BANGKOK_OFFSET_SECONDS).plus_secs(6 * 3600).to_rfc3339(BANGKOK_OFFSET_SECONDS);
            csv += &format!("KKN-0001,{time},{parameter},{}\n", of_day(parameter, day, today));
        }
    }
    place.file("history.csv", &csv);
    place.run(&["readings", "import", "history.csv"]).good();
    let count = |indicator: &str| {
        let sql = format!(
            "SELECT count(value) AS n FROM indicators WHERE well_id = 'KKN-0001' AND indicator = '{indicator}'"
        );
        server.sql(&sql)[0]["n"].as_i64().unwrap()
    };
    until("the record is computed", || (count("spi_12") > 200 && count("recharge_wtf") > 200).then_some(()));
    for (indicator, rows) in [("trend", 1), ("ghg", 1), ("glg", 1), ("salinity_trend_dry", 1), ("carry_over", 19)] {
        assert!(count(indicator) >= rows, "{indicator}: {}", count(indicator));
    }
    let class =
        server.sql("SELECT class, n FROM indicators WHERE indicator = 'salinity_class' ORDER BY period DESC LIMIT 1");
    assert_eq!(class[0]["class"], "fresh", "of the last closed month: {class}");
    // The salt of the open month is a flag all the same, of the well, its district and its province.
    let flags = until("the salt is told", || {
        let flags = server.sql(
            "SELECT scope, severity, rule, detail_th FROM condition_flags WHERE hazard = 'salinity' ORDER BY scope",
        );
        (flags.as_array().unwrap().len() == 3).then_some(flags)
    });
    assert_eq!(
        (&flags[0]["scope"], &flags[1]["scope"], &flags[2]["scope"]),
        (&json!("district"), &json!("province"), &json!("well"))
    );
    assert_eq!((&flags[2]["severity"], &flags[2]["rule"]), (&json!("severe"), &json!("salinity_doubled")), "{flags}");
    assert!(flags[2]["detail_th"].as_str().unwrap().contains("น้ำใต้ดินเค็มขึ้น"));

    let rows = "SELECT scope, well_id, period, indicator, value, class, confidence, n, years, approved_share, quality_share \
                FROM indicators WHERE scope = 'well' AND indicator NOT LIKE 'spi%' ORDER BY indicator, period";
    let before = server.sql(rows);
    drop(server);
    let server = place.serve();
    // A month of rain is corrected: its sums and their calendar month's ranks are others.
    let corrected: Vec<_> = (1..=28)
        .map(|day| json!({"well": "KKN-0001", "time": format!("2015-06-{day:02}T06:00:00+07:00"), "rainfall": 99.0}))
        .collect();
    let body = serde_json::to_vec(&corrected).unwrap();
    let (status, _) = server.ask("POST", "/api/v1/readings", &[("content-type", "application/json")], &body);
    assert_eq!(status, 200);
    until("June 2015 is the wettest", || {
        let june =
            server.sql("SELECT value FROM indicators WHERE indicator = 'spi_1' AND period = '2015-06-01T00:00:00Z'");
        (june[0]["value"].as_f64() > Some(2.0)).then_some(())
    });
    // That evaluation was this process's first, of everything: all else came out as before.
    assert_eq!(server.sql(rows), before);
    let flags_now = server.sql("SELECT count(*) AS n FROM condition_flags WHERE hazard = 'salinity'");
    assert_eq!(flags_now[0]["n"], 3);
}

#[test]
fn floods_and_salt_of_past_years_are_replayed_from_their_readings() {
    let place = Place::new();
    place.file(
        "wells.csv",
        "well_id,bank_type,province_code,district_code,flood_warning_depth,flood_danger_depth\n\
         HIGH-1,observation,30,3001,1.0,0.5\nSALT-1,observation,30,3001,,\nSALT-2,observation,30,3001,,\n\
         PIT-1,closed,30,3001,,\n",
    );
    place.run(&["wells", "import", "wells.csv"]).good();
    let _server = place.serve();
    let mut csv = "well_id,time,parameter,value\n".to_owned();
    for (hour, depth) in [1.4, 0.9, 0.45, 0.4, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3, 1.3].into_iter().enumerate() {
        csv += &format!("HIGH-1,2025-09-10T{hour:02}:00:00+07:00,depth_to_water,{depth}\n");
    }
    // Two years near 600 µS/cm, then 2,000 for a month: at 25 °C, and at the water's own temperature.
    let first = Timestamp::parse_rfc3339("2024-01-01T10:00:00+07:00").unwrap();
    for day in 0..760 {
        let date = first.plus_secs(i64::from(day) * 86_400).to_rfc3339(7 * 3600);
        let ec = if day < 730 { 600.0 } else { 2000.0 } + f64::from(day % 7);
        let warm = 29.0 + f64::from(day % 5) / 10.0;
        let at_its_own = ec * (1.0 + 0.0191 * (warm - 25.0));
        csv += &format!("SALT-1,{date},specific_conductance,{ec}\n");
        csv += &format!("SALT-2,{date},electrical_conductivity,{at_its_own}\nSALT-2,{date},water_temperature,{warm}\n");
    }
    place.file("old.csv", &csv);
    place.run(&["readings", "import", "old.csv"]).good();
    place.file(
        "events.csv",
        "scope,code,hazard,start,end\ndistrict,3001,flood,2025-09,2025-09\nwell,SALT-1,salinity,2026-01,2026-01\n\
         well,HIGH-1,salinity,2025-01,2025-01\n",
    );
    let asked = ["hindcast", "--from", "2024-01", "--to", "2026-01", "--climates", "0", "--out", "changes.csv"];
    let told = place.run(&[&asked[..], &["--against", "events.csv"]].concat()).good();
    for expected in [
        "floods: 1 of 4 wells followed, 1 that cannot speak of floods, 2 that measure no level",
        "salinity: 2 of 4 wells followed, 1 that cannot speak of salt, 1 without conductivity at 25 °C",
        "flood of district: 1 flags, 0 of them open",
        "salinity of well: 2 flags, 2 of them open",
        "salinity of district: 1 flags, 1 of them open",
        "salinity of province: 1 flags, 1 of them open",
        "flood against known events\ndetected 1 of 1 events",
        "salinity against known events\ndetected 1 of 2 events",
    ] {
        assert!(told.contains(expected), "{expected}:\n{told}");
    }
    let raised = |hazard: &str| -> Vec<(String, String, String)> {
        let mut changes = csv::Reader::from_path(place.path("changes.csv")).unwrap();
        let rows = changes.deserialize().map(Result::unwrap);
        rows.filter(|row: &std::collections::BTreeMap<String, String>| {
            row["transition"] == "raised" && row["hazard"] == hazard
        })
        .map(|row| (row["place"].clone(), row["severity"].clone(), row["at"].clone()))
        .collect()
    };
    let at = |place: &str, severity: &str, at: &str| (place.to_owned(), severity.to_owned(), at.to_owned());
    let floods = raised("flood");
    assert_eq!(floods[0], at("HIGH-1", "warning", "2025-09-10T01:00:00+07:00"), "{floods:?}");
    assert!(floods.contains(&at("3001", "severe", "2025-09-10T02:00:00+07:00")), "{floods:?}");
    let salt = raised("salinity");
    let places: Vec<&str> = salt.iter().map(|(place, ..)| place.as_str()).collect();
    assert_eq!(places, ["SALT-1", "SALT-2", "3001", "30"], "{salt:?}");
    assert_eq!((&salt[2].1, &salt[3].1), (&salt[0].1, &"warning".to_owned()), "a district is as its worst well");
    assert_eq!((&salt[0].1, &salt[0].2), (&salt[1].1, &salt[1].2), "the same water");

    let one = place.run(&[&asked[..], &["--hazard", "flood"]].concat()).good();
    assert!(one.contains("flood of well") && !one.contains("salinity"), "{one}");
    assert_eq!(place.run(&[&asked[..], &["--hazard", "fire"]].concat()).code, 2);
}
