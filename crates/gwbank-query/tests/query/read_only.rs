//! Nothing that is typed changes data, reads or writes a file, or reaches the network.

use gwbank_query::{QueryError, QueryErrorKind};

use crate::support::{Bench, config, run};

const REFUSED: &[&str] = &[
    "INSERT INTO readings VALUES (1)",
    "INSERT INTO wells SELECT * FROM wells",
    "EXPLAIN INSERT INTO wells SELECT * FROM wells",
    "EXPLAIN ANALYZE INSERT INTO wells SELECT * FROM wells",
    "UPDATE wells SET name = 'x'",
    "DELETE FROM readings",
    "TRUNCATE TABLE readings",
    "MERGE INTO wells USING wells AS w ON false WHEN MATCHED THEN DELETE",
    "DROP TABLE readings",
    "DROP VIEW readings_daily",
    "DROP SCHEMA public CASCADE",
    "CREATE TABLE t (a INT)",
    "CREATE TABLE t AS SELECT * FROM readings",
    "CREATE VIEW v AS SELECT 1",
    "CREATE OR REPLACE VIEW readings AS SELECT 1",
    "EXPLAIN CREATE VIEW v AS SELECT 1",
    "CREATE SCHEMA s",
    "CREATE DATABASE d",
    "CREATE INDEX i ON wells (well_id)",
    "CREATE FUNCTION f(INT) RETURNS INT RETURN $1",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION 'http://localhost/x.parquet'",
    "COPY readings TO '/tmp/readings.csv'",
    "COPY (SELECT 1) TO '/tmp/x.parquet' STORED AS PARQUET",
    "EXPLAIN COPY (SELECT 1) TO '/tmp/x.csv'",
    "COPY readings FROM '/etc/passwd'",
    "ALTER TABLE readings ADD COLUMN x INT",
    "SET datafusion.execution.batch_size = 1",
    "SET TIME ZONE 'UTC'",
    "RESET datafusion.execution.batch_size",
    "SHOW ALL",
    "SHOW datafusion.runtime.temp_directory",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "DEALLOCATE p",
    "GRANT ALL ON readings TO PUBLIC",
    "VACUUM",
    "ANALYZE readings",
    "CALL f()",
    "SELECT * INTO t FROM wells",
    "WITH w AS (INSERT INTO wells VALUES (1) RETURNING *) SELECT * FROM w",
    "EXPLAIN EXPLAIN DROP TABLE readings",
    "SELECT 1; DROP TABLE readings",
    "SELECT 1; SELECT 2",
];

/// SQL in form, but about nothing that there is.
const UNKNOWN: &[&str] = &[
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM \"/etc/passwd\"",
    "SELECT * FROM '/etc/passwd.csv'",
    "SELECT * FROM 'http://localhost/x.csv'",
    "SELECT * FROM 's3://bucket/x.parquet'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_parquet('/tmp/x.parquet')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/tmp/x.parquet')",
    "SELECT load_extension('x')",
    "SELECT * FROM ignored.readings",
];

#[test]
fn hostile_statements_are_refused() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for sql in REFUSED {
            let error = bench.error(sql).await;
            assert!(matches!(error.kind(), QueryErrorKind::ReadOnly | QueryErrorKind::Invalid), "{sql}: {error:?}");
        }
        for sql in UNKNOWN {
            let error = bench.error(sql).await;
            assert_eq!(error.kind(), QueryErrorKind::Invalid, "{sql}: {error:?}");
        }
        // The tables are as they were.
        assert_eq!(bench.rows("SELECT count(*) FROM wells").await, ["3"]);
        assert!(bench.rows("SHOW TABLES").await.iter().any(|row| row.contains("readings_daily")));
    });
}

#[test]
fn what_is_refused_is_named() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (sql, named) in [
            ("DROP TABLE readings", "DROP TABLE"),
            ("COPY readings TO '/tmp/x.csv'", "COPY"),
            ("EXPLAIN COPY readings TO '/tmp/x.csv'", "COPY"),
            ("SET a.b = 1", "SET"),
            ("INSERT INTO wells SELECT * FROM wells", "INSERT INTO"),
            ("SELECT * INTO t FROM wells", "SELECT INTO"),
        ] {
            let error = bench.error(sql).await;
            assert!(matches!(error, QueryError::ReadOnly { .. }), "{sql}: {error:?}");
            assert!(error.to_string().starts_with(named), "{sql}: {error}");
            assert_eq!(error.sqlstate(), "25006");
        }
        assert!(matches!(bench.error("SELECT 1; SELECT 2").await, QueryError::ManyStatements(2)));
    });
}

#[test]
fn what_reads_is_allowed() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for sql in [
            "SELECT 1",
            "VALUES (1), (2)",
            "WITH w AS (SELECT * FROM wells) SELECT count(*) FROM w UNION ALL SELECT 1",
            "EXPLAIN SELECT * FROM readings",
            "EXPLAIN ANALYZE SELECT * FROM readings",
            "DESCRIBE readings",
            "SHOW COLUMNS FROM wells",
            "SELECT table_name FROM information_schema.tables",
            "SELECT 1;",
        ] {
            assert!(!bench.rows(sql).await.is_empty(), "{sql}");
        }
    });
}

#[test]
fn errors_help() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        for (sql, says) in [
            ("SELEC 1", "Expected"),
            ("", "there is no statement"),
            ("SELECT valu FROM readings", "value"),
            ("SELECT * FROM reading", "did you mean \"readings\"?"),
            ("SELECT well_id FROM readings GROUP BY parameter", "GROUP BY"),
            ("SELECT nosuch(1)", "nosuch"),
            ("SELECT time_bucket('1 month 1 day', time) FROM readings LIMIT 1", ""),
        ] {
            match bench.batches(sql).await {
                Ok(_) => assert!(says.is_empty(), "{sql}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains(says), "{sql}: {text}");
                    assert!(!text.contains("datafusion"), "{sql}: {text}");
                }
            }
        }
        let place = bench.error("SELECT 1,\n  valu FROM readings").await.to_string();
        assert!(place.contains("line 2, column 3"), "{place}");
        let failed = bench.error("SELECT 1 / 0").await;
        assert_eq!(failed.kind(), QueryErrorKind::Failed, "{failed:?}");
    });
}

#[test]
fn a_chain_of_unions_is_refused_before_it_is_planned() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let chain = |selects: usize| vec!["SELECT 1"; selects].join(" UNION ALL ");
        assert_eq!(bench.rows(&chain(200)).await.len(), 200);
        let error = bench.error(&chain(3_000)).await;
        assert!(error.to_string().contains("256 SELECTs"), "{error}");
    });
}
