import { useEffect, useRef } from "preact/hooks";
import { useSettings } from "../settings";
import { plot, type Curves } from "./plot";

/** Curves; what they are of is said to who cannot see them, and stands in a table beside them. */
export function Plotted({ of, height }: { of: Curves; height: number }) {
  const { t, time, day } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = host.current!;
    const chart = plot(
      element,
      of,
      height,
      (seconds) => time(seconds * 1000),
      (seconds) => day(seconds * 1000),
    );
    const observer = new ResizeObserver(() => element.clientWidth > 0 && chart.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      chart.destroy();
    };
  }, [of, height, time, day]);
  return <div class="chart" ref={host} role="img" aria-label={`${t("chart")}: ${of.names.join(", ")} / ${of.x.name}`} />;
}
