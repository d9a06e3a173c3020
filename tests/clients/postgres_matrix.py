"""Python's clients of PostgreSQL: psycopg 3, asyncpg, SQLAlchemy 2 with pandas. Prints a JSON object of steps and outcomes."""
import asyncio
import datetime
import decimal
import json
import sys

import asyncpg
import pandas
import psycopg
import sqlalchemy

host, port = sys.argv[1], int(sys.argv[2])
at = datetime.datetime(2026, 11, 1, 0, 0, tzinfo=datetime.timezone.utc)
seen = {}


def check(step, outcome):
    seen[step] = True if outcome is True else repr(outcome)


def with_psycopg():
    with psycopg.connect(host=host, port=port, user="gwbank", dbname="gwbank") as connection:
        sql = "SELECT well_id, time, value FROM readings WHERE well_id = %s AND time >= %s ORDER BY time LIMIT %s"
        rows = connection.execute(sql, ("W1", at, 2)).fetchall()
        check("psycopg text", rows[0] == ("W1", at, 0.0) and len(rows) == 2 or rows)
        rows = connection.cursor(binary=True).execute(sql, ("W1", at, 2)).fetchall()
        check("psycopg binary", rows[0] == ("W1", at, 0.0) or rows)
        values = connection.cursor(binary=True).execute(
            "SELECT 1::smallint, 2::int, 3::bigint, 1.5::double, true, DATE '2026-01-02', INTERVAL '1 day 2 hours',"
            " 12.50::decimal(10,2), ARRAY[1, 2], NULL::text, 'บ่อ'"
        ).fetchone()
        expected = (1, 2, 3, 1.5, True, datetime.date(2026, 1, 2), datetime.timedelta(days=1, hours=2),
                    decimal.Decimal("12.50"), [1, 2], None, "บ่อ")
        check("psycopg types", values == expected or values)
        check("psycopg any", connection.execute(
            "SELECT count(*) FROM wells WHERE well_id = ANY(%s)", (["W1", "W2"],)).fetchone() == (2,))
        local = datetime.datetime(2026, 11, 2)
        by = "SELECT count(*) FROM readings WHERE time >= "
        literal = connection.execute(by + "'2026-11-02 00:00'").fetchone()
        for binary in (False, True):
            seven = datetime.timezone(datetime.timedelta(hours=7))
            for value in (local, local.date(), local.replace(tzinfo=seven)):
                bound = connection.cursor(binary=binary).execute(by + "%s", (value,)).fetchone()
                check(f"psycopg {type(value).__name__} {binary} {value.tzinfo if hasattr(value, 'tzinfo') else ''}",
                      bound == literal or (bound, literal))
        listed = connection.execute("SELECT count(*) FROM readings WHERE time = ANY(%s)", ([local],)).fetchone()
        check("psycopg list of local times", listed == (2,) or listed)
        connection.execute("CREATE VIEW two AS SELECT well_id, 1 AS one FROM wells")
        connection.execute("SELECT * FROM two", prepare=True)
        connection.execute("CREATE OR REPLACE VIEW two AS SELECT 1 AS one")
        try:
            connection.execute("SELECT * FROM two", prepare=True)
        except psycopg.errors.FeatureNotSupported as error:
            check("psycopg changed view", "cached plan" in str(error) or str(error))
        connection.rollback()
        with connection.cursor(name="rows") as cursor:
            cursor.itersize = 100
            cursor.execute("SELECT time FROM readings WHERE well_id = %s", ("W1",))
            check("psycopg server-side cursor", sum(1 for _ in cursor) == 500)
        try:
            connection.execute("SELECT nothing FROM readings")
        except psycopg.errors.UndefinedColumn as error:
            check("psycopg error", error.diag.statement_position == "8" or error.diag.statement_position)
        try:
            connection.execute("SELECT 1")
        except psycopg.errors.InFailedSqlTransaction:
            check("psycopg failed transaction", True)
        connection.rollback()
        with connection.cursor().copy("COPY (SELECT well_id FROM wells ORDER BY well_id) TO STDOUT") as copy:
            check("psycopg copy", b"".join(copy).startswith(b"W1\nW2\n"))


async def with_asyncpg():
    connection = await asyncpg.connect(host=host, port=port, user="gwbank", database="gwbank")
    rows = await connection.fetch("SELECT time, value FROM readings WHERE well_id = $1 AND time >= $2 LIMIT 2", "W1", at)
    check("asyncpg parameters", len(rows) == 2 and rows[0]["value"] is not None)
    check("asyncpg array", await connection.fetchval("SELECT array[1,2]") == [1, 2])
    values = await connection.fetchval("SELECT array_agg(value) FROM readings WHERE time < $1", at.replace(minute=1))
    check("asyncpg array of values", values == [0.0, 0.0] or values)
    found = await connection.fetchval("SELECT count(*) FROM readings WHERE time = ANY($1::timestamptz[])", [at])
    check("asyncpg array parameter", found == 2 or found)
    async with connection.transaction():
        count = 0
        async for _ in connection.cursor("SELECT * FROM readings", prefetch=64):
            count += 1
    check("asyncpg cursor", count == 1000 or count)
    try:
        await connection.fetch("INSERT INTO wells VALUES (1)")
    except asyncpg.exceptions.ReadOnlySQLTransactionError:
        check("asyncpg read only", True)
    try:
        endless = "SELECT count(*) FROM generate_series(1, 100000000000)"
        await connection.fetch(endless, timeout=0.5)
    except (asyncio.TimeoutError, TimeoutError):
        check("asyncpg timeout cancels", await connection.fetchval("SELECT 1") == 1)
    await connection.reset()
    await connection.close()


def with_sqlalchemy():
    engine = sqlalchemy.create_engine(f"postgresql+psycopg://gwbank@{host}:{port}/gwbank")
    with engine.connect() as connection:
        inspector = sqlalchemy.inspect(connection)
        check("sqlalchemy schemas", "public" in inspector.get_schema_names())
        check("sqlalchemy tables", {"readings", "wells"} <= set(inspector.get_table_names()))
        check("sqlalchemy views", inspector.get_view_names() == ["levels_monthly", "readings_daily"] or inspector.get_view_names())
        columns = {column["name"]: str(column["type"]) for column in inspector.get_columns("readings")}
        wanted = {"well_id": "TEXT", "time": "TIMESTAMP", "value": "DOUBLE PRECISION"}
        check("sqlalchemy columns", wanted.items() <= columns.items() or columns)
        keys = (inspector.get_pk_constraint("readings")["constrained_columns"], inspector.get_foreign_keys("readings"),
                inspector.get_indexes("readings"))
        check("sqlalchemy keys", keys == ([], [], []) or keys)
        metadata = sqlalchemy.MetaData()
        metadata.reflect(bind=connection, only=["wells"])
        wells = metadata.tables["wells"]
        query = sqlalchemy.select(wells.c.well_id).where(wells.c.province_code == "30").order_by(wells.c.well_id)
        check("sqlalchemy query", connection.execute(query).scalars().all()[:2] == ["W1", "W2"])
        frame = pandas.read_sql("SELECT time, value FROM readings WHERE well_id = 'W1' ORDER BY time", connection)
        check("pandas read_sql", len(frame) == 500 and str(frame["time"].dtype).startswith("datetime64"))
        check("pandas read_sql_table", len(pandas.read_sql_table("wells", connection)) >= 2)


steps = (with_psycopg, lambda: asyncio.run(with_asyncpg()), with_sqlalchemy)
for step in steps:
    try:
        step()
    except Exception as error:  # the object names it
        seen[getattr(step, "__name__", "step")] = repr(error)
print(json.dumps(seen, ensure_ascii=False))
