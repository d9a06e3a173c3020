// The answer of a statement, as Arrow record batches that come one by one.
import { RecordBatchReader, Type, type DataType, type RecordBatch, type Schema, type Timestamp } from "apache-arrow";
import { ask, Broken } from "../api";

export interface Column {
  name: string;
  /** `clock`: a time without a zone, which is of no instant. */
  kind: "time" | "clock" | "day" | "number" | "text";
}

export interface Answer {
  columns: Column[];
  /** Rows that are kept for the table; more have been counted. */
  rows: unknown[][];
  count: number;
  done: boolean;
}

/** More are a matter for the export: a table of them helps nobody. */
export const ROWS_KEPT = 10_000;

/** Of wide rows fewer are kept: a table of millions of cells takes the page's breath. */
const CELLS_KEPT = 200_000;

function kindOf(type: DataType): Column["kind"] {
  switch (type.typeId) {
    case Type.Timestamp:
      return (type as Timestamp).timezone ? "time" : "clock";
    case Type.Date:
      return "day";
    case Type.Int:
    case Type.Float:
    case Type.Decimal:
      return "number";
    default:
      return "text";
  }
}

/** Months, days and nanoseconds, the last in two halves. */
function interval(parts: Int32Array): string {
  const [months = 0, days = 0, low = 0, high = 0] = parts;
  const seconds = Number((BigInt(high) << 32n) + BigInt(low >>> 0)) / 1e9;
  const told = [months !== 0 && `${months} mons`, days !== 0 && `${days} days`, seconds !== 0 && `${seconds} secs`].filter(Boolean);
  return told.length === 0 ? "0 secs" : told.join(" ");
}

function plain(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString();
  if (value instanceof Uint8Array) return Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (value instanceof Int32Array) return interval(value);
  if (typeof value === "object" && Symbol.iterator in value) return `[${Array.from(value as Iterable<unknown>, (inner) => plain(inner) ?? "NULL").join(", ")}]`;
  if (typeof value === "object") return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
  return value;
}

function columnsOf(schema: Schema): Column[] {
  return schema.fields.map((field) => ({ name: field.name, kind: kindOf(field.type) }));
}

/** How many rows of an answer are kept. */
export function keptOf({ columns }: Answer): number {
  return Math.min(ROWS_KEPT, Math.max(100, Math.floor(CELLS_KEPT / Math.max(1, columns.length))));
}

function take(batch: RecordBatch, answer: Answer) {
  const room = Math.min(batch.numRows, keptOf(answer) - answer.rows.length);
  const vectors = answer.columns.map((_, index) => batch.getChildAt(index));
  for (let row = 0; row < room; row++) answer.rows.push(vectors.map((vector) => plain(vector?.get(row))));
  answer.count += batch.numRows;
}

const MEDIA = { arrow: "application/vnd.apache.arrow.stream", csv: "text/csv", parquet: "application/vnd.apache.parquet" };
export type Format = keyof typeof MEDIA;

function asked(sql: string, format: Format, signal: AbortSignal): Promise<Response> {
  return ask("/api/v1/sql", {
    method: "POST",
    headers: { "content-type": "application/json", accept: MEDIA[format] },
    body: JSON.stringify({ sql }),
    signal,
  });
}

/** An answer that breaks off says why at a place of its own. */
async function whole<T>(response: Response, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (signal.aborted) throw new DOMException("aborted", "AbortError");
    const id = response.headers.get("gwbank-answer");
    if (id === null) throw error;
    const reason = (await (await ask(`/api/v1/sql/${id}`)).json()) as { detail?: string; title?: string };
    throw new Broken(reason.detail ?? reason.title ?? String(error));
  }
}

/** Asks, and tells of what has come so far as it comes. Aborting the signal ends the statement on the server, too. */
export async function run(sql: string, signal: AbortSignal, tell: (answer: Answer) => void): Promise<void> {
  const response = await asked(sql, "arrow", signal);
  await whole(response, signal, async () => {
    const reader = await RecordBatchReader.from(response.body!);
    await reader.open();
    const answer: Answer = { columns: columnsOf(reader.schema), rows: [], count: 0, done: false };
    tell({ ...answer });
    let told = performance.now();
    for await (const batch of reader) {
      if (signal.aborted) throw new DOMException("aborted", "AbortError");
      take(batch, answer);
      if (performance.now() - told > 100) {
        told = performance.now();
        tell({ ...answer });
      }
    }
    tell({ ...answer, done: true });
  });
}

/** All rows of a statement as a file that the browser keeps. */
export async function save(sql: string, format: "csv" | "parquet", signal: AbortSignal): Promise<void> {
  const response = await asked(sql, format, signal);
  const blob = await whole(response, signal, () => response.blob());
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `gwbank.${format}`;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** An instant as ISO 8601 has it, by Thailand's clocks: what is copied from the table means the same elsewhere. */
export function shown(value: unknown, kind: Column["kind"]): string {
  if (value === null) return "";
  if ((kind === "time" || kind === "clock" || kind === "day") && typeof value === "number") {
    if (kind === "day") return new Date(value).toISOString().slice(0, 10);
    const text = new Date(kind === "clock" ? value : value + 7 * 3_600_000).toISOString();
    return `${text.slice(0, 10)} ${text.slice(11, text.endsWith(".000Z") ? 19 : 23)}${kind === "clock" ? "" : "+07:00"}`;
  }
  return String(value);
}
