// A chart in the page: as wide as its place, in the page's colours, and on paper's when it is printed.
import { useEffect, useRef } from "preact/hooks";
import type uPlot from "uplot";
import { useSettings } from "../settings";

/** A4 within its margins. */
const PAPER = 680;

/** `make` is called anew when one of `of` changes. */
export function useCanvas(make: (element: HTMLElement) => uPlot, height: number, of: unknown[]) {
  const { colours } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = host.current!;
    let chart = make(element);
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0) chart.setSize({ width: element.clientWidth, height });
    });
    observer.observe(element);
    // Paper is white, and narrower than a screen; a canvas keeps the colours that it was drawn with.
    const print = () => {
      const { dataset } = document.documentElement;
      const before = dataset["theme"];
      dataset["theme"] = "light";
      chart.destroy();
      chart = make(element);
      chart.setSize({ width: PAPER, height });
      dataset["theme"] = before;
    };
    const shown = () => {
      chart.destroy();
      chart = make(element);
    };
    addEventListener("beforeprint", print);
    addEventListener("afterprint", shown);
    return () => {
      observer.disconnect();
      removeEventListener("beforeprint", print);
      removeEventListener("afterprint", shown);
      chart.destroy();
    };
  }, [...of, height, colours]);
  return host;
}
