"""psqlODBC by pyodbc: TLS and SCRAM, catalog functions, parameters, types, DECLARE/FETCH. Prints a JSON object of steps and outcomes.

Arguments: host, port, driver, password, the authority's certificate.
"""
import datetime
import decimal
import json
import sys

import pyodbc

host, port, driver, password, authority = sys.argv[1:6]
pyodbc.pooling = False
seen = {}


def check(step, outcome):
    try:
        outcome = outcome()
    except Exception as error:  # the object names it
        outcome = error
    seen[step] = True if outcome is True else repr(outcome)


def connect(**options):
    parts = {"Driver": driver, "Server": host, "Port": port, "Database": "gwbank", "UID": "somchai", "PWD": password,
             "SSLmode": "verify-full", "pqopt": "{sslrootcert=%s channel_binding=require}" % authority, **options}
    return pyodbc.connect(";".join(f"{name}={value}" for name, value in parts.items()), timeout=20)


connection = connect()
cursor = connection.cursor()
at = datetime.datetime(2026, 11, 1, 7, 0)
check("user", lambda: cursor.execute("SELECT current_user").fetchval() == "somchai")
check("version", lambda: connection.getinfo(pyodbc.SQL_DBMS_VER).startswith("15.")
      or connection.getinfo(pyodbc.SQL_DBMS_VER))
check("tables", lambda: {"readings", "wells"} <= {row.table_name for row in cursor.tables(schema="public", tableType="TABLE")})
check("views", lambda: {row.table_name for row in cursor.tables(tableType="VIEW")} == {"levels_monthly", "readings_daily"}
      or cursor.tables(tableType="VIEW").fetchall())
check("columns", lambda: {"well_id": "text", "time": "timestamptz", "value": "float8"}.items()
      <= {row.column_name: row.type_name for row in cursor.columns(table="readings")}.items()
      or [(row.column_name, row.type_name) for row in cursor.columns(table="readings")])
check("primary keys", lambda: cursor.primaryKeys("readings").fetchall() == [])
check("foreign keys", lambda: cursor.foreignKeys("readings").fetchall() == [])
check("statistics", lambda: all(row.index_name is None for row in cursor.statistics("readings").fetchall()))
check("special columns", lambda: cursor.rowIdColumns("readings").fetchall() is not None)
check("procedures", lambda: cursor.procedures().fetchall() is not None)
check("types of the server", lambda: len(cursor.getTypeInfo().fetchall()) > 10)
check("parameters", lambda: [
    row.value for row in cursor.execute(
        "SELECT time, value FROM readings WHERE well_id = ? AND value < ? ORDER BY time LIMIT ?", "W1", 2.5, 3)
] == [0.0, 1.0, 2.0])


def prepared():
    sql = "SELECT count(*) FROM readings WHERE well_id = ? AND time >= ?"
    return [cursor.execute(sql, well, at).fetchval() for well in ("W1", "W2", "W3")] == [500, 500, 0]


check("prepared again and again", prepared)
check("types", lambda: tuple(cursor.execute(
    "SELECT 1::smallint, 2::int, 3::bigint, 1.5::double, DATE '2026-01-02', 12.50::decimal(10,2), NULL::text, 'บ่อ'"
).fetchone()) == (1, 2, 3, 1.5, datetime.date(2026, 1, 2), decimal.Decimal("12.50"), None, "บ่อ"))
check("times", lambda: cursor.execute("SELECT min(time) FROM readings").fetchval() == at)


def error():
    try:
        cursor.execute("SELECT nothing FROM wells")
    except pyodbc.Error as error:
        return "42703" in str(error) or "nothing" in str(error) or error


check("error", error)
connection.rollback()
check("all rows", lambda: len(cursor.execute("SELECT * FROM readings").fetchall()) == 1000)

fetching = connect(UseDeclareFetch=1, Fetch=100)
rows = fetching.cursor()
check("declare and fetch", lambda: len(rows.execute("SELECT time, value FROM readings").fetchall()) == 1000)


def first_of_many():
    rows.execute("SELECT value FROM generate_series(1, 100000000) AS g (value)")
    return [row[0] for row in rows.fetchmany(250)] == list(range(1, 251))


check("first rows of many", first_of_many)
fetching.rollback()
check("server-side prepare", lambda: connect(UseServerSidePrepare=1, Protocol="7.4-2").cursor().execute(
    "SELECT count(*) FROM readings WHERE well_id = ?", "W1").fetchval() == 500)


def refused(**options):
    try:
        connect(**options)
    except pyodbc.Error as error:
        return error.args[1]
    return "let in"


check("wrong password", lambda: "password authentication failed" in refused(PWD="wrong") or refused(PWD="wrong"))
check("without TLS", lambda: "without TLS" in refused(SSLmode="disable", pqopt="{}") or refused(SSLmode="disable", pqopt="{}"))
print(json.dumps(seen, ensure_ascii=False))
