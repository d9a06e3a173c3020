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

export function columns({ series, band }: Pick<Drawing, "series" | "band">): (number | null)[][] {
  const times: number[] = [];
  const good: (number | null)[] = [];
  const suspect: (number | null)[] = [];
  const fail: (number | null)[] = [];
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
      suspect.push(null);
      fail.push(null);
    }
    times.push(at[index]!);
    good.push(point.quality >= FAIL ? null : point.value);
    suspect.push(point.quality === SUSPECT ? point.value : null);
    fail.push(point.quality === FAIL ? point.value : null);
  });
  const usually = (side: 0 | 1) => times.map((time, index) => (gaps.has(index) ? null : (band[monthOf(time)]?.[side] ?? null)));
  const [low, high] = [usually(0), usually(1)];
  return [times, good, suspect, fail, low, high];
}

function dash(kind: Line["kind"]): number[] {
  return kind === "ground" ? [] : kind === "warning" ? [8, 4] : [3, 3];
}

export function draw(host: HTMLElement, drawing: Drawing): uPlot {
  const { labels } = drawing;
  const ink = colour("--ink");
  const faint = colour("--line");
  const data = columns(drawing) as uPlot.AlignedData;
  const values = (drawing.series.points.map((point) => point.value).filter((value) => value !== null) as number[]).concat(
    drawing.lines.map((line) => line.value),
  );
  const least = drawing.bars ? 0 : Math.min(...values);
  const most = Math.max(...values);
  const margin = (most - least || 1) * 0.05;
  const mark = (name: string): Partial<uPlot.Series> => ({ stroke: colour(name), paths: () => null, points: { show: true, size: 7, stroke: colour(name), fill: colour(name) } });
  const options: uPlot.Options = {
    width: host.clientWidth,
    height: drawing.height,
    cursor: { drag: { x: true, y: false, setScale: false }, sync: { key: "well" } },
    legend: { show: true, live: true },
    scales: {
      x: drawing.range === null ? {} : { range: () => drawing.range! },
      y: { dir: drawing.downwards ? -1 : 1, range: () => (drawing.bars ? [0, most * 1.1 || 1] : [least - margin, most + margin]) },
    },
    axes: [
      { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint }, space: TICK_SPACE, values: (_, splits, __, ___, step) => splits.map((at) => labels.axis(at, step)) },
      { stroke: ink, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint }, size: 60 },
    ],
    series: [
      { label: labels.when, value: (_, at) => (at === null || at === undefined ? "" : labels.time(at)) },
      drawing.bars
        ? { label: labels.value, stroke: colour("--rain"), fill: colour("--rain"), paths: uPlot.paths.bars!({ size: [1, 12] }), points: { show: false } }
        : { label: labels.value, stroke: colour("--water"), width: 1.5, spanGaps: false, points: { show: data[0].length < 200 } },
      { label: labels.suspect, ...mark("--warning") },
      { label: labels.fail, ...mark("--severe") },
      { label: labels.low, stroke: colour("--band-edge"), width: 0.5, points: { show: false } },
      { label: labels.high, stroke: colour("--band-edge"), width: 0.5, points: { show: false } },
    ],
    bands: [{ series: [5, 4], fill: colour("--band") }],
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
            ctx.fillText(line.label, bbox.left + (4 + index * LABEL_WIDTH) * devicePixelRatio, y - 2 * devicePixelRatio);
          }
          ctx.restore();
        },
      ],
    },
  };
  const chart = new uPlot(options, data, host);
  chart.over.addEventListener("dblclick", drawing.back);
  return chart;
}
