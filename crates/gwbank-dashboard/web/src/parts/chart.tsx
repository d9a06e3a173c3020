import { useEffect, useRef } from "preact/hooks";
import { useSettings } from "../settings";
import { draw, type Drawing } from "./hydrograph";

/** A4 within its margins. */
const PAPER = 680;

/** Redraws when what it shows changes, its width, or the page's colours. */
export function Chart({ label, ...drawing }: Drawing & { label: string }) {
  const { colours } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  const latest = useRef(drawing);
  latest.current = drawing;
  useEffect(() => {
    const element = host.current!;
    const make = () =>
      draw(element, {
        ...drawing,
        zoom: (from, to) => latest.current.zoom(from, to),
        back: () => latest.current.back(),
      });
    let chart = make();
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height: drawing.height });
    });
    observer.observe(element);
    // Paper is white, and narrower than a screen; a canvas keeps the colours that it was drawn with.
    const print = () => {
      const { dataset } = document.documentElement;
      const before = dataset["theme"];
      dataset["theme"] = "light";
      chart.destroy();
      chart = make();
      chart.setSize({ width: PAPER, height: drawing.height });
      dataset["theme"] = before;
    };
    const shown = () => {
      chart.destroy();
      chart = make();
    };
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
  }, [drawing.series, drawing.labels, drawing.band, drawing.lines, drawing.range, colours]);
  return <div class="chart" ref={host} role="img" aria-label={label} />;
}
