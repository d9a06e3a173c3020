//! `gwbank export` and `GET /api/v1/export`, held against what SQL says.

use std::io::Read;
use std::path::PathBuf;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::program::{Place, Server};
use crate::sql_shell::all_seen;

/// Ids with characters that neither XML ids nor URLs may have as they are.
const WELLS: &str = "well_id,name,name_th,province_code,aquifer,bank_type,latitude,longitude,ground_elevation,vertical_datum,depth,sampling\n\
    W1,Ban Nong Na,บ้านหนองนา,30,Khorat & Phu Phan,observation,14.97,102.1,187.25,MSL Ko Lak,40,logger\n\
    ก<1>&:x_y,,บ่อ \"ใหญ่\",31,Phra Pradaeng,observation,,,,,,manual\n\
    W3,,,30,Phra Pradaeng,open,15.1,102.3,,,,logger\n";

fn started() -> (Place, Server) {
    let place = Place::new();
    place.file("wells.csv", WELLS);
    let mut history = String::from("well_id,time,parameter,value\n");
    for hour in 0..24 * 70 {
        let (day, of_day) = (hour / 24, hour % 24);
        let time = chrono::DateTime::from_timestamp(1_767_225_600 + hour * 3600, 0).unwrap().to_rfc3339();
        let level = 3.0 + f64::from(u8::try_from(of_day).unwrap()) / 7.0 + day as f64 * 0.013;
        history += &format!("W1,{time},depth_to_water,{level}\nก<1>&:x_y,{time},depth_to_water,{}\n", level / 3.0);
        history += &format!("W1,{time},rainfall,{}\nW1,{time},water_temperature,27.{}\n", hour % 5, hour % 10);
    }
    place.file("history.csv", &history);
    let server = place.serve();
    place.run(&["wells", "import", "wells.csv"]).good();
    place.run(&["readings", "import", "history.csv"]).good();
    server.post_readings(
        r#"[{"well":"W3","time":"2026-03-01T10:00:00+07:00","depth_to_water":0.1},
            {"well":"W3","time":"2026-03-01T11:00:00+07:00","depth_to_water":null},
            {"well":"W3","time":"2026-03-01T12:00:00+07:00","parameter":"depth_to_water","status":"dry"},
            {"well":"W3","time":"2026-03-01T13:00:00+07:00","parameter":"depth_to_water","value":0.30000000000000004,"status":"pumping"},
            {"well":"W3","time":"2026-03-01T14:00:00.000001+07:00","parameter":"ph","value":7.25},
            {"well":"W3","time":"2026-03-01T14:00:00+07:00","parameter":"turbidity","value":1e-7}]"#,
    );
    (place, server)
}

/// Rows of the readings that the document must have, in its order.
fn expected(server: &Server, place: &Place, sql: &str, tolerance: f64) -> (PathBuf, usize) {
    let rows: Vec<Value> = server
        .sql(sql)
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["well_id"], row["parameter"], ucum(&row["parameter"]), row["time"], row["value"]]))
        .collect();
    (place.file("expected.json", &json!({ "rows": rows, "tolerance": tolerance }).to_string()), rows.len())
}

/// Units as UCUM writes them, of the parameters of this test.
fn ucum(parameter: &Value) -> &'static str {
    match parameter.as_str().unwrap() {
        "depth_to_water" => "m",
        "rainfall" => "mm",
        "water_temperature" => "Cel",
        "ph" => "[pH]",
        "turbidity" => "{NTU}",
        other => panic!("{other}"),
    }
}

#[test]
fn waterml_is_read_by_others_as_sql_reads_it() {
    let (place, server) = started();
    let read = |arguments: &[&str], sql: &str| {
        let out = place.path("export.xml");
        let command = ["export", "--format", "waterml", "--out", out.to_str().unwrap()];
        let said = place.run(&[&command[..], arguments].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let tolerance = if arguments.contains(&"daily") { 1e-9 } else { 0.0 };
        let (expected, rows) = expected(&server, &place, sql, tolerance);
        assert!(said.err.contains(&format!("{} rows, ", grouped(rows))), "{said:?}");
        all_seen("waterml_reader.py", &[out.as_os_str(), expected.as_os_str()]);
    };
    read(&[], "SELECT well_id, parameter, time, value FROM readings ORDER BY well_id, parameter, time");
    read(
        &["--well", "W3,ก<1>&:x_y", "--from", "2026-02-10", "--to", "2026-03-02", "--quality", "1,2,9"],
        "SELECT well_id, parameter, time, value FROM readings WHERE well_id <> 'W1' AND quality IN (1, 2, 9) \
         AND time >= TIMESTAMP '2026-02-10T00:00:00+07:00' AND time < TIMESTAMP '2026-03-02T00:00:00+07:00' \
         ORDER BY well_id, parameter, time",
    );
    read(
        &["--interval", "daily", "--province", "30"],
        "SELECT well_id, parameter, CAST(day AS VARCHAR) || 'T00:00:00+07:00' AS time, \
         CASE WHEN parameter = 'rainfall' THEN mean * count ELSE mean END AS value \
         FROM readings_daily WHERE well_id <> 'ก<1>&:x_y' ORDER BY well_id, parameter, day",
    );
    read(&["--aquifer", "Phra Pradaeng", "--parameter", "chloride"], "SELECT * FROM readings WHERE false");
}

fn grouped(number: usize) -> String {
    if number < 1000 { number.to_string() } else { format!("{},{:03}", number / 1000, number % 1000) }
}

#[test]
fn csv_and_parquet_have_all_rows_with_all_their_digits() {
    let (place, server) = started();
    let csv = place.run(&["export", "--well", "W3"]).good();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "well_id,parameter,unit,time,value,quality,qc_tests,site_status,approval");
    assert_eq!(lines.len(), 7, "{csv}");
    assert!(lines[1].starts_with("W3,depth_to_water,m,2026-03-01T10:00:00+07:00,0.1,"), "{csv}");
    assert!(lines[2].starts_with("W3,depth_to_water,m,2026-03-01T11:00:00+07:00,,9,"), "{csv}");
    assert!(lines[4].contains(",0.30000000000000004,") && lines[4].contains(",pumping,provisional"), "{csv}");
    assert!(lines[5].starts_with("W3,ph,1,2026-03-01T14:00:00.000001+07:00,7.25,"), "{csv}");

    // A file that was exported can be imported again.
    let own = "well_id,time,parameter,value,unit";
    let again = place.run(&["export", "--well", "W1", "--parameter", "water_temperature"]).good();
    let rows: String = again
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("\n{},{},{},{},{}", cells[0], cells[3], cells[1], cells[4], cells[2])
        })
        .collect();
    place.file("again.csv", &(own.to_owned() + &rows));
    let imported = place.run(&["readings", "import", "again.csv"]).good();
    assert!(imported.contains("duplicate         1,680"), "{imported}");

    let out = place.path("export.parquet");
    let said = place.run(&["export", "--format", "parquet", "--out", out.to_str().unwrap(), "--interval", "monthly"]);
    assert_eq!(said.code, 0, "{said:?}");
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&out).unwrap()).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    let sql = "SELECT count(*) AS n FROM (SELECT DISTINCT well_id, parameter, date_trunc('month', day) AS m FROM readings_daily)";
    assert_eq!(json!(rows), server.sql(sql)[0]["n"]);
    assert!(said.err.contains(&format!("export.parquet: {rows} rows, ")), "{said:?}");
    let names: Vec<String> = batches[0].schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names.join(","), "well_id,parameter,unit,month,mean,min,max,sum,count,days");
    let left: Vec<_> = std::fs::read_dir(place.dir.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".gwbank")), "{left:?}");
}

#[test]
fn a_selection_that_means_nothing_is_told() {
    let (place, server) = started();
    let said = |arguments: &[&str]| place.run(&[&["export"], arguments].concat());
    let unknown = said(&["--well", "W1,W9"]);
    assert!(unknown.code == 1 && unknown.err.contains("no well \"W9\" is registered"), "{unknown:?}");
    let aquifer = said(&["--aquifer", "Atlantis"]);
    assert!(aquifer.code == 2 && aquifer.err.contains("Atlantis"), "{aquifer:?}");
    let times = said(&["--from", "2026-02-01", "--to", "2026-01-01"]);
    assert!(times.code == 2 && times.err.contains("to must be later than from"), "{times:?}");
    let quality = said(&["--quality", "7"]);
    assert!(quality.code == 2 && quality.err.contains("is not one of"), "{quality:?}");
    assert_eq!(said(&["--parameter", "nonsense"]).code, 2);
    // Nothing approved yet: a head and no rows.
    assert_eq!(said(&["--approved"]).good().lines().count(), 1);
    let (status, body) = server.ask("GET", "/api/v1/export?colour=blue", &[], &[]);
    assert_eq!(status, 400, "{}", String::from_utf8_lossy(&body));
}

#[test]
fn an_answer_comes_compressed_to_whoever_reads_it_so() {
    let (_place, server) = started();
    let headers = [("accept-encoding", "gzip")];
    let (status, compressed) = server.ask("GET", "/api/v1/export?well=W1", &headers, &[]);
    assert_eq!(status, 200);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut plain).unwrap();
    let (_, whole) = server.ask("GET", "/api/v1/export?well=W1", &[], &[]);
    assert!(plain == whole && compressed.len() * 4 < whole.len(), "{} of {}", compressed.len(), whole.len());
}
