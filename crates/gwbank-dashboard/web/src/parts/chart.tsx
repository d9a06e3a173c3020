import { useEffect, useRef } from "preact/hooks";
import { draw, type Drawing } from "./hydrograph";

/** A4 within its margins. */
const PAPER = 680;

/** Redraws when what it shows changes, or its width. */
export function Chart({ label, ...drawing }: Drawing & { label: string }) {
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(drawing);
  latest.current = drawing;
  useEffect(() => {
    const element = host.current!;
    const chart = draw(element, {
      ...drawing,
      zoom: (from, to) => latest.current.zoom(from, to),
      back: () => latest.current.back(),
    });
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: drawing.height });
    });
    observer.observe(element);
    // Paper is narrower than a screen.
    const print = () => chart.setSize({ width: PAPER, height: drawing.height });
    const shown = () => chart.setSize({ width: element.clientWidth, height: drawing.height });
    addEventListener("beforeprint", print);
    addEventListener("afterprint", shown);
    // For whoever waits for it to be there.
    element.dataset["readings"] = String(drawing.series.readings);
    element.dataset["range"] = drawing.range === null ? "" : drawing.range.join(" ");
    element.dataset["drawn"] = String(drawing.series.points.length);
    return () => {
      observer.disconnect();
      removeEventListener("beforeprint", print);
      removeEventListener("afterprint", shown);
      chart.destroy();
    };
  }, [drawing.series, drawing.labels, drawing.band, drawing.lines, drawing.range]);
  return <div class="chart" ref={host} role="img" aria-label={label} />;
}
