// Columns of a result as curves over its first column of times or numbers.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Answer } from "./result";
import { colour, TICK_SPACE } from "./hydrograph";

const CURVES_MAX = 6;
const INKS = ["--water", "--severe", "--rain", "--warning", "--accent", "--ink"];

export interface Curves {
  x: { name: string; isTime: boolean };
  names: string[];
  data: (number | null)[][];
}

/** What of an answer can be drawn; `null` where nothing can. */
export function curves(answer: Answer): Curves | null {
  const kinds = answer.columns.map((column) => column.kind);
  let x = kinds.findIndex((kind) => kind === "time" || kind === "clock" || kind === "day");
  const isTime = x >= 0;
  if (!isTime) x = kinds.indexOf("number");
  if (x < 0) return null;
  const ys = kinds.flatMap((kind, index) => (kind === "number" && index !== x ? [index] : [])).slice(0, CURVES_MAX);
  if (ys.length === 0) return null;
  const numeric = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);
  const rows = answer.rows.filter((row) => numeric(row[x]) !== null).sort((a, b) => (a[x] as number) - (b[x] as number));
  if (rows.length < 2) return null;
  const xs = rows.map((row) => (row[x] as number) / (isTime ? 1000 : 1));
  return {
    x: { name: answer.columns[x]!.name, isTime },
    names: ys.map((index) => answer.columns[index]!.name),
    data: [xs, ...ys.map((index) => rows.map((row) => numeric(row[index])))],
  };
}

export function plot(host: HTMLElement, of: Curves, height: number, time: (seconds: number) => string, day: (seconds: number) => string): uPlot {
  const ink = colour("--ink");
  const faint = colour("--line");
  const axis = { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint } };
  const options: uPlot.Options = {
    width: host.clientWidth,
    height,
    scales: { x: { time: of.x.isTime } },
    axes: [of.x.isTime ? { ...axis, space: TICK_SPACE, values: (_, splits, __, ___, step) => splits.map((at) => (step >= 86_400 ? day(at) : time(at))) } : axis, { ...axis, size: 70 }],
    series: [
      of.x.isTime ? { label: of.x.name, value: (_, at) => (at === null || at === undefined ? "" : time(at)) } : { label: of.x.name },
      ...of.names.map((name, index) => ({ label: name, stroke: colour(INKS[index % INKS.length]!), width: 1.5, points: { show: of.data[0]!.length < 200 } })),
    ],
  };
  return new uPlot(options, of.data as uPlot.AlignedData, host);
}
