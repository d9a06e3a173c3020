import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Broken, Refused } from "../api";
import { Failure, Table } from "../parts/common";
import { makeEditor, type Editor, type Names } from "../parts/editor";
import { curves } from "../parts/plot";
import { Plotted } from "../parts/plotted";
import { run, save, shown, type Answer } from "../parts/result";
import { choose, usePlace } from "../router";
import { useSettings } from "../settings";
import { EXAMPLES } from "./examples";

const HISTORY = "gwbank.sql";
const HISTORY_MAX = 50;
const SHOWN = 200;

function kept(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(HISTORY) ?? "[]");
    return Array.isArray(found) ? found.filter((entry) => typeof entry === "string") : [];
  } catch {
    return [];
  }
}

function keep(statements: string[]) {
  try {
    localStorage.setItem(HISTORY, JSON.stringify(statements));
  } catch {
    // A browser that keeps nothing.
  }
}

/** What can be completed: asked of the server, so that it is never behind what there is. */
async function names(signal: AbortSignal): Promise<Names> {
  const tables: Record<string, string[]> = {};
  const columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
  await run(columns, signal, ({ rows, done }) => {
    if (!done) return;
    for (const [table, column] of rows) (tables[String(table)] ??= []).push(String(column));
  });
  const functions: Names["functions"] = [];
  await run("SELECT name, form FROM gwbank_functions ORDER BY name", signal, ({ rows, done }) => {
    if (!done) return;
    for (const [name, form] of rows) functions.push({ name: String(name), detail: String(form) });
  });
  return { tables, functions };
}

type State =
  | { is: "idle" }
  | { is: "running"; answer: Answer | null; began: number }
  | { is: "done"; answer: Answer; seconds: number }
  | { is: "stopped"; answer: Answer | null }
  | { is: "failed"; error: Error };

export function SqlPage() {
  const { t, either, number, language } = useSettings();
  const { query } = usePlace();
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const control = useRef<AbortController | null>(null);
  const [state, setState] = useState<State>({ is: "idle" });
  const [history, setHistory] = useState(kept);
  const [said, setSaid] = useState<string | null>(null);

  const start = async () => {
    const sql = editor.current!.text();
    if (sql.trim() === "") return;
    control.current?.abort();
    const mine = new AbortController();
    control.current = mine;
    const began = performance.now();
    let last: Answer | null = null;
    setSaid(null);
    setState({ is: "running", answer: null, began });
    choose("q", sql);
    setHistory((before) => {
      const next = [sql, ...before.filter((entry) => entry !== sql)].slice(0, HISTORY_MAX);
      keep(next);
      return next;
    });
    try {
      await run(sql, mine.signal, (answer) => {
        last = answer;
        if (control.current === mine) setState({ is: "running", answer, began });
      });
      if (control.current === mine && last !== null) setState({ is: "done", answer: last, seconds: (performance.now() - began) / 1000 });
    } catch (error) {
      if (control.current !== mine) return;
      if (mine.signal.aborted) setState({ is: "stopped", answer: last });
      else {
        setState({ is: "failed", error: error as Error });
        if (error instanceof Refused && error.place !== null) editor.current?.show(error.place.line, error.place.column);
      }
    }
  };
  const latest = useRef(start);
  latest.current = start;

  useEffect(() => {
    const made = makeEditor(host.current!, query.get("q") ?? EXAMPLES[0]!.sql, t("editor"), () => void latest.current());
    editor.current = made;
    const asking = new AbortController();
    // Without them the editor still edits.
    names(asking.signal).then(made.names, () => undefined);
    return () => {
      asking.abort();
      control.current?.abort();
      made.destroy();
    };
  }, []);
  useEffect(() => editor.current?.label(t("editor")), [language]);

  const take = (sql: string) => {
    editor.current!.set(sql);
    editor.current!.focus();
  };
  const share = async () => {
    choose("q", editor.current!.text());
    try {
      await navigator.clipboard.writeText(location.href);
      setSaid(t("copied"));
    } catch {
      setSaid(location.href); // A browser that keeps its clipboard to itself.
    }
  };
  const download = async (format: "csv" | "parquet") => {
    const mine = new AbortController();
    setSaid(t("loading"));
    try {
      await save(editor.current!.text(), format, mine.signal);
      setSaid(null);
    } catch (error) {
      setSaid(null);
      setState({ is: "failed", error: error as Error });
    }
  };
  const running = state.is === "running";
  const answer = state.is === "running" || state.is === "done" || state.is === "stopped" ? state.answer : null;
  return (
    <>
      <h1>{t("sql")}</h1>
      <div class="editor" ref={host} data-editor />
      <div class="row">
        <button type="button" class="main" disabled={running} onClick={() => void start()} title="Ctrl+Enter">
          {t("run")}
        </button>
        <button type="button" disabled={!running} onClick={() => control.current?.abort()}>
          {t("stop")}
        </button>
        <button type="button" onClick={() => void share()}>
          {t("share")}
        </button>
        <button type="button" onClick={() => void download("csv")}>
          CSV
        </button>
        <button type="button" onClick={() => void download("parquet")}>
          Parquet
        </button>
        <select aria-label={t("examples")} value="" onChange={(event) => take(event.currentTarget.value)}>
          <option value="">{t("examples")}</option>
          {EXAMPLES.map((example) => (
            <option key={example.en} value={example.sql}>
              {either(example.th, example.en)}
            </option>
          ))}
        </select>
        {history.length > 0 && (
          <select aria-label={t("history")} value="" onChange={(event) => take(event.currentTarget.value)}>
            <option value="">{t("history")}</option>
            {history.map((sql) => (
              <option key={sql} value={sql}>
                {sql.replace(/\s+/g, " ").slice(0, 80)}
              </option>
            ))}
          </select>
        )}
      </div>
      <p role="status" class="quiet" data-state={state.is}>
        {said ?? (
          <>
            {state.is === "running" && t("running")}
            {state.is === "stopped" && t("stopped")}
            {answer !== null && ` ${number(answer.count, 0)} ${t("rows")}`}
            {answer !== null && answer.count > answer.rows.length && ` (${t("first_rows")} ${number(answer.rows.length, 0)})`}
            {state.is === "done" && ` · ${number(state.seconds, 2)} s`}
          </>
        )}
      </p>
      {state.is === "failed" && <Failed error={state.error} />}
      {answer !== null && <Result answer={answer} settled={!running} />}
    </>
  );
}

function Failed({ error }: { error: Error }) {
  if (error instanceof Refused && error.place !== null) {
    return (
      <div class="failure" role="alert">
        <p lang="en">
          {error.place.line}:{error.place.column} {error.detail}
        </p>
      </div>
    );
  }
  // About the statement, in the server's words; what is about the connection has words of its own.
  if (error instanceof Broken || error instanceof Refused) {
    return (
      <div class="failure" role="alert">
        <p lang="en">{error.message}</p>
      </div>
    );
  }
  return <Failure error={error} />;
}

function Result({ answer, settled }: { answer: Answer; settled: boolean }) {
  const { t, number } = useSettings();
  const [rows, setRows] = useState(SHOWN);
  const drawn = useMemo(() => (settled ? curves(answer) : null), [answer, settled]);
  return (
    <section aria-label={t("result")} data-rows={answer.count}>
      {drawn !== null && (
        <details open>
          <summary>{t("chart")}</summary>
          <Plotted of={drawn} height={320} />
        </details>
      )}
      <Table
        label={t("result")}
        head={answer.columns.map((column, index) => (
          <th scope="col" key={index} class={column.kind === "number" ? "n" : ""}>
            {column.name}
          </th>
        ))}
      >
        {answer.rows.slice(0, rows).map((row, index) => (
          <tr key={index}>
            {row.map((value, place) => {
              const kind = answer.columns[place]!.kind;
              return (
                <td key={place} class={kind === "number" ? "n" : ""}>
                  {value === null ? <span class="quiet">NULL</span> : shown(value, kind)}
                </td>
              );
            })}
          </tr>
        ))}
      </Table>
      {answer.rows.length > rows && (
        <button type="button" onClick={() => setRows(rows + 5 * SHOWN)}>
          {t("more")} ({number(answer.rows.length - rows, 0)})
        </button>
      )}
    </section>
  );
}
