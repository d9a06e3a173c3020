// A series of a well as a chart that can be zoomed: from all years to minutes. The server thins what is asked for to what the
// screen can show, so that a step of the zoom is one short answer.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Series } from "../api";

export interface Line {
  value: number;
  label: string;
  kind: "ground" | "warning" | "danger";
}

export interface Labels {
  value: string;
  suspect: string;
  fail: string;
  low: string;
  high: string;
  when: string;
  time: (seconds: number) => string;
  axis: (seconds: number, step: number) => string;
}

export interface Drawing {
  series: Series;
  /** Of depths: the deeper, the lower. */
  downwards: boolean;
  bars: boolean;
  lines: Line[];
  /** For each calendar month (0 to 11) the usual lowest and highest, in the chart's own sense. */
  band: ([number, number] | null)[];
  labels: Labels;
  height: number;
  range: [number, number] | null;
  zoom: (from: number, to: number) => void;
  back: () => void;
}

/** Labels of lines stand beside each other: the lines may lie close. */
const LABEL_WIDTH = 110;
const SUSPECT = 3;
const FAIL = 4;
/** A stretch without readings of so many usual steps is a gap. */
const GAP_STEPS = 6;

/** A day with its year fits. */
export const TICK_SPACE = 110;

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Month of the year in Bangkok, which has no changes of the clock. */
function monthOf(seconds: number): number {
  return new Date((seconds + 7 * 3600) * 1000).getUTCMonth();
}

/** Values by time; `null` is a gap, `undefined` nothing of this curve here, which does not break it. */
type Values = (number | null | undefined)[];

export function columns({ series, band, range }: Pick<Drawing, "series" | "band" | "range">): { times: number[]; good: Values; suspect: Values; fail: Values; low: Values; high: Values } {
  const times: number[] = [];
  const good: Values = [];
  const suspect: Values = [];
  const fail: Values = [];
  const gaps = new Set<number>();
  const at = series.points.map((point) => Date.parse(point.time) / 1000);
  const steps = at.slice(1).map((time, index) => time - at[index]!);
  // Thinned curves have two points at most of their times; the span tells how far apart their stretches lie.
  const usual = Math.max(median(steps), series.decimated ? (at[at.length - 1]! - at[0]!) / (at.length / 4) : 0);
  series.points.forEach((point, index) => {
    if (index > 0 && at[index]! - at[index - 1]! > usual * GAP_STEPS) {
      gaps.add(times.length);
      times.push(at[index - 1]! + 1);
      good.push(null);
      suspect.push(undefined);
      fail.push(undefined);
    }
    times.push(at[index]!);
    // What is doubtful is marked, and no part of the curve.
    good.push(point.quality === SUSPECT || point.quality === FAIL ? undefined : point.value);
    suspect.push(point.quality === SUSPECT ? point.value : undefined);
    fail.push(point.quality === FAIL ? point.value : undefined);
  });
  // Of a stretch without readings the axis stays, and what was usual then.
  if (times.length === 0 && range !== null) {
    times.push(...range);
    for (const values of [good, suspect, fail]) values.push(null, null);
  }
  const usually = (side: 0 | 1): Values => times.map((time, index) => (gaps.has(index) ? null : (band[monthOf(time)]?.[side] ?? null)));
  return { times, good, suspect, fail, low: usually(0), high: usually(1) };
}

function dash(kind: Line["kind"]): number[] {
  return kind === "ground" ? [] : kind === "warning" ? [8, 4] : [3, 3];
}

export function draw(host: HTMLElement, drawing: Drawing): uPlot {
  const { labels } = drawing;
  const ink = colour("--ink");
  const faint = colour("--line");
  const { times, good, suspect, fail, low, high } = columns(drawing);
  // The scale is that of good readings and limits: one failed reading must not flatten years. What lies beyond stands at the edge.
  const there = (values: Values) => values.filter((value) => typeof value === "number") as number[];
  const curve = there(good).length > 0 ? there(good) : [...there(suspect), ...there(fail)];
  const values = [...curve, ...drawing.lines.map((line) => line.value), ...(curve.length === 0 ? [...there(low), ...there(high)] : [])];
  const extreme = (of: "min" | "max") => values.reduce((known, value) => Math[of](known, value), values[0] ?? 0);
  const least = drawing.bars ? 0 : extreme("min");
  const most = drawing.bars && values.length === 0 ? 1 : extreme("max");
  const margin = (most - least || 1) * 0.05;
  const edge = (marks: Values): Values => marks.map((value) => (typeof value === "number" ? Math.min(Math.max(value, least - margin), most + margin) : value));
  const single = times.length === 1 ? times[0]! : null;
  // One reading is no stretch of time: it stands in the midst of two days.
  const range = drawing.range ?? (single === null ? null : ([single - 86_400, single + 86_400] as [number, number]));
  // The legend tells the value itself, not where it is drawn.
  const mark = (name: string, values: Values): Partial<uPlot.Series> => ({ value: (_, __, ___, at) => (at === null ? "--" : String(values[at] ?? "--")), stroke: colour(name), paths: () => null, points: { show: true, size: 7, stroke: colour(name), fill: colour(name) } });
  const usual = { stroke: colour("--band-edge"), width: 0.5, points: { show: false } };
  const curves: [Values, uPlot.Series][] = [
    [
      good,
      drawing.bars
        ? { label: labels.value, stroke: colour("--rain"), fill: colour("--rain"), paths: uPlot.paths.bars!({ size: [1, 12] }), points: { show: false } }
        : { label: labels.value, stroke: colour("--water"), width: 1.5, spanGaps: false, points: { show: times.length < 200 } },
    ],
    [edge(suspect), { label: labels.suspect, ...mark("--warning", suspect) }],
    [edge(fail), { label: labels.fail, ...mark("--bad", fail) }],
    [low, { label: labels.low, ...usual }],
    [high, { label: labels.high, ...usual }],
  ];
  // A legend of what is not there helps nobody.
  const shown = curves.filter(([values], index) => index === 0 || there(values).length > 0);
  const hasBand = there(low).length > 0;
  const options: uPlot.Options = {
    width: host.clientWidth,
    height: drawing.height,
    cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "well" } },
    legend: { show: true, live: true },
    scales: {
      x: range === null ? {} : { range: () => range },
      y: { dir: drawing.downwards ? -1 : 1, range: () => (drawing.bars ? [0, most * 1.1 || 1] : [least - margin, most + margin]) },
    },
    axes: [
      { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint }, space: TICK_SPACE, values: (_, splits, __, ___, step) => splits.map((at) => labels.axis(at, step)) },
      { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint }, size: 60 },
    ],
    series: [
      { label: labels.when, value: (_, at) => (at === null || at === undefined ? "" : labels.time(at)) },
      ...shown.map(([, series]) => series),
    ],
    bands: hasBand ? [{ series: [shown.length, shown.length - 1], fill: colour("--band") }] : [],
    hooks: {
      setSelect: [
        (chart) => {
          if (chart.select.width < 4) return;
          const from = chart.posToVal(chart.select.left, "x");
          const to = chart.posToVal(chart.select.left + chart.select.width, "x");
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          drawing.zoom(from, to);
        },
      ],
      draw: [
        (chart) => {
          const { ctx, bbox } = chart;
          ctx.save();
          ctx.textAlign = "left";
          ctx.textBaseline = "bottom";
          ctx.font = `${12 * devicePixelRatio}px ${getComputedStyle(host).fontFamily}`;
          for (const [index, line] of drawing.lines.entries()) {
            const y = chart.valToPos(line.value, "y", true);
            if (y < bbox.top || y > bbox.top + bbox.height) continue;
            ctx.strokeStyle = colour(line.kind === "ground" ? "--ground" : line.kind === "warning" ? "--warning" : "--severe");
            ctx.lineWidth = (line.kind === "ground" ? 2 : 1.5) * devicePixelRatio;
            ctx.setLineDash(dash(line.kind).map((part) => part * devicePixelRatio));
            ctx.beginPath();
            ctx.moveTo(bbox.left, y);
            ctx.lineTo(bbox.left + bbox.width, y);
            ctx.stroke();
            ctx.fillStyle = ink;
            ctx.fillText(line.label, bbox.left + (4 + index * Math.min(LABEL_WIDTH, bbox.width / devicePixelRatio / 3)) * devicePixelRatio, y - 2 * devicePixelRatio);
          }
          ctx.restore();
        },
      ],
    },
  };
  const chart = new uPlot(options, [times, ...shown.map(([values]) => values)] as uPlot.AlignedData, host);
  chart.over.addEventListener("dblclick", drawing.back);
  return chart;
}
