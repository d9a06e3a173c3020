//! The watch's port gives what SQL gives.

use gwbank_model::{BANGKOK_OFFSET_SECONDS, Day, Parameter, QualityFlag, Row, SiteStatus, WellId};
use gwbank_store::{SeriesReader, SeriesRequest};

use crate::support::{Bench, config, hour, run};

fn request() -> SeriesRequest {
    SeriesRequest {
        wells: None,
        parameters: vec![Parameter::DepthToWater, Parameter::GroundwaterElevation],
        from: None,
        to: None,
        offset_seconds: BANGKOK_OFFSET_SECONDS,
        qualities: vec![1, 2],
        medians_of: Vec::new(),
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
        let all_recent = bench.engine.daily_values(request()).await.unwrap();
        // Half in the archive, a day cut in two, one late reading and one correction pending.
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(30));
        bench.window.evict(bench.position().await);
        let halves = bench.engine.daily_values(request()).await.unwrap();
        assert_eq!(halves, all_recent, "bit for bit");
        assert_eq!(halves.iter().map(|day| day.dry_count).sum::<u32>(), 6);

        bench.message(vec![bench.row(0, 1, 9.0), bench.row(0, -1, 2.0)]);
        let corrected = bench.engine.daily_values(request()).await.unwrap();
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
        let narrow = SeriesRequest {
            wells: Some(vec![WellId::new("A").unwrap()]),
            from: Some(one_day),
            to: Some(Day(one_day.0 + 1)),
            ..request()
        };
        assert_eq!(bench.engine.daily_values(narrow).await.unwrap(), corrected[1..2]);
        let elsewhere = SeriesRequest { wells: Some(vec![WellId::new("nowhere").unwrap()]), ..request() };
        assert!(bench.engine.daily_values(elsewhere).await.unwrap().is_empty());
    });
}

#[test]
fn rows_over_both_sides() {
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
        for (from, to, expected) in
            [(1, 3, vec![1.0, 20.0]), (2, 6, vec![20.0, 3.0, 4.0, 5.0]), (6, 8, vec![6.0, 70.0])]
        {
            let rows = bench.engine.rows_between(&well, Parameter::DepthToWater, hour(from), hour(to)).await.unwrap();
            assert_eq!(rows.iter().map(|row| row.value).collect::<Vec<_>>(), expected, "{from} to {to}");
        }
        let none = bench.engine.rows_since(&WellId::new("nowhere").unwrap(), Parameter::Ph, hour(0)).await.unwrap();
        assert!(none.is_empty());
    });
}

#[test]
fn medians_and_hours_over_both_sides() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        // Four readings an hour would be one a quarter of one; hours of one reading each will do.
        bench.message((0..48).map(|h| bench.row(0, h, ((h * 7) % 24) as f64)).collect());
        let medians = SeriesRequest { medians_of: vec![Parameter::DepthToWater], ..request() };
        let recent = bench.engine.daily_values(medians.clone()).await.unwrap();
        assert!(recent.iter().all(|day| day.median.is_some()));
        let whole = recent.iter().find(|day| day.count == 24).expect("a whole day");
        assert_eq!(whole.median, Some(11.5), "half of 0 to 23 lies on each side");
        assert_eq!(whole.sum(), Some(276.0));
        let hours = bench.engine.hourly_means(request()).await.unwrap();
        assert_eq!(hours.len(), 48);
        assert_eq!((hours[3].time, hours[3].mean), (hour(3).plus_secs(1800), Some(21.0)));
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(30));
        bench.window.evict(bench.position().await);
        assert_eq!(bench.engine.daily_values(medians).await.unwrap(), recent);
        assert_eq!(bench.engine.hourly_means(request()).await.unwrap(), hours);
    });
}

#[test]
fn every_series_is_heard_until_its_last_reading() {
    run(async {
        let mut bench = Bench::new(config(), usize::MAX);
        bench.message((0..8).map(|h| bench.row(0, h, h as f64)).collect());
        bench.message(vec![bench.row(1, 2, 28.0)]);
        bench.flush(bench.newest()).await;
        bench.window.set_covers_from(hour(9));
        bench.window.evict(bench.position().await);
        // Late, and newer than all that is archived.
        bench.message(vec![bench.row(0, 3, 33.0), bench.row(1, 10, 28.0)]);
        let mut heard = bench.engine.last_heard().await.unwrap();
        heard.sort_by_key(|series| series.parameter);
        let times: Vec<_> = heard.iter().map(|series| (series.parameter, series.time)).collect();
        assert_eq!(times, [(Parameter::DepthToWater, hour(7)), (Parameter::WaterTemperature, hour(10))]);
        let end = bench.engine.series_end(&heard[0].well_id, heard[0].parameter, hour(5)).await.unwrap();
        assert_eq!((end.times.as_slice(), end.gateway.is_some()), (&[hour(5), hour(6), hour(7)][..], true));
    });
}
