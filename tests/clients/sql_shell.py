"""`gwbank sql` at a real pseudo-terminal. Prints a JSON object of steps and outcomes.

Arguments: the program, a data directory with a running server, the server's address, a directory for state.
"""
import json
import os
import re
import stat
import sys
import time
import urllib.request

import pexpect
from wcwidth import wcswidth

program, data_dir, http, home = sys.argv[1:5]
seen = {}


def check(step, outcome):
    seen[step] = True if outcome is True else repr(outcome)


PROMPT = "gwbank=> "
# The editor draws what is typed anew after each key; what is shown after the last time begins at a new line.
END = r"\((?:\d+ rows?, )?[0-9.]+ m?s\)\r\n"


def start(columns=100):
    environment = dict(os.environ, XDG_STATE_HOME=home, TERM="xterm")
    shell = pexpect.spawn(program, ["--data-dir", data_dir, "sql"], env=environment, encoding="utf-8", timeout=120,
                          dimensions=(40, columns))
    shell.expect_exact("\\q ends")
    shell.expect_exact(PROMPT)
    return shell


def ask(shell, text, end=END):
    """What comes after the text was typed; the prompt after it is taken, too."""
    shell.send(text)
    # The text is whole: its last drawing ends the line.
    shell.send("\r")
    shell.expect(end)
    answer = shell.before + shell.after
    shell.expect_exact(PROMPT)
    return answer


def rows(answer):
    """The lines of a table, without what was drawn while typing."""
    lines = answer.split("\r\n")
    rule = max(place for place, line in enumerate(lines) if set(line) <= set("─┼") and line)
    return lines[rule - 1:-2]


def running():
    text = urllib.request.urlopen(http + "/metrics").read().decode()
    line = next(line for line in text.splitlines() if line.startswith("gwbank_queries_running "))
    return float(line.split()[1])


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


shell = start()
answer = ask(shell, "SELECT 1 AS one,\r  2 AS two;")
check("a statement has several lines", rows(answer)[2].split("│")[1].strip() == "2" or answer)
check("further lines have a prompt of their own", "gwbank-> " in answer or answer)

table = rows(ask(shell, "SELECT well_id, name_th, depth FROM wells ORDER BY well_id;"))
rules = [[wcswidth(line[:place]) for place, c in enumerate(line) if c in "│┼"] for line in table]
check("Thai text keeps the columns", len(table) == 4 and all(rule == rules[0] for rule in rules) or table)
check("numbers stand to the right", table[2].endswith("  12.5") or table)
check("null is nothing", table[3].rstrip().endswith("│") or table)
ask(shell, "\\pset null ∅\rSELECT 1;")
check("null is what it was set to",
      "∅" in rows(ask(shell, "SELECT depth FROM wells WHERE well_id = 'W2';"))[2])

listed = ask(shell, "\\d\rSELECT 1;")
check("tables are listed", bool(re.search(r"readings_daily +│ view", listed)) or listed)
described = ask(shell, "\\d readings\rSELECT 1;")
check("columns are listed", "timestamp with time zone │ not null" in described or described)
check("an unknown table is told", "there is no table" in ask(shell, "\\d nonsense", end=r"lists them\r\n"))
function = ask(shell, "\\df sgi\rSELECT 1;")
check("a function is explained", "│ sgi(" in function and "record 1" in function or function)
check("functions are listed", "mann_kendall_seasonal" in ask(shell, "\\df mann*\rSELECT 1;"))
check("help is given", "\\timing" in ask(shell, "\\?", end="wider than the terminal.\r\n"))

wrong = ask(shell, "SELECT 'บ่อ',\r  nothing FROM wells;", end=r"\^\r\n")
line, caret = wrong.split("\r\n")[-3:-1]
below = line[len(caret) - 1:][:7]
check("an error points at its place", line.startswith("LINE 2:") and below == "nothing" or wrong)

completed = ask(shell, "SELECT count(*) AS n FROM provi\t;")
check("names are completed", "77" in rows(completed)[2] or completed)

shell.send("SELECT half of something")
shell.sendcontrol("c")
shell.expect_exact("^C\r\n")
shell.expect_exact(PROMPT)
check("Ctrl-C gives up what is typed", "42" in rows(ask(shell, "SELECT 41 + 1 AS n;"))[2])

shell.send("SELECT count(*) FROM generate_series(1, 1000000000000);\r")
check("a long query runs", wait_for(lambda: running() >= 1))
shell.sendcontrol("c")
shell.expect_exact("stopped\r\n")
shell.expect_exact(PROMPT)
check("Ctrl-C stops it at the server too", wait_for(lambda: running() == 0))
check("and the shell goes on", "43" in rows(ask(shell, "SELECT 42 + 1 AS n;"))[2])

shell.send("SELECT value AS n FROM generate_series(1, 1000000000);\r")
shell.expect(r" 5000\r\n")
shell.sendcontrol("c")
shell.expect_exact("stopped\r\n")
shell.expect_exact(PROMPT)
check("Ctrl-C stops rows on their way", wait_for(lambda: running() == 0))

expanded = ask(shell, "\\x\rSELECT well_id FROM wells ORDER BY 1;")
check("rows are shown as records", "─[ record 2 ]─" in expanded and "well_id │ W2" in expanded or expanded)
ask(shell, "\\x auto\rSELECT 1;")
check("timing can be off", "(1 row)" in ask(shell, "\\timing off\rSELECT 1;", end=r"\(1 row\)\r\n"))
shell.sendline("\\timing on\r")
shell.expect_exact("timing is on")
shell.expect_exact(PROMPT)
copy = os.path.join(home, "copy.csv")
ask(shell, f"\\format csv\r\\o {copy}\rSELECT well_id, depth FROM wells ORDER BY 1;\r\\o\r\\format table\rSELECT 1;",
    end=r"\(1 row, [0-9.]+ m?s\)\r\n")
check("answers go to a file", open(copy).read() == "well_id,depth\nW1,12.5\nW2,\n" or open(copy).read())
script = os.path.join(home, "script.sql")
open(script, "w").write("-- two of them\nSELECT 'first' AS text;\nSELECT 'second' AS text")
included = ask(shell, f"\\i {script}", end=r"second\s+\r?\n?.*\(1 row, [0-9.]+ m?s\)\r\n")
check("files are run", "first" in included or included)
shell.sendcontrol("d")
shell.expect(pexpect.EOF)
shell.close()
check("Ctrl-D ends it well", shell.exitstatus == 0)

history = os.path.join(home, "gwbank", "sql_history")
check("the history is private", stat.S_IMODE(os.stat(history).st_mode) == 0o600)

narrow = start(columns=40)
narrow.send("\x1b[A\x1b[A")
narrow.send("\x12timing on")
narrow.send("\x03")
narrow.sendcontrol("c")
narrow.expect_exact(PROMPT)
narrow.send("\x12one,")
narrow.send("\r")
narrow.expect(END)
found = narrow.before
check("the history is searched, statements of several lines too", "2 AS two" in found or found)
narrow.expect_exact(PROMPT)
cut = rows(ask(narrow, "SELECT repeat('long ', 20) AS text, 12345 AS n;"))
check("a table fits the terminal", all(wcswidth(line) <= 40 for line in cut) and "…" in cut[2] and "12345" in cut[2] or cut)
wide = ask(narrow, "SELECT * FROM wells WHERE well_id = 'W1';")
check("what cannot fit is shown as a record", "─[ record 1 ]" in wide and "well_id" in wide or wide)
narrow.sendline("\\q")
narrow.expect(pexpect.EOF)
narrow.close()
check("\\q ends it well", narrow.exitstatus == 0)

print(json.dumps(seen, ensure_ascii=False))
