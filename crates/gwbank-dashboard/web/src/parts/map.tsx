// The country, and a province of it, as inline SVG. Colour never stands alone: each severity has its pattern, its word in the
// title of the shape, and its row in the table beside the map.
import { provinces, view, type Outline } from "virtual:provinces";
import type { Severity } from "../api";
import { go } from "../router";
import { useSettings } from "../settings";
import { severityWord } from "../words";

export function outline(code: string): Outline | undefined {
  return provinces.find((province) => province.code === code);
}

function place(longitude: number, latitude: number): [number, number] {
  return [(longitude - view.west) * view.shrink * view.scale, (view.north - latitude) * view.scale];
}

/** Stripes, denser the worse it is. */
function Patterns() {
  return (
    <defs>
      {(["watch", "warning", "severe", "extreme"] as const).map((severity, index) => (
        <pattern id={`stripes-${severity}`} key={severity} width={8 - index * 1.5} height={8 - index * 1.5} patternUnits="userSpaceOnUse" patternTransform={`rotate(${45 + index * 45})`}>
          <rect width="10" height="10" class={`fill ${severity}`} />
          <rect width={0.8 + index * 0.5} height="10" class="stripe" />
        </pattern>
      ))}
    </defs>
  );
}

/** As it is on the map, colour and pattern, for the key beside it. */
export function Swatch({ severity }: { severity: Severity | "empty" | null }) {
  return (
    <svg class="swatch" viewBox="0 0 20 14" aria-hidden="true">
      <rect x="0.5" y="0.5" width="19" height="13" class={severity === null ? "land" : `land ${severity}`} />
    </svg>
  );
}

export interface Shade {
  severity: Severity | null;
  wells: number;
}

export function CountryMap({ shades, label }: { shades: Map<string, Shade>; label: string }) {
  const { either, t, language } = useSettings();
  const titled = (province: Outline) => {
    const shade = shades.get(province.code);
    const what =
      shade === undefined || shade.wells === 0
        ? t("no_wells")
        : shade.severity === null
          ? t("no_flag")
          : severityWord(shade.severity, language);
    return `${either(province.th, province.en)}: ${what}`;
  };
  return (
    <svg class="map" viewBox={`-4 -4 ${view.width + 8} ${view.height + 8}`} role="group" aria-label={label}>
      <Patterns />
      {provinces.map((province) => {
        const shade = shades.get(province.code);
        const severity = shade?.severity ?? null;
        const href = `/provinces/${province.code}`;
        return (
          <a
            key={province.code}
            href={href}
            aria-label={titled(province)}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey) return;
              event.preventDefault();
              go(href);
            }}
          >
            <path
              d={province.path}
              class={severity === null ? (shade?.wells ? "land" : "land empty") : `land ${severity}`}
              data-severity={severity ?? "none"}
              data-province={province.code}
            >
              <title>{titled(province)}</title>
            </path>
          </a>
        );
      })}
    </svg>
  );
}

export interface Dot {
  id: string;
  latitude: number;
  longitude: number;
  severity: Severity | null;
  title: string;
}

export function ProvinceMap({ code, dots, label }: { code: string; dots: Dot[]; label: string }) {
  const of = outline(code);
  if (of === undefined) return null;
  const points = dots.map((dot) => ({ ...dot, at: place(dot.longitude, dot.latitude) }));
  const numbers = [...of.path.matchAll(/-?[\d.]+/g)].map((found) => Number(found[0]));
  const xs = [...numbers.filter((_, index) => index % 2 === 0), ...points.map((point) => point.at[0])];
  const ys = [...numbers.filter((_, index) => index % 2 === 1), ...points.map((point) => point.at[1])];
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const size = Math.max(right - left, bottom - top);
  const margin = size * 0.03;
  const radius = size * (points.length > 200 ? 0.009 : 0.014);
  return (
    <svg
      class="map province"
      viewBox={`${left - margin} ${top - margin} ${right - left + 2 * margin} ${bottom - top + 2 * margin}`}
      role="group"
      aria-label={label}
    >
      <path d={of.path} class="land" />
      {points.map((point) => {
        const href = `/wells/${encodeURIComponent(point.id)}`;
        return (
          <a
            key={point.id}
            href={href}
            aria-label={point.title}
            onClick={(event) => {
              if (event.metaKey || event.ctrlKey || event.shiftKey) return;
              event.preventDefault();
              go(href);
            }}
          >
            <Shape severity={point.severity} x={point.at[0]} y={point.at[1]} radius={radius} title={point.title} />
          </a>
        );
      })}
    </svg>
  );
}

/** A form of its own for each severity: circle, triangle, square, diamond. */
function Shape({ severity, x, y, radius, title }: { severity: Severity | null; x: number; y: number; radius: number; title: string }) {
  const r = severity === null ? radius * 0.8 : radius * 1.3;
  const cls = `dot ${severity ?? "calm"}`;
  const label = <title>{title}</title>;
  switch (severity) {
    case "warning":
      return <path class={cls} d={`M${x} ${y - r}L${x + r} ${y + r}L${x - r} ${y + r}Z`}>{label}</path>;
    case "severe":
      return <path class={cls} d={`M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}Z`}>{label}</path>;
    case "extreme":
      return <path class={cls} d={`M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}Z`}>{label}</path>;
    default:
      return <circle class={cls} cx={x} cy={y} r={r}>{label}</circle>;
  }
}
