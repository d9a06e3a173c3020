"""The other side of the benchmark `questions`: DuckDB, asked over standard input, one JSON document a line.

{"do": SQL}                 runs it and answers {"seconds": s}
{"ask": SQL, "into": PATH}  runs it, its rows as an Arrow table, and answers {"seconds": s, "rows": n}; the rows go to the
                            file after the clock has stopped
"""

import json
import sys
import time

import duckdb
import pyarrow.ipc

database = duckdb.connect()
print(json.dumps({"version": duckdb.__version__}), flush=True)
for line in sys.stdin:
    wanted = json.loads(line)
    try:
        began = time.perf_counter()
        if "do" in wanted:
            database.execute(wanted["do"])
            answer = {"seconds": time.perf_counter() - began}
        else:
            table = database.sql(wanted["ask"]).to_arrow_table()
            answer = {"seconds": time.perf_counter() - began, "rows": table.num_rows}
            with pyarrow.ipc.new_stream(wanted["into"], table.schema) as file:
                file.write_table(table)
    except Exception as error:  # The bench ends with what it says.
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
