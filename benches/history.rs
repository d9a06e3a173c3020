//! History in PostgreSQL by gwbank's SQL and by psql: a year of one well, a day of all wells, monthly means
//! of all wells over five years. Nothing is in the window: gwbank reads all of it through the database.

mod support;

use std::time::Instant;

use gwbank_testkit::Postgres;
use support::ours::Stores;
use support::readings::registered;
use support::stats::median;
use support::{Error, Settings, print_machine, runtime};

const WELLS: usize = 200;
/// Every second hour for five years.
const ROWS_A_WELL: usize = 5 * 365 * 12;

const QUERIES: [(&str, &str); 3] = [
    (
        "one well, one year",
        "SELECT time, value FROM readings WHERE well_id = 'TH-7' AND parameter = 'depth_to_water' \
        AND time >= '2022-01-01T00:00:00Z' AND time < '2023-01-01T00:00:00Z'",
    ),
    (
        "all wells, one day",
        "SELECT well_id, avg(value) FROM readings WHERE parameter = 'depth_to_water' \
        AND time >= '2023-06-01T00:00:00Z' AND time < '2023-06-02T00:00:00Z' GROUP BY well_id",
    ),
    (
        "monthly means of all wells",
        "SELECT well_id, date_trunc('month', time), avg(value) FROM readings \
        WHERE parameter = 'depth_to_water' GROUP BY 1, 2",
    ),
];

fn main() -> Result<(), Error> {
    let settings = Settings::from_env()?;
    println!("{WELLS} wells x {ROWS_A_WELL} readings in PostgreSQL, medians of {} rounds", settings.rounds.max(3));
    print_machine();
    let postgres = Postgres::start();
    let url = postgres.empty_database();
    let dir = settings.scratch()?;
    let runtime = runtime("history")?;
    let (stores, pipeline) = runtime.block_on(async {
        let stores = Stores::in_database(dir.path(), &url).await?;
        fill(&postgres, &url);
        let pipeline = stores.pipeline(gwbank_ingest::PipelineConfig { warm_bytes_max: 0, ..stores.config() }).await?;
        pipeline.put_wells((1..=WELLS).map(|n| registered(&format!("TH-{n}"))).collect()).await?;
        Ok::<_, Error>((stores, pipeline))
    })?;
    let engine = stores.engine(&pipeline)?;
    println!("{:<28} {:>10} {:>14} {:>10} {:>8}", "ms", "gwbank", "psql", "ratio", "rows");
    for (name, sql) in QUERIES {
        let (mut ours, mut theirs, mut rows) = (Vec::new(), Vec::new(), (0, 0));
        for _ in 0..settings.rounds.max(3) {
            let began = Instant::now();
            let batches = runtime.block_on(async { engine.query(sql).await?.collect().await })?;
            ours.push(began.elapsed().as_secs_f64() * 1e3);
            rows.0 = batches.iter().map(|batch| batch.num_rows()).sum();
            let began = Instant::now();
            rows.1 = postgres.psql(&url, sql).lines().count();
            theirs.push(began.elapsed().as_secs_f64() * 1e3);
        }
        assert_eq!(rows.0, rows.1, "{name}");
        let (ours, theirs) = (median(&ours), median(&theirs));
        println!("{name:<28} {ours:>10.1} {theirs:>14.1} {:>10.2} {:>8}", ours / theirs, rows.0);
    }
    runtime.block_on(pipeline.shutdown())?;
    Ok(())
}

fn fill(postgres: &Postgres, url: &str) {
    postgres.psql(
        url,
        &format!(
            "INSERT INTO series (well_id, parameter, first_time, last_time)
                SELECT 'TH-' || n, 'depth_to_water', '2020-01-01Z', '2024-12-30Z' FROM generate_series(1, {WELLS}) n;
             INSERT INTO reading_gateways (gateway_id) VALUES ('gw');
             DO $$ DECLARE m timestamptz; BEGIN SET TIME ZONE 'UTC';
                FOR m IN SELECT generate_series('2020-01-01Z'::timestamptz, '2025-01-01Z', '1 month') LOOP
                    EXECUTE format('CREATE TABLE %I PARTITION OF reading_rows FOR VALUES FROM (%L) TO (%L)',
                        to_char(m, '\"reading_rows_\"YYYY_MM'), m, m + interval '1 month');
                END LOOP; END $$;
             INSERT INTO reading_rows
                SELECT s, '2020-01-01Z'::timestamptz + n * interval '2 hours', 10 + s + n / 1000.0,
                    (n * {WELLS} + s)::bigint << 20, 0, 1, 0, 1, 0, NULL, NULL
                FROM generate_series(0, {ROWS_A_WELL} - 1) n, generate_series(1, {WELLS}) s;
             UPDATE archive_totals SET readings = (SELECT count(*) FROM reading_rows)"
        ),
    );
    postgres.psql(url, "VACUUM ANALYZE");
    // For psql, as gwbank does for itself: compiling costs these queries more than it gains.
    postgres.psql(url, "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = off', current_database()); END $$");
}
