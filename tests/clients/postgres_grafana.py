"""What Grafana's data source asks, by the extended protocol with values in binary form, as its driver (pgx) does: through asyncpg.
Prints a JSON object of statements and outcomes. Arguments: host, port, the file of statements.
"""
import asyncio
import json
import sys

import asyncpg

host, port, file = sys.argv[1], int(sys.argv[2]), sys.argv[3]
statements = [part.strip() for part in open(file, encoding="utf-8").read().split("\n", 1)[1].split("\n;;\n")]
seen = {}


async def main():
    connection = await asyncpg.connect(host=host, port=port, user="gwbank", database="gwbank")
    answers = []
    for number, sql in enumerate(statements):
        step = f"{number}: " + " ".join(sql.split())[:60]
        try:
            answers.append([dict(row) for row in await connection.fetch(sql)])
            seen[step] = True
        except Exception as error:  # the object names it
            answers.append([])
            seen[step] = repr(error)

    def of(*parts):
        """The answer to the first statement with all of these in it."""
        return next(answer for sql, answer in zip(statements, answers) if all(part in sql for part in parts))

    def check(step, outcome):
        seen[step] = True if outcome is True else repr(outcome)

    check("version", of("server_version_num") == [{"version": 1500}] or of("server_version_num"))
    check("no timescaledb", of("timescaledb'") == [])
    check("schemas", of('AS "name"') == [{"name": "public"}] or of('AS "name"'))
    tables = {row["table"] for row in of("CASE WHEN", "information_schema.tables")}
    check("tables", {"readings", "wells", "levels_monthly"} <= tables or tables)
    columns = {row["column"]: row["type"] for row in of("parse_ident")}
    wanted = {"well_id": "text", "time": "timestamp with time zone", "value": "double precision"}
    check("columns", wanted.items() <= columns.items() or columns)
    hours = of("/3600)*3600", "GROUP BY 1")
    check("time groups", hours[0]["time"] == 1793491200 and hours[0]["value"] == 4.5 or hours)
    buckets = of("time_bucket")
    check("time buckets", buckets[0]["value"] == 4.5 and buckets[0]["time"].timestamp() == 1793491200 or buckets)
    filtered = of("metric, value FROM readings WHERE time BETWEEN")
    check("time filter", len(filtered) == 40 or len(filtered))
    epochs = of("1793577600 GROUP BY 1")
    check("epoch filter and group", sum(row["readings"] for row in epochs) == 482 or epochs)
    # Values of a panel's variables may be bound, too.
    rows = await connection.fetch(
        "SELECT floor(extract(epoch from time)/$1)*$1 AS time, avg(value) AS value FROM readings WHERE well_id = ANY($2::text[])"
        " GROUP BY 1 ORDER BY 1", 3600.0, ["W1"])
    check("parameters", [row["value"] for row in rows[:2]] == [4.5, 4.5] or rows[:2])
    await connection.close()


asyncio.run(main())
print(json.dumps(seen, ensure_ascii=False))
