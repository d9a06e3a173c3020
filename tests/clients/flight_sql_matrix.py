"""ADBC's Flight SQL driver with pyarrow, pandas and polars. Prints a JSON object of steps and outcomes."""
import datetime
import decimal
import json
import sys
import threading

import pandas
import polars
import pyarrow
import pyarrow.flight
from adbc_driver_flightsql import ConnectionOptions, DatabaseOptions, dbapi

uri, mode = sys.argv[1], sys.argv[2]
utc = datetime.timezone.utc
at = datetime.datetime(2026, 11, 1, 0, 0, tzinfo=utc)
seen = {}


def check(step, outcome):
    seen[step] = True if outcome is True else repr(outcome)


def refused(step, text, call, kind=dbapi.Error):
    try:
        outcome = call()
    except kind as error:
        check(step, text in str(error) or f"{type(error).__name__}: {error}")
    else:
        check(step, f"no error: {outcome!r}")


ENDLESS = "SELECT count(*) FROM generate_series(1, 100000000000)"


def fetched(cursor, sql):
    cursor.execute(sql)
    return cursor.fetchall()


def connect(**options):
    return dbapi.connect(uri, autocommit=True, **options)


def types(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT well_id, time, value, quality FROM readings WHERE well_id = 'W1' ORDER BY time LIMIT 2")
        table = cursor.fetch_arrow_table()
        utc_micros = pyarrow.timestamp("us", "UTC")
        check("arrow types", table.schema.types[:3] == [pyarrow.string(), utc_micros, pyarrow.float64()] or table.schema)
        check("arrow values", table.slice(0, 1).to_pylist()[0]["time"] == at or table.to_pylist())
        cursor.execute("SELECT 1::smallint AS a, 2::int AS b, 3::bigint AS c, 1.5::double AS d, true AS e,"
                       " DATE '2026-01-02' AS f, 12.50::decimal(10,2) AS g, NULL::text AS h, 'บ่อน้ำ' AS i,"
                       " [1, NULL, 3] AS j, named_struct('x', 1, 'y', 'ก') AS k, ['ก', NULL] AS l, NULL AS m,"
                       " arrow_cast('d', 'Dictionary(Int32, Utf8)') AS n, TIME '10:15:00' AS o, X'00ff' AS p")
        row = cursor.fetch_arrow_table().to_pylist()[0]
        expected = {"a": 1, "b": 2, "c": 3, "d": 1.5, "e": True, "f": datetime.date(2026, 1, 2),
                    "g": decimal.Decimal("12.50"), "h": None, "i": "บ่อน้ำ", "j": [1, None, 3], "k": {"x": 1, "y": "ก"},
                    "l": ["ก", None], "m": None, "n": "d", "o": datetime.time(10, 15), "p": b"\x00\xff"}
        check("types", row == expected or row)
        cursor.execute("SELECT time FROM readings WHERE false")
        check("no rows", cursor.fetchall() == [] and cursor.description[0][0] == "time")
        cursor.execute("SELECT value, value + 1 FROM readings ORDER BY well_id, time LIMIT 3")
        check("rows", cursor.fetchone() == (0.0, 1.0) and len(cursor.fetchmany(5)) == 2)


def frames(connection):
    sql = "SELECT well_id, time, value FROM readings ORDER BY well_id, time"
    frame = pandas.read_sql(sql, connection)
    check("pandas", len(frame) == 1000 and str(frame["time"].dt.tz) == "UTC" and float(frame["value"].sum()) == 4500.0
          or frame.dtypes)
    frame = pandas.read_sql("SELECT well_id, depth, name_th FROM wells ORDER BY 1", connection)
    check("pandas nulls", frame["depth"].isna().tolist() == [False, True] and frame["name_th"][0] == "บ่อหนึ่ง" or frame)
    frame = polars.read_database(sql, connection)
    expected = {"well_id": polars.String, "time": polars.Datetime("us", "UTC"), "value": polars.Float64}
    check("polars", frame.schema == expected and frame.height == 1000 and frame["value"].sum() == 4500.0 or frame.schema)
    frame = polars.read_database("SELECT depth, name_th FROM wells ORDER BY well_id", connection)
    check("polars nulls", frame.rows() == [(12.5, "บ่อหนึ่ง"), (None, None)] or frame)
    frame = polars.read_database("SELECT min(value), max(value), count(*) FROM readings", connection)
    check("names of columns differ", len(set(frame.columns)) == 3 and frame.row(0) == (0.0, 9.0, 1000) or frame)


def parameters(connection):
    with connection.cursor() as cursor:
        sql = "SELECT value, time FROM readings WHERE well_id = $1 AND time >= $2 AND value >= $3 ORDER BY time LIMIT $4"
        cursor.execute(sql, ("W1", at, 5, 2))
        check("parameters", [row[0] for row in cursor.fetchall()] == [5.0, 6.0])
        cursor.execute(sql, ("W2", at, 8, 1))
        check("parameters again", [row[0] for row in cursor.fetchall()] == [8.0])
        cursor.execute("SELECT $1::text, $2::bigint", ("น้ำ", None))
        check("parameters null and Thai", cursor.fetchall() == [("น้ำ", None)])
        cursor.execute("SELECT count(*) FROM wells WHERE well_id = ANY($1)",
                       pyarrow.record_batch([pyarrow.array([["W1", "W2", "W9"]])], names=["wells"]))
        check("a parameter that is a list", cursor.fetchall() == [(2,)])
        schema = cursor.adbc_prepare("SELECT value FROM readings WHERE well_id = $1 AND value > $2")
        check("prepare", schema.types == [pyarrow.string(), pyarrow.float64()] or schema)
        refused("too few parameters", "parameters", lambda: cursor.execute(sql, ("W1",)))
        refused("two rows of parameters", "one row", lambda: cursor.execute(
            "SELECT $1::int", pyarrow.record_batch([pyarrow.array([1, 2])], names=["a"])))


def catalog(connection):
    objects = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    schemas = objects[0]["catalog_db_schemas"]
    tables = {table["table_name"]: table for table in schemas[0]["db_schema_tables"]}
    columns = [column["column_name"] for column in tables["readings"]["table_columns"]]
    check("objects", objects[0]["catalog_name"] == "gwbank" and len(objects) == 1 and len(schemas) == 1
          and schemas[0]["db_schema_name"] == "public" and columns[:4] == ["well_id", "parameter", "time", "value"]
          and tables["levels_monthly"]["table_type"] == "VIEW" or objects)
    found = connection.adbc_get_objects(depth="tables", table_name_filter="well%", table_types_filter=["TABLE"])
    names = [table["table_name"] for table in found.read_all().to_pylist()[0]["catalog_db_schemas"][0]["db_schema_tables"]]
    check("objects filtered", names == ["wells"] or names)
    schema = connection.adbc_get_table_schema("readings")
    check("table schema", schema.field("value").type == pyarrow.float64() and not schema.field("time").nullable or schema)
    check("remarks", b"m" in schema.field("value").metadata[b"ARROW:FLIGHT:SQL:REMARKS"] or schema)
    check("table types", sorted(connection.adbc_get_table_types()) == ["TABLE", "VIEW"])
    info = connection.adbc_get_info()
    check("info", info["vendor_name"] == "gwbank" or info)


def errors(connection):
    with connection.cursor() as cursor:
        refused("unknown column", "nothing", lambda: cursor.execute("SELECT nothing FROM readings"), dbapi.ProgrammingError)
        refused("syntax", "syntax error", lambda: cursor.execute("SELEKT 1"), dbapi.ProgrammingError)
        refused("insert", "read-only", lambda: cursor.execute("INSERT INTO wells VALUES ('x')"))
        refused("drop", "read-only", lambda: cursor.execute("DROP TABLE wells"))
        refused("file", "no table", lambda: cursor.execute("SELECT * FROM '/etc/passwd'"))
        refused("executemany", "read-only", lambda: cursor.executemany("SELECT $1::int", [(1,), (2,)]))
        table = pyarrow.table({"a": [1]})
        refused("ingest", "read-only", lambda: cursor.adbc_ingest("wells", table, mode="append"))
        refused("limit of rows", "query.rows_max", lambda: fetched(cursor, "SELECT * FROM generate_series(1, 600000)"))
        # The connection is good for more.
        cursor.execute("SELECT 1")
        check("after errors", cursor.fetchall() == [(1,)])


def streaming(connection):
    with connection.cursor() as cursor:
        cursor.execute("SELECT value AS n FROM generate_series(1, 300000)")
        batches = cursor.fetch_record_batch()
        rows, largest = 0, 0
        for batch in batches:
            rows, largest = rows + batch.num_rows, max(largest, batch.nbytes)
        check("stream", rows == 300_000 and largest <= 2 << 20 or (rows, largest))
    with connection.cursor() as cursor:
        threading.Timer(1, cursor.adbc_cancel).start()
        refused("cancel", "ancel", lambda: fetched(cursor, ENDLESS), Exception)
        check("after a cancel", fetched(cursor, "SELECT 1") == [(1,)])
    options = {"adbc.flight.sql.rpc.timeout_seconds.fetch": "0.5"}
    with connect(conn_kwargs=options) as impatient, impatient.cursor() as cursor:
        refused("deadline", "TIMEOUT", lambda: fetched(cursor, ENDLESS), Exception)


def sessions():
    options = {DatabaseOptions.WITH_COOKIE_MIDDLEWARE.value: "true"}
    with connect(db_kwargs=options) as connection, connection.cursor() as cursor:
        connection.adbc_connection.set_options(
            **{ConnectionOptions.OPTION_SESSION_OPTION_PREFIX.value + "application_name": "โน้ตบุ๊ก"})
        cursor.execute("SELECT current_setting('application_name'), current_user")
        check("session option", cursor.fetchall() == [("โน้ตบุ๊ก", "gwbank")])


def with_pyarrow(options):
    client = pyarrow.flight.FlightClient(uri.replace("grpc://", "grpc+tcp://"), **options)
    actions = {action.type for action in client.list_actions()}
    check("pyarrow actions", {"CancelFlightInfo", "CreatePreparedStatement"} <= actions or actions)
    try:
        client.get_flight_info(pyarrow.flight.FlightDescriptor.for_command(b"nonsense"))
    except pyarrow.lib.ArrowInvalid as error:
        check("pyarrow nonsense", "no command" in str(error) or str(error))


def guarded(authority):
    tls = {}
    if authority != "none":
        tls = {DatabaseOptions.TLS_ROOT_CERTS.value: open(authority).read()}

    def asked(**credentials):
        with connect(db_kwargs={**tls, **credentials}) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT current_user")
            return cursor.fetchall()[0][0]

    check("password", asked(username="somchai", password="บ่อน้ำ") == "somchai")
    header = DatabaseOptions.AUTHORIZATION_HEADER.value
    check("token", asked(**{header: "Bearer t0ken"}) == "grafana")
    refused("wrong password", "password is wrong", lambda: asked(username="somchai", password="x"))
    refused("unknown user", "password is wrong", lambda: asked(username="nobody", password="x"))
    refused("wrong token", "token is not known", lambda: asked(**{header: "Bearer x"}))
    refused("nobody", "send a user name", lambda: asked())
    refused("role", "does not permit SQL", lambda: asked(username="malee", password="office"))
    if tls:
        tls = {}
        refused("unknown authority", "ertificate", lambda: asked(username="somchai", password="บ่อน้ำ"))
        plain = uri.replace("grpc+tls://", "grpc://")

        def in_clear():
            with dbapi.connect(plain, autocommit=True, db_kwargs={"username": "somchai", "password": "บ่อน้ำ"}) as c:
                return c.cursor().execute("SELECT 1")
        refused("clear text", "", in_clear)


if mode == "open":
    with connect() as connection:
        for part in (types, frames, parameters, catalog, errors, streaming):
            part(connection)
    sessions()
    with_pyarrow({})
else:
    guarded(sys.argv[3])
print(json.dumps(seen, ensure_ascii=False))
