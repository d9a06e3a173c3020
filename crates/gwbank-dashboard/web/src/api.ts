// The server's HTTP interface, as the pages use it. Shapes are those of /api/openapi.json.

export interface Session {
  /** `null`: nobody is logged in, and the server wants it. */
  name: string | null;
  role: string | null;
  /** What the role may: `view`, `read`, `sql`, `review`, `acknowledge`, `administer`. */
  may: string[];
  /** Sent with what changes something. */
  csrf: string | null;
  /** Whether there are accounts to log in with. */
  accounts: boolean;
}

export interface ProvinceRow {
  province_code: string;
  name_en: string;
  name_th: string;
  wells: number;
  open_flags: number;
  /** The worst open flag of each hazard. */
  worst: Record<string, Severity>;
}

export type Severity = "watch" | "warning" | "severe" | "extreme";
export const SEVERITIES: Severity[] = ["watch", "warning", "severe", "extreme"];
export const HAZARDS = ["drought", "flood", "salinity", "rapid_change", "no_data"] as const;
export type Hazard = (typeof HAZARDS)[number];

export interface Flag {
  id: string;
  scope: string;
  place: string;
  province_code: string;
  well_id: string | null;
  hazard: Hazard;
  severity: Severity;
  state: "open" | "stale" | "closed";
  raised_at: string;
  changed_at: string;
  closed_at: string | null;
  confidence: number | null;
  wells_in: number;
  wells_out: number;
  coverage: number | null;
  rule: string;
  limit_value: number | null;
  observed: number | null;
  what_would_clear_it: string;
  headline_en: string;
  headline_th: string;
  detail_en: string;
  detail_th: string;
  acknowledged_by: string | null;
  acknowledged_at: string | null;
}

export interface FlagDetail extends Flag {
  transitions: { at: string; transition: string; severity: Severity; evidence: Record<string, unknown> }[];
  actions: { at: string; action: string; by: string; via: string; text: string | null }[];
}

export interface Indicator {
  period: string;
  indicator: string;
  value: number | null;
  class: string | null;
  confidence: number | null;
  n: number | null;
  years: number | null;
}

export interface ProvinceDetail extends ProvinceRow {
  coverage: { observation_wells: number; open_banks: number; closed_banks: number; wells_reporting: number };
  standing: { month: string; class: string; text_en: string; text_th: string };
  indicators: Indicator[];
  flags: Flag[];
}

export interface Well {
  well_id: string;
  name: string | null;
  name_th: string | null;
  province_code: string;
  district_code: string | null;
  bank_type: string;
  latitude: number | null;
  longitude: number | null;
  ground_elevation: number | null;
  depth: number | null;
  aquifer: string | null;
  flood_warning_depth: number | null;
  flood_danger_depth: number | null;
  status: string;
}

export interface Gateway {
  gateway_id: string;
  last_seen: string | null;
  received: number;
  stored: number;
  duplicate: number;
  dead: number;
  pending: number;
  clock_offset_s: number | null;
  clock_zone: string | null;
  last_error: string | null;
}

export interface DeadLetter {
  id: number;
  received_at: string;
  last_received_at: string;
  count: number;
  readings: number;
  gateway_id: string;
  topic: string;
  reason: string;
  detail: string;
}

export interface Status {
  version: string;
  now: string;
  ready: boolean;
  parts: { part: string; ready: boolean; detail: string; mend?: string | null }[];
  wells: number;
  // Not there while the metadata cannot be read.
  gateways?: number;
  received?: number;
  stored?: number;
  duplicate?: number;
  dead?: number;
  pending?: number;
}

/** What wants looking at in a province's wells and gateways, in words. */
export interface FleetReport {
  province_code: string;
  items: number;
  text_en: string;
  text_th: string;
}

export interface Review {
  review_id: number;
  parameter: string;
  from: string | null;
  to: string | null;
  action: string;
  amount: number | null;
  amount_end: number | null;
  author: string;
  reason: string;
  readings: number;
  created_at: string;
}

export interface Page<T> {
  total: number;
  items: T[];
}

export interface Series {
  unit: string;
  readings: number;
  decimated: boolean;
  points: { time: string; value: number | null; quality: number; site_status?: string }[];
}

/** What the server refused, in its words. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly detail: string,
    readonly type: string,
    /** Where in a statement it is, each from 1, where that is known. */
    readonly place: { line: number; column: number } | null,
  ) {
    super(detail);
  }
}

/** An answer that ended before it was whole, and why. */
export class Broken extends Error {}

/** The server could not be reached. */
export class Unreachable extends Error {}

let csrf: string | null = null;
let loggedOut: () => void = () => {};

/** Calls `then` whenever the server says that nobody is logged in. */
export function onLoggedOut(then: () => void) {
  loggedOut = then;
}

export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (csrf !== null && init.method !== undefined && init.method !== "GET") headers.set("x-csrf-token", csrf);
  let answer: Response;
  try {
    answer = await fetch(path, { ...init, headers, credentials: "same-origin" });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let problem: { detail?: string; title?: string; type?: string; line?: number; column?: number } = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // A proxy's page is no problem document.
  }
  if (answer.status === 401 && !path.startsWith("/api/v1/session")) loggedOut();
  const { line, column } = problem;
  const place = line === undefined || column === undefined ? null : { line, column };
  throw new Refused(answer.status, problem.detail ?? problem.title ?? `${answer.status}`, problem.type ?? "", place);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await ask(path, signal === undefined ? {} : { signal });
  return (await answer.json()) as T;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await ask(path, init);
  return (await answer.json()) as T;
}

export async function session(): Promise<Session> {
  const found = await get<Session>("/api/v1/session");
  csrf = found.csrf;
  return found;
}

export async function login(name: string, password: string): Promise<Session> {
  const found = await post<Session>("/api/v1/session", { name, password });
  csrf = found.csrf;
  return found;
}

export async function logout(): Promise<void> {
  await ask("/api/v1/session", { method: "DELETE" });
  csrf = null;
}

/** All of a list that the server gives in pages. */
export async function all<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  for (;;) {
    const sign = path.includes("?") ? "&" : "?";
    const page = await get<Page<T>>(`${path}${sign}limit=10000&offset=${found.length}`, signal);
    found.push(...page.items);
    if (page.items.length === 0 || found.length >= page.total) return found;
  }
}
