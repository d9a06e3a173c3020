import { useRef } from "preact/hooks";
import { useCanvas } from "./canvas";
import { draw, type Drawing } from "./hydrograph";

export function Chart({ label, ...drawing }: Drawing & { label: string }) {
  const latest = useRef(drawing);
  latest.current = drawing;
  const { series, labels, band, lines, range } = drawing;
  const host = useCanvas(
    (element) => {
      const zoom = (from: number, to: number) => latest.current.zoom(from, to);
      const chart = draw(element, { ...drawing, zoom, back: () => latest.current.back() });
      // For whoever waits for it to be there.
      element.dataset["readings"] = String(series.readings);
      element.dataset["range"] = range === null ? "" : range.join(" ");
      element.dataset["drawn"] = String(series.points.length);
      return chart;
    },
    drawing.height,
    [series, labels, band, lines, range],
  );
  return <div class="chart" ref={host} role="img" aria-label={label} />;
}
