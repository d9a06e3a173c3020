declare module "virtual:provinces" {
  export interface Outline {
    code: string;
    en: string;
    th: string;
    region: string;
    /** Of SVG, in the units of `view`. */
    path: string;
    /** Where its label stands. */
    at: [number, number];
  }
  export const provinces: Outline[];
  /** How degrees become the map's units: x = (longitude - west) × shrink × scale, y = (north - latitude) × scale. */
  export const view: { west: number; north: number; scale: number; shrink: number; width: number; height: number };
}
