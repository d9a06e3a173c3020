//! The watch's port gives what SQL gives.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, QualityFlag, Row, SiteStatus, WellId};
use gwbank_store::{DailyLevelRequest, SeriesReader};

use crate::support::{Bench, config, hour, run};

fn request() -> DailyLevelRequest {
    DailyLevelRequest {
        wells: None,
        from: None,
        to: None,
        offset_seconds: BANGKOK_OFFSET_SECONDS,
        qualities: vec![1, 2],
    }
}

#[test]
fn daily_levels_over_both_sides() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        for h in 0..60 {
            let depth = bench.row(0, h, 1.0 + 0.1 * h as f64);
            let status = match h % 10 {
                3 => Some(SiteStatus::Dry),
                4 => Some(SiteStatus::Pumping),
                5 => Some(SiteStatus::Flowing),
                _ => None,
            };
            let quality = if h % 7 == 0 { QualityFlag::Fail } else { QualityFlag::Pass };
            let temperature = bench.row(1, h, 28.0);
            bench.message(vec![Row { site_status: status, quality, ..depth }, temperature]);
        }
        let all_recent = bench.engine.daily_levels(request()).await.unwrap();
        // Half in the archive, a day cut in two, one late reading and one correction pending.
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(30));
        bench.window.evict(bench.position().await);
        let halves = bench.engine.daily_levels(request()).await.unwrap();
        assert_eq!(halves, all_recent, "bit for bit");
        assert_eq!(halves.iter().map(|day| day.dry_count).sum::<u32>(), 6);

        bench.message(vec![bench.row(0, 1, 9.0), bench.row(0, -1, 2.0)]);
        let corrected = bench.engine.daily_levels(request()).await.unwrap();
        assert_ne!(corrected, halves);
        let sql = bench
            .rows(
                "SELECT CAST(bangkok_day(time) AS INT), count(value), round(avg(value), 9) FROM readings \
                 WHERE parameter = 'depth_to_water' AND quality IN (1, 2) \
                 AND (site_status IS NULL OR site_status = 'flowing') GROUP BY 1 ORDER BY 1",
            )
            .await;
        let round = |mean: f64| (mean * 1e9).round() / 1e9;
        let ours: Vec<String> =
            corrected.iter().map(|d| format!("{}|{}|{:?}", d.day.0, d.count, round(d.mean.unwrap()))).collect();
        assert_eq!(ours, sql);

        let one_day = Day(corrected[1].day.0);
        let narrow = DailyLevelRequest {
            wells: Some(vec![WellId::new("A").unwrap()]),
            from: Some(one_day),
            to: Some(Day(one_day.0 + 1)),
            ..request()
        };
        assert_eq!(bench.engine.daily_levels(narrow).await.unwrap(), corrected[1..2]);
        let elsewhere = DailyLevelRequest { wells: Some(vec![WellId::new("nowhere").unwrap()]), ..request() };
        assert!(bench.engine.daily_levels(elsewhere).await.unwrap().is_empty());
    });
}

#[test]
fn rows_since_over_both_sides() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message((0..8).map(|h| bench.row(0, h, h as f64)).collect());
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(5));
        bench.window.evict(bench.position().await);
        bench.message(vec![bench.row(0, 2, 20.0), bench.row(0, 7, 70.0)]);
        let well = WellId::new("A").unwrap();
        let rows = bench.engine.rows_since(&well, Parameter::DepthToWater, hour(1)).await.unwrap();
        let values: Vec<f64> = rows.iter().map(|row| row.value).collect();
        assert_eq!(values, [1.0, 20.0, 3.0, 4.0, 5.0, 6.0, 70.0]);
        let none = bench.engine.rows_since(&WellId::new("nowhere").unwrap(), Parameter::Ph, hour(0)).await.unwrap();
        assert!(none.is_empty());
    });
}
