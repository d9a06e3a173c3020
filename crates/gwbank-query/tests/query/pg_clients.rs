//! What clients of PostgreSQL ask of the catalogs, as they ask it.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::DataType;
use gwbank_query::{ConnectionFacts, Dialect, QueryError, Request};

use crate::support::{Bench, config, run, text_rows};

fn request(sql: &str, values: Vec<ArrayRef>) -> Request {
    let settings = vec![("TimeZone".to_owned(), "UTC".to_owned())];
    let facts = ConnectionFacts {
        user: "somchai".to_owned(),
        process: 7,
        settings,
        views: Arc::default(),
        dialect: Dialect::PostgreSql,
    };
    let types = values.iter().map(|value| Some(value.data_type().clone())).collect();
    let user = facts.user.clone();
    Request { sql: sql.to_owned(), user, types, values, connection: Some(Arc::new(facts)), as_known_at: None }
}

async fn asked(bench: &Bench, sql: &str, values: Vec<ArrayRef>) -> Result<Vec<String>, QueryError> {
    let batches = bench.engine.ask(request(sql, values)).await?.collect().await?;
    Ok(batches.iter().flat_map(text_rows).collect())
}

/// The statements of a file; its first line says whose they are.
fn statements(file: &'static str) -> impl Iterator<Item = &'static str> {
    let (_, statements) = file.split_once('\n').unwrap();
    statements.split("\n;;\n").map(str::trim)
}

/// Values for as many parameters as a statement has: texts, as drivers send them where no type was asked for.
async fn texts(bench: &Bench, sql: &str) -> Vec<ArrayRef> {
    let told = bench.engine.describe(request(sql, Vec::new())).await;
    let count = told.map_or(0, |told| told.parameters.len());
    (0..count).map(|_| Arc::new(StringArray::from(vec!["1"])) as ArrayRef).collect()
}

#[test]
fn clients_are_answered() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let mut refused = Vec::new();
        for file in [
            include_str!("clients/psql.sql"),
            include_str!("clients/sqlalchemy.sql"),
            include_str!("clients/pgjdbc.sql"),
            include_str!("clients/dbeaver.sql"),
            include_str!("clients/grafana.sql"),
        ] {
            // What a connection answers itself does not come to the engine.
            for sql in statements(file).filter(|sql| !sql.starts_with("SHOW ")) {
                let values = texts(&bench, sql).await;
                if let Err(error) = asked(&bench, sql, values).await {
                    refused.push(format!("{error}\n{sql}\n"));
                }
            }
        }
        assert!(refused.is_empty(), "{} refused:\n{}", refused.len(), refused.join("\n"));
    });
}

#[test]
fn functions_are_listed() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = "SELECT proname, prokind, pg_get_function_arguments(oid), pg_get_function_result(oid) \
                   FROM pg_proc WHERE proname IN ('time_bucket', 'sgi', 'mann_kendall', 'percentile_class') ORDER BY 1";
        let expected = [
            "mann_kendall|a|value, time|json",
            "percentile_class|w|level|text",
            "sgi|w|level|double precision",
            "time_bucket|f|width, time [, origin | zone]|timestamp with time zone",
        ];
        assert_eq!(asked(&bench, sql, vec![]).await.unwrap(), expected);
        let counts = "SELECT count(*), count(DISTINCT oid) FROM pg_proc";
        let functions = bench.rows("SELECT count(*) FROM gwbank_functions").await[0].clone();
        assert_eq!(asked(&bench, counts, vec![]).await.unwrap(), [format!("{functions}|{functions}")]);
        let commented = "SELECT count(obj_description(oid, 'pg_proc')) FROM pg_proc";
        assert_eq!(asked(&bench, commented, vec![]).await.unwrap(), [functions]);
    });
}

#[test]
fn a_star_may_stand_beside_columns() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = "SELECT p.province_code, p.*, p.province_code AS again FROM (SELECT 1) x, provinces p \
                   WHERE province_code = '30'";
        let told = bench.engine.describe(request(sql, vec![])).await.unwrap();
        let names: Vec<&str> = told.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!((names[0], names[names.len() - 1]), ("province_code", "again"));
        assert_eq!(names.iter().filter(|name| **name == "province_code").count(), 2);
        assert_eq!(asked(&bench, sql, vec![]).await.unwrap().len(), 1);
    });
}

#[test]
fn a_table_is_described() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql = "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull \
                   FROM pg_attribute a WHERE a.attrelid = 'readings'::regclass AND a.attnum > 0 ORDER BY a.attnum LIMIT 4";
        let expected = [
            "well_id|text|true",
            "parameter|text|true",
            "time|timestamp with time zone|true",
            "value|double precision|false",
        ];
        assert_eq!(asked(&bench, sql, vec![]).await.unwrap(), expected);
        let sql = "SELECT obj_description('readings'::regclass::oid, 'pg_class'), current_user, pg_backend_pid(), \
                   current_setting('timezone'), 'readings'::regclass::oid::regclass";
        let expected = "one value a well, parameter and time, recent and historical|somchai|7|UTC|readings";
        assert_eq!(asked(&bench, sql, vec![]).await.unwrap(), [expected]);
    });
}

#[test]
fn parameters_are_told_and_bound() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let sql =
            "SELECT $1::int + 1 AS a, count(*), count(value) FROM readings WHERE well_id = $2 AND time > $3 LIMIT $4";
        let told = bench.engine.describe(request(sql, vec![])).await.unwrap();
        assert_eq!(told.parameters.len(), 4);
        assert_eq!(told.parameters[0], Some(DataType::Int32));
        assert_eq!(told.parameters[3], Some(DataType::Int64));
        assert_eq!(
            told.parameters[2],
            Some(DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())))
        );
        let names: Vec<&str> = told.schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "count", "count"]);
        let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
        let values = vec![
            text("41"),
            text("W"),
            text("2026-01-01 00:00:00+07"),
            Arc::new(arrow::array::Int64Array::from(vec![5])),
        ];
        assert_eq!(asked(&bench, sql, values).await.unwrap(), ["42|0|0"]);
        let listed = asked(
            &bench,
            "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE $1 || '%' ESCAPE '/' ORDER BY 1",
            vec![text("pg/_")],
        )
        .await
        .unwrap();
        assert_eq!(listed, ["information_schema", "public"]);
        let told = bench.engine.describe(request("SELECT 1 FROM wells WHERE well_id = ANY($1)", vec![])).await.unwrap();
        assert_eq!(told.parameters, [Some(DataType::new_list(DataType::Utf8View, true))]);
        let error = bench.engine.describe(request("SELECT $70000", vec![])).await.unwrap_err();
        assert_eq!(error.sqlstate(), "42000");
    });
}

#[test]
fn errors_have_codes_and_places() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (sql, code, place) in [
            ("SELECT x FROM readings", "42703", Some((1, 8))),
            ("SELECT 1\nFROM nothing", "42P01", Some((2, 6))),
            ("SELECT nothing(1)", "42883", Some((1, 8))),
            ("SELEC 1", "42601", Some((1, 1))),
            ("DELETE FROM wells", "25006", None),
        ] {
            let error = asked(&bench, sql, vec![]).await.unwrap_err();
            assert_eq!((error.sqlstate(), error.place()), (code, place), "{sql}: {error}");
        }
        assert!(bench.rows("SHOW TABLES").await.iter().all(|row| !row.contains("pg_catalog")));
    });
}
