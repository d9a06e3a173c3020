//! Nothing that is typed changes data, reads or writes a file, or reaches the network.

use gwbank_query::{QueryError, QueryErrorKind};
use gwbank_testkit::hostile::{Expected, HostileStatement, statements};

use crate::support::{Bench, config, run};

#[test]
fn hostile_statements_are_refused() {
    run(async {
        let bench = Bench::new(config(), usize::MAX);
        let mut objections = Vec::new();
        for HostileStatement { expected, sql, .. } in statements() {
            let answer = match expected {
                Expected::Odd | Expected::Endless | Expected::Greedy => continue,
                _ => bench.batches(&sql).await,
            };
            let is_refused = match answer.as_ref().map_err(|error| error.kind()) {
                Err(QueryErrorKind::Invalid) => true,
                Err(QueryErrorKind::ReadOnly) => matches!(expected, Expected::Refused | Expected::Session),
                _ => false,
            };
            if !is_refused {
                objections.push(format!("{sql:.100}: {:.300}", format!("{answer:?}")));
            }
        }
        assert!(objections.is_empty(), "{objections:#?}");
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
