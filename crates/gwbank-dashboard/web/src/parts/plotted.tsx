import { useSettings } from "../settings";
import { useCanvas } from "./canvas";
import { plot, type Curves } from "./plot";

/** Curves; what they are of is said to who cannot see them, and stands in a table beside them. */
export function Plotted({ of, height }: { of: Curves; height: number }) {
  const { t, time, day } = useSettings();
  const host = useCanvas(
    (element) =>
      plot(
        element,
        of,
        height,
        (seconds) => time(seconds * 1000),
        (seconds) => day(seconds * 1000),
      ),
    height,
    [of, time, day],
  );
  return <div class="chart" ref={host} role="img" aria-label={`${t("chart")}: ${of.names.join(", ")} / ${of.x.name}`} />;
}
