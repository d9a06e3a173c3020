//! Columns as the contract has them; the small tables and the views.

use gwbank_model::condition::Scope;
use gwbank_model::{GatewayId, QualityFlag, Row, SiteStatus, Timestamp};
use gwbank_registry::{Registry, Sampling, Well};
use gwbank_store::{
    DeadLetterCause, DeadMessage, GatewayCounts, GatewayRecord, IndicatorRow, IngestCommit, Metadata, NewDeadLetter,
    WatchCommit,
};

use crate::support::{Bench, config, run, seq, well};

/// As CONTRACT names them, in its order; more may follow.
const COLUMNS: &[(&str, &str)] = &[
    ("provinces", "province_code, iso_code, name_en, name_th, region"),
    ("districts", "district_code, province_code, name_en, name_th"),
    ("subdistricts", "subdistrict_code, district_code, province_code, name_en, name_th"),
    (
        "wells",
        "well_id, name, name_th, province_code, district_code, subdistrict_code, lao_code, aquifer, aquifer_condition, \
         bank_type, represents_aquifer, influenced, sampling, latitude, longitude, ground_elevation, vertical_datum, \
         depth, screen_top, screen_bottom, specific_yield, flood_warning_depth, flood_danger_depth, bank_area, \
         bank_volume, fill_material, comparison_well_id, installed_on, status",
    ),
    (
        "installations",
        "well_id, device_id, sensor_model, parameter, sensor_depth_below_mp, measuring_point_height, pressure_kind, \
         barometer_id, offset, valid_from, valid_to, reason",
    ),
    ("quality_limits", "well_id, parameter, limit_name, value, unit, source, changed_at"),
    (
        "reviews",
        "review_id, well_id, parameter, from_time, to_time, action, amount, amount_end, author, reason, readings, \
         created_at, done_at, withdrawn_by, withdrawn_reason, withdrawn_at, seq, withdrawn_seq",
    ),
    ("quality_findings", "well_id, parameter, test, from_time, to_time, detail, found_at"),
    ("gateways", "gateway_id, last_seen, received, stored, duplicate, dead, pending, clock_offset_s, clock_zone"),
    (
        "readings",
        "well_id, parameter, time, value, site_status, quality, qc_tests, time_source, approval, gateway_id, \
         received_at, seq",
    ),
    ("readings_daily", "well_id, parameter, day, mean, min, max, first, last, count, good_count"),
    ("indicators", "scope, well_id, province_code, period, indicator, value, class, confidence, n, years, computed_at"),
    ("dead_letters", "id, received_at, gateway_id, topic, reason, detail, payload"),
    ("levels_monthly", "well_id, month, level, n_obs, n_days"),
];

#[test]
fn columns_are_those_of_the_contract() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (table, columns) in COLUMNS {
            let answer = bench.engine.query(&format!("SELECT * FROM {table}")).await.unwrap();
            let names: Vec<&str> = answer.schema.fields().iter().map(|field| field.name().as_str()).collect();
            assert!(names.join(", ").starts_with(columns), "{table}: {names:?}");
            answer.collect().await.unwrap();
        }
        for table in ["reading_revisions", "condition_flags", "flag_transitions", "gwbank_functions"] {
            bench.batches(&format!("SELECT * FROM {table}")).await.unwrap();
        }
    });
}

#[test]
fn readings_show_names_times_and_missing_values() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message(vec![bench.row(4, 0, 1.5), bench.row(4, 1, f64::NAN)]);
        let shown = [
            "C-with-a-name-beyond-twelve-bytes|depth_to_water|2026-01-01T00:00:00Z|1.5||1|0|device|provisional|gw-1|2026-01-01T00:00:00.001Z",
            "C-with-a-name-beyond-twelve-bytes|depth_to_water|2026-01-01T01:00:00Z|||9|0|device|provisional|gw-1|2026-01-01T00:00:00.001Z",
        ];
        let sql = "SELECT well_id, parameter, time, value, site_status, quality, qc_tests, time_source, approval, \
                   gateway_id, received_at FROM readings ORDER BY time";
        assert_eq!(bench.rows(sql).await, shown);
        bench.archive_all().await;
        assert_eq!(bench.rows(sql).await, shown, "the archive shows the same");
    });
}

#[test]
fn corrected_times_show_what_was_written() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        let forms = bench.names.time_forms.clone();
        let written = |row: Row, text: &str| Row { time_form: forms.intern(text, row.time, None), ..row };
        let first = written(bench.row(0, 0, 1.0), "2569-01-01T07:00:00+07:00");
        let second = written(bench.row(0, 1, 1.5), "2026-01-01 08:00");
        bench.message(vec![first, second, bench.row(0, 2, 2.0)]);
        let correction = written(bench.row(0, 0, 9.0), "01/01/2569 07.00");
        bench.message(vec![correction]);
        for side in ["window", "archive"] {
            if side == "archive" {
                bench.archive_all().await;
            }
            let sql = "SELECT time, time_raw FROM readings ORDER BY time";
            let expected = [
                "2026-01-01T00:00:00Z|01/01/2569 07.00",
                "2026-01-01T01:00:00Z|2026-01-01 08:00",
                "2026-01-01T02:00:00Z|",
            ];
            assert_eq!(bench.rows(sql).await, expected, "{side}");
            let sql = "SELECT value, time_raw FROM reading_revisions";
            assert_eq!(bench.rows(sql).await, ["1.0|2569-01-01T07:00:00+07:00"], "{side}");
            let sql = "SELECT count(time_raw), max(time_raw) FROM readings WHERE time_raw LIKE '2026%'";
            assert_eq!(bench.rows(sql).await, ["1|2026-01-01 08:00"], "{side}");
        }
    });
}

#[test]
fn views_speak_of_bangkok_days_and_of_levels_upwards() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message((0..48).map(|h| bench.row(0, h, h as f64)).collect());
        let daily = "SELECT day, mean, min, max, first, last, count, good_count FROM readings_daily ORDER BY day";
        let expected = [
            "2026-01-01|8.0|0.0|16.0|0.0|16.0|17|17",
            "2026-01-02|28.5|17.0|40.0|17.0|40.0|24|24",
            "2026-01-03|44.0|41.0|47.0|41.0|47.0|7|7",
        ];
        assert_eq!(bench.rows(daily).await, expected);
        bench.archive_all().await;
        assert_eq!(bench.rows(daily).await, expected);
        let monthly = "SELECT well_id, month, level, n_obs, n_days FROM levels_monthly";
        assert_eq!(bench.rows(monthly).await, Vec::<String>::new(), "three days make no month of a logger");
    });
}

/// Readings by hand: one day makes a month. A dry day stands for the depth of the well.
#[test]
fn monthly_levels_are_those_of_the_indicators() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        let by_hand = |id: &str, depth| Well { sampling: Sampling::Manual, depth, ..well(id, "30") };
        let wells = [by_hand("A", Some(60.0)), by_hand("B", None)];
        bench.registry.send_replace(std::sync::Arc::new(Registry::new(wells, [])));
        bench.message((0..48).map(|h| bench.row(0, h, h as f64)).collect());
        let monthly = "SELECT well_id, month, level, n_obs, n_days FROM levels_monthly ORDER BY well_id";
        assert_eq!(bench.rows(monthly).await, ["A|2026-01-01|-26.833333333|48|3"]);
        let dry = |series: usize, hours: i64| Row {
            site_status: Some(SiteStatus::Dry),
            quality: QualityFlag::Missing,
            ..bench.row(series, hours, f64::NAN)
        };
        let rows = vec![dry(0, 72), dry(2, 0), dry(2, 24)];
        bench.message(rows);
        let expected = ["A|2026-01-01|-35.125|48|4", "B|2026-01-01||0|2"];
        assert_eq!(bench.rows(monthly).await, expected, "(8 + 28.5 + 44 + 60) / 4; to an unknown depth");
        bench.archive_all().await;
        assert_eq!(bench.rows(monthly).await, expected);
    });
}

#[test]
fn small_tables_show_the_present() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        assert_eq!(bench.rows("SELECT count(*) FROM provinces").await, ["77"]);
        bench.registry.send_replace(std::sync::Arc::new(Registry::new([well("Z", "10")], [])));
        assert_eq!(
            bench.rows("SELECT well_id, name_en FROM wells JOIN provinces USING (province_code)").await,
            ["Z|Bangkok"]
        );

        let gateway = GatewayId::new("gw-9").unwrap();
        let counts = GatewayCounts { received: 3, stored: 1, duplicate: 1, dead: 1 };
        let letter = NewDeadLetter {
            cause: DeadLetterCause { reason: "unknown_well".to_owned(), subject: "X".to_owned() },
            detail: "register it".to_owned(),
            readings: 1,
        };
        let message = DeadMessage {
            seq: seq(1),
            received_at: Timestamp::from_secs(0),
            gateway_id: gateway.clone(),
            topic: "t".to_owned(),
            payload: "{}".into(),
            letters: vec![letter],
        };
        let record = GatewayRecord {
            gateway_id: gateway,
            last_seen: None,
            counts,
            clock_offset_s: None,
            clock_zone: None,
            last_error: None,
        };
        let commit = IngestCommit {
            through: Some(seq(1)),
            gateways: vec![record],
            dead_messages: vec![message],
            ..IngestCommit::default()
        };
        bench.metadata.commit_ingest(commit).await.unwrap();
        let sums = "SELECT gateway_id, received - stored - duplicate - dead - pending FROM gateways";
        assert_eq!(bench.rows(sums).await, ["gw-9|0"]);
        let letters = "SELECT id, reason, payload, messages FROM dead_letters WHERE gateway_id = 'gw-9'";
        assert_eq!(bench.rows(letters).await, ["1|unknown_well|{}|1"]);
        assert!(bench.rows("SELECT id FROM dead_letters WHERE reason = 'clock'").await.is_empty());
        bench.switch_archive_off();
        let incomplete = bench.error("SELECT count(*) FROM dead_letters").await;
        assert_eq!(incomplete.kind(), gwbank_query::QueryErrorKind::Unavailable, "{incomplete}");
        assert_eq!(bench.rows(sums).await, ["gw-9|0"]);
    });
}

#[test]
fn indicators_are_narrowed_and_still_filtered() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let indicator = |scope: Scope, place: &str| IndicatorRow {
            scope,
            place: place.to_owned(),
            province_code: "30".to_owned(),
            period: Timestamp::from_secs(0),
            indicator: "sgi".to_owned(),
            value: Some(-1.2),
            class: None,
            confidence: None,
            n: Some(20),
            years: None,
            approved_share: Some(0.5),
            quality_share: None,
            computed_at: Timestamp::from_secs(1),
        };
        let rows = vec![indicator(Scope::Well, "A"), indicator(Scope::Well, "B"), indicator(Scope::Province, "30")];
        bench.metadata.commit_watch(WatchCommit { indicators: rows, ..WatchCommit::default() }).await.unwrap();
        assert_eq!(
            bench.rows("SELECT scope, well_id, value, n FROM indicators WHERE well_id = 'A'").await,
            ["well|A|-1.2|20"]
        );
        assert_eq!(bench.rows("SELECT scope, well_id FROM indicators WHERE place = '30'").await, ["province|"]);
        assert_eq!(bench.rows("SELECT count(*) FROM indicators WHERE province_code = '30'").await, ["3"]);
    });
}
