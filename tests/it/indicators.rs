//! Indicators on the command line: numbers, and all that they are made of.

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
    for told in ["UDN-0012", "2024-10", "2001", "(1 - 0.5)/24", &format!("{value}")] {
        assert!(text.contains(told), "{told}:\n{text}");
    }
    assert!(explain(&[]).good().contains("extreme"), "{}", explain(&[]).good());
    assert!(explain(&["--thai"]).good().contains("2567"), "{}", explain(&["--thai"]).good());
    let by_http =
        server.ask("GET", "/api/v1/wells/UDN-0012/indicators/explanation?month=2024-10&indicator=sgi", &[], &[]);
    let by_http: serde_json::Value = serde_json::from_slice(&by_http.1).unwrap();
    assert_eq!((&by_http["value"], &by_http["month"]), (&sgi["value"], &json!("2024-10-01")));

    // Why there is none is an answer, too.
    let none = place.run(&["indicators", "--well", "UDN-0013", "--explain"]).good();
    assert!(none.contains("does not speak of this hazard"), "{none}");
    let province = place.run(&["indicators", "--province", "41", "--explain"]).good();
    assert!(province.contains("UDN-0012") && province.contains("are needed"), "{province}");
    for (asked, told) in [
        ("/api/v1/wells/UDN-0012/indicators/explanation?indicator=spi", "there are sgi"),
        ("/api/v1/wells/UDN-0012/indicators/explanation?month=October", "write it as 2026-10"),
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
