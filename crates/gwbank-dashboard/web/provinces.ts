// The outlines of the 77 provinces as paths of SVG, made when the dashboard is built from the same file that the server draws
// its bulletins from (Natural Earth; crates/gwbank-registry/data).
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const DATA = fileURLToPath(new URL("../../gwbank-registry/data/", import.meta.url));
const WIDTH = 480;
// A degree of longitude against one of latitude, in the middle of the country.
const SHRINK = Math.cos((13.2 * Math.PI) / 180);

function rows(file: string): string[][] {
  const lines = readFileSync(DATA + file, "utf8").split("\n").slice(1);
  return lines.filter((line) => line !== "").map((line) => line.split("\t"));
}

function projected() {
  const rings = rows("outlines.tsv").map(([code, ring]) => ({
    code: code!,
    points: ring!.split(" ").map((point) => point.split(",").map((text) => Number(text) / 100) as [number, number]),
  }));
  const all = rings.flatMap((ring) => ring.points);
  const west = Math.min(...all.map(([x]) => x));
  const east = Math.max(...all.map(([x]) => x));
  const north = Math.max(...all.map(([, y]) => y));
  const south = Math.min(...all.map(([, y]) => y));
  const scale = WIDTH / ((east - west) * SHRINK);
  const round = (value: number) => Math.round(value * 10) / 10;
  const place = ([x, y]: [number, number]) => [round((x - west) * SHRINK * scale), round((north - y) * scale)];
  const paths = new Map<string, string>();
  for (const { code, points } of rings) {
    const path = `M${points.map((point) => place(point).join(" ")).join("L")}Z`;
    paths.set(code, (paths.get(code) ?? "") + path);
  }
  const provinces = rows("provinces.tsv").map(([code, en, th, region, latitude, longitude]) => ({
    code: code!,
    en: en!,
    th: th!,
    region: region!,
    path: paths.get(code!) ?? "",
    at: place([Number(longitude), Number(latitude)]),
  }));
  const height = Math.ceil((north - south) * scale);
  return { provinces, view: { west, north, scale, shrink: SHRINK, width: WIDTH, height } };
}

/** Gives the module `virtual:provinces`. */
export function provinces(): Plugin {
  const id = "virtual:provinces";
  return {
    name: "gwbank-provinces",
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load: (source) => {
      if (source !== `\0${id}`) return undefined;
      const { provinces, view } = projected();
      return `export const provinces = ${JSON.stringify(provinces)};\nexport const view = ${JSON.stringify(view)};\n`;
    },
  };
}
