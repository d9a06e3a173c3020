import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, type Flag, type Indicator, post, type Page, type Review, type Series, type Well } from "../api";
import { useLoaded } from "../data";
import { useLive } from "../live";
import { Chart } from "../parts/chart";
import { Explained, Fact, Failure, Show, Table } from "../parts/common";
import { FlagCard } from "../parts/flags";
import type { Labels, Line } from "../parts/hydrograph";
import { outline } from "../parts/map";
import { classWord, indicatorWord } from "../indicators";
import { Link } from "../router";
import { useSession } from "../session";
import { useSettings } from "../settings";
import { bankWord, type Word } from "../words";

const DAY = 86_400;
const STRETCHES: [Word, number | null][] = [
  ["whole", null],
  ["year_10", 3653 * DAY],
  ["year_1", 366 * DAY],
  ["month_1", 31 * DAY],
  ["day_7", 7 * DAY],
  ["day_1", DAY],
];

type Range = [number, number] | null;

const LEVELS = ["depth_to_water", "groundwater_elevation"] as const;
const BELOW = ["specific_conductance", "electrical_conductivity", "water_temperature"] as const;

/** As many points as the widest chart has pixels, and half as many again: four a stretch are kept. */
function points(): number {
  return Math.min(6000, Math.max(1000, Math.round(innerWidth * Math.min(devicePixelRatio, 2) * 1.5)));
}

function useSeries(well: string, parameter: string, range: Range) {
  const query = new URLSearchParams({ parameter, max_points: String(points()) });
  if (range !== null) {
    query.set("from", new Date(range[0] * 1000).toISOString());
    query.set("to", new Date(range[1] * 1000).toISOString());
  }
  const path = `/api/v1/wells/${encodeURIComponent(well)}/readings?${query}`;
  return useLoaded(path, (signal) => get<Series>(path, signal), `${well} ${parameter}`);
}

export function WellPage({ id }: { id: string }) {
  const { t, either, number, language, time, month } = useSettings();
  const { may } = useSession();
  const path = `/api/v1/wells/${encodeURIComponent(id)}`;
  const well = useLoaded(path, (signal) => get<Well>(path, signal));
  // The curve is what people come for: all else waits for it.
  const [drawn, setDrawn] = useState(false);
  const all = `${path}/indicators`;
  const indicators = useLoaded(all, (signal) => get<{ indicators: Indicator[] }>(all, signal), all, drawn);
  const flags = useLoaded(`flags of ${id}`, (signal) => flagsOf(id, signal), undefined, drawn);
  useLive(() => drawn && flags.reload());
  const rows = useMemo(() => indicators.data?.indicators ?? [], [indicators.data]);
  if (well.data === null && well.error !== null) return <Failure error={well.error} again={well.reload} />;
  const province = well.data === null ? undefined : outline(well.data.province_code);
  return (
    <>
      <h1>
        {(well.data !== null && either(well.data.name_th, well.data.name)) || id} <small>{id}</small>
      </h1>
      <p class="quiet">
        {province !== undefined && <Link href={`/provinces/${province.code}`}>{either(province.th, province.en)}</Link>} ·{" "}
        {well.data !== null && bankWord(well.data.bank_type, language)}
      </p>
      <Hydrograph id={id} well={well.data} indicators={rows} settled={() => setDrawn(true)} />
      <Show of={well}>
        {(found) => (
          <>
            <dl class="facts">
              <Fact name={t("depth")}>{number(found.depth)}</Fact>
              <Fact name={t("aquifer")}>{found.aquifer ?? "–"}</Fact>
              <Fact name={t("warning_depth")}>{number(found.flood_warning_depth)}</Fact>
              <Fact name={t("danger_depth")}>{number(found.flood_danger_depth)}</Fact>
            </dl>
            {may("sql") && (
              <p class="no-print">
                <Link
                  href={`/sql?q=${encodeURIComponent(`SELECT time, parameter, value, quality, unit FROM readings WHERE well_id = '${id.replaceAll("'", "''")}' ORDER BY time DESC LIMIT 1000`)}`}
                >
                  {t("sql")}
                </Link>
              </p>
            )}
            <h2>{t("flags")}</h2>
            <Show of={flags}>
              {(list) =>
                list.length === 0 ? (
                  <p class="quiet">{t("nothing")}</p>
                ) : (
                  <>
                    {list.map((flag) => (
                      <FlagCard key={flag.id} flag={flag} changed={flags.reload} />
                    ))}
                  </>
                )
              }
            </Show>
            <h2>{t("indicators")}</h2>
            <Show of={indicators}>
              {() => (
                <Table
                  label={t("indicators")}
                  head={
                    <>
                      <th scope="col">{t("indicator")}</th>
                      <th scope="col">{t("period")}</th>
                      <th scope="col" class="n">
                        {t("value")}
                      </th>
                      <th scope="col">{t("class")}</th>
                      <th scope="col" class="n">
                        {t("years")}
                      </th>
                    </>
                  }
                >
                  {newest(rows).map((row) => (
                    <tr key={row.indicator}>
                      <th scope="row">
                        {indicatorWord(row.indicator, language)} <code class="quiet">{row.indicator}</code>
                      </th>
                      <td>{row.period.length === 10 ? month(row.period) : time(row.period)}</td>
                      <td class="n">{number(row.value, 3)}</td>
                      <td>{classWord(row.class, language)}</td>
                      <td class="n">{number(row.years, 1)}</td>
                    </tr>
                  ))}
                </Table>
              )}
            </Show>
            <Evidence id={id} names={newest(rows).map((row) => row.indicator)} />
            {may("read") && <Reviews id={id} />}
            {may("sql") && <Revisions id={id} />}
          </>
        )}
      </Show>
    </>
  );
}

/** What an indicator is made of, from the server's own account of it. */
function Evidence({ id, names }: { id: string; names: string[] }) {
  const { t, language } = useSettings();
  const [wanted, setWanted] = useState(false);
  const [name, setName] = useState("drought");
  return (
    <details onToggle={(event) => setWanted((event.currentTarget as HTMLDetailsElement).open)} data-part="evidence">
      <summary>{t("explain_indicator")}</summary>
      <label>
        {t("indicator")}{" "}
        <select value={name} onChange={(event) => setName(event.currentTarget.value)}>
          {["drought", ...names.filter((known) => !known.startsWith("threshold_"))].map((known) => (
            <option key={known} value={known}>
              {indicatorWord(known, language)}
            </option>
          ))}
        </select>
      </label>
      {wanted && <Explained path={`/api/v1/wells/${encodeURIComponent(id)}/indicators/explanation?indicator=${encodeURIComponent(name)}`} />}
    </details>
  );
}

/** Who decided what about readings of the well. */
function Reviews({ id }: { id: string }) {
  const { t } = useSettings();
  const [wanted, setWanted] = useState(false);
  return (
    <details onToggle={(event) => setWanted((event.currentTarget as HTMLDetailsElement).open)} data-part="reviews">
      <summary>{t("reviews")}</summary>
      {wanted && <ReviewList id={id} />}
    </details>
  );
}

function ReviewList({ id }: { id: string }) {
  const { t, time, number } = useSettings();
  const path = `/api/v1/reviews?well_id=${encodeURIComponent(id)}&limit=1000`;
  const reviews = useLoaded(path, (signal) => get<Page<Review>>(path, signal));
  return (
    <Show of={reviews}>
      {({ items }) =>
        items.length === 0 ? (
          <p class="quiet">{t("nothing")}</p>
        ) : (
          <Table
            label={t("reviews")}
            head={
              <>
                <th scope="col">{t("action")}</th>
                <th scope="col">{t("value")}</th>
                <th scope="col">{t("period")}</th>
                <th scope="col" class="n">
                  {t("readings")}
                </th>
                <th scope="col">{t("author")}</th>
                <th scope="col">{t("reason")}</th>
              </>
            }
          >
            {items.map((review) => (
              <tr key={review.review_id}>
                <th scope="row">
                  <code>{review.action}</code> {review.amount !== null && number(review.amount, 3)}
                </th>
                <td>{review.parameter}</td>
                <td>
                  {review.from === null ? "…" : time(review.from)} – {review.to === null ? "…" : time(review.to)}
                </td>
                <td class="n">{number(review.readings, 0)}</td>
                <td>
                  {review.author} {time(review.created_at)}
                </td>
                <td>{review.reason}</td>
              </tr>
            ))}
          </Table>
        )
      }
    </Show>
  );
}

interface Revision {
  parameter: string;
  time: string;
  value: number | null;
  quality: number;
  superseded_at: string;
  cause: string;
}

/** Values that were superseded, and why. */
function Revisions({ id }: { id: string }) {
  const { t } = useSettings();
  const [wanted, setWanted] = useState(false);
  return (
    <details onToggle={(event) => setWanted((event.currentTarget as HTMLDetailsElement).open)} data-part="revisions">
      <summary>{t("revisions")}</summary>
      {wanted && <RevisionList id={id} />}
    </details>
  );
}

function RevisionList({ id }: { id: string }) {
  const { t, time, number } = useSettings();
  const sql = `SELECT parameter, time, value, quality, superseded_at, cause FROM reading_revisions WHERE well_id = '${id.replaceAll("'", "''")}' ORDER BY superseded_at DESC, time DESC LIMIT 500`;
  const revisions = useLoaded(sql, () => post<Revision[]>("/api/v1/sql", { sql }));
  return (
    <Show of={revisions}>
      {(list) =>
        list.length === 0 ? (
          <p class="quiet">{t("nothing")}</p>
        ) : (
          <Table
            label={t("revisions")}
            head={
              <>
                <th scope="col">{t("period")}</th>
                <th scope="col">{t("indicator")}</th>
                <th scope="col" class="n">
                  {t("value")}
                </th>
                <th scope="col">{t("cause")}</th>
                <th scope="col">{t("changed")}</th>
              </>
            }
          >
            {list.map((revision) => (
              <tr key={`${revision.parameter} ${revision.time} ${revision.superseded_at}`}>
                <th scope="row">{time(revision.time)}</th>
                <td>{revision.parameter}</td>
                <td class="n">{number(revision.value, 3)}</td>
                <td>
                  <code>{revision.cause}</code>
                </td>
                <td>{time(revision.superseded_at)}</td>
              </tr>
            ))}
          </Table>
        )
      }
    </Show>
  );
}

async function flagsOf(id: string, signal: AbortSignal): Promise<Flag[]> {
  const found = await get<Page<Flag>>(`/api/v1/flags?well=${encodeURIComponent(id)}&limit=100`, signal);
  return found.items;
}

/** The last period of each indicator. */
function newest(rows: Indicator[]): Indicator[] {
  const found = new Map<string, Indicator>();
  for (const row of rows) {
    const known = found.get(row.indicator);
    if (known === undefined || known.period < row.period) found.set(row.indicator, row);
  }
  return [...found.values()].sort((a, b) => a.indicator.localeCompare(b.indicator));
}

/** The usual lowest and highest of each calendar month. Levels are kept as heights, so that up is wetter. */
function bandOf(rows: Indicator[], downwards: boolean): ([number, number] | null)[] {
  const of = (name: string) => {
    const values: (number | null)[] = Array(12).fill(null);
    for (const row of rows) {
      if (row.indicator === name && row.value !== null) values[Number(row.period.slice(5, 7)) - 1] = downwards ? -row.value : row.value;
    }
    return values;
  };
  const [low, high] = [of("threshold_p10"), of("threshold_p90")];
  return low.map((value, index) => {
    const other = high[index];
    if (value === null || other === null || other === undefined) return null;
    return [Math.min(value, other), Math.max(value, other)];
  });
}

interface HydrographProps {
  id: string;
  /** `null` until it is there: its limits are drawn then. */
  well: Well | null;
  indicators: Indicator[];
  /** Told once, when the first curve has come or cannot. */
  settled: () => void;
}

function Hydrograph({ id, well, indicators, settled }: HydrographProps) {
  const settings = useSettings();
  const { may } = useSession();
  const { t, number, language, era } = settings;
  const [ranges, setRanges] = useState<Range[]>([null]);
  const range = ranges[ranges.length - 1]!;
  const [parameter, setParameter] = useState<(typeof LEVELS)[number]>("depth_to_water");
  const series = useSeries(id, parameter, range);
  const [isFirst, setFirst] = useState(true);
  useEffect(() => {
    if (!isFirst || series.loading) return;
    // A well whose levels come as elevations only begins with those.
    if (series.data?.points.length === 0 && parameter === LEVELS[0]) return setParameter(LEVELS[1]);
    setFirst(false);
    settled();
  }, [isFirst, series.loading, parameter]);
  const downwards = parameter === "depth_to_water";
  const shown = series.data;
  const span: [number, number] | null =
    range ?? (shown === null || shown.points.length === 0 ? null : [at(shown, 0), at(shown, shown.points.length - 1)]);

  const labels = useMemo<(name: Word) => Labels>(() => {
    const axis = (seconds: number, step: number) => {
      const instant = seconds * 1000;
      if (step >= 300 * DAY) return settings.day(instant).split(" ").pop()!;
      if (step >= DAY) return settings.day(instant);
      return settings.time(instant).split(" ").pop()!;
    };
    return (name) => ({
      value: t(name),
      suspect: t("suspect"),
      fail: t("fail"),
      low: t("usual_low"),
      high: t("usual_high"),
      when: t("when"),
      time: (seconds) => settings.time(seconds * 1000),
      axis,
    });
  }, [language, era]);
  const lines = useMemo<Line[]>(() => {
    const found: Line[] = [];
    if (well === null) return found;
    const height = (depth: number) => (downwards ? depth : (well.ground_elevation ?? 0) - depth);
    if (!downwards && well.ground_elevation === null) return found;
    found.push({ value: height(0), label: t("ground"), kind: "ground" });
    if (well.flood_warning_depth !== null) found.push({ value: height(well.flood_warning_depth), label: t("warning_depth"), kind: "warning" });
    if (well.flood_danger_depth !== null) found.push({ value: height(well.flood_danger_depth), label: t("danger_depth"), kind: "danger" });
    return found;
  }, [well, downwards, language]);
  const band = useMemo(() => bandOf(indicators, downwards), [indicators, downwards]);
  const levelLabels = useMemo(() => labels(parameter), [labels, parameter]);

  const zoom = (from: number, to: number) => setRanges((before) => [...before, [Math.floor(from), Math.ceil(to)]]);
  const back = () => setRanges((before) => (before.length > 1 ? before.slice(0, -1) : before));
  const move = (by: number) => {
    if (span === null) return;
    const width = span[1] - span[0];
    setRanges((before) => [...before, [span[0] + by * width, span[1] + by * width]]);
  };
  const scale = (by: number) => {
    if (span === null) return;
    const middle = (span[0] + span[1]) / 2;
    const half = ((span[1] - span[0]) * by) / 2;
    zoom(middle - half, middle + half);
  };
  const last = (seconds: number | null) => {
    if (seconds === null) return setRanges([null]);
    const end = Math.ceil(Date.now() / 1000);
    setRanges((before) => [...before, [end - seconds, end]]);
  };
  return (
    <section aria-label={t("hydrograph")}>
      <div class="row no-print" role="group" aria-label={t("hydrograph")}>
        {STRETCHES.map(([name, seconds]) => (
          <button type="button" key={name} onClick={() => last(seconds)} data-stretch={name}>
            {t(name)}
          </button>
        ))}
        <button type="button" onClick={() => move(-0.5)} aria-label={t("earlier")}>
          ◀
        </button>
        <button type="button" onClick={() => move(0.5)} aria-label={t("later")}>
          ▶
        </button>
        <button type="button" onClick={() => scale(0.5)} aria-label={t("zoom_in")}>
          +
        </button>
        <button type="button" onClick={() => (ranges.length > 1 ? back() : scale(2))} aria-label={t("zoom_out")}>
          −
        </button>
        <select value={parameter} aria-label={t("value")} onChange={(event) => setParameter(event.currentTarget.value as (typeof LEVELS)[number])}>
          {LEVELS.map((name) => (
            <option key={name} value={name}>
              {t(name)}
            </option>
          ))}
        </select>
      </div>
      {!isFirst && <Beside well={id} parameter="rainfall" bars height={110} range={range} axis={span} labels={labels} zoom={zoom} back={back} />}
      <Show of={series}>
        {(found) => (
          <>
            {(found.points.length > 0 || range !== null) && (
              <Chart label={`${t(parameter)} ${id}`} series={found} downwards={downwards} bars={false} lines={lines} band={band} labels={levelLabels} height={360} range={range} zoom={zoom} back={back} />
            )}
            <p class="quiet">
              {found.points.length === 0 ? t("no_readings") : `${number(found.readings, 0)} ${t("readings")}`}
              {found.decimated && ` (${number(found.points.length, 0)} ${t("shown")})`} · {t("drag")}
              {may("sql") && (
                <>
                  {" · "}
                  <a href={download(id, parameter, range)}>{t("download")}</a>
                </>
              )}
            </p>
          </>
        )}
      </Show>
      {!isFirst && BELOW.map((name) => <Beside key={name} well={id} parameter={name} bars={false} height={160} range={range} axis={span} labels={labels} zoom={zoom} back={back} />)}
    </section>
  );
}

function at(series: Series, index: number): number {
  return Date.parse(series.points[index]!.time) / 1000;
}

interface BesideProps {
  well: string;
  parameter: (typeof BELOW)[number] | "rainfall";
  bars: boolean;
  height: number;
  /** What is asked for, and what is shown: all of them the same time as the levels. */
  range: Range;
  axis: Range;
  labels: (name: Word) => Labels;
  zoom: (from: number, to: number) => void;
  back: () => void;
}

/** What the well measures beside its level, where it does. */
function Beside({ well, parameter, labels: labelsOf, range, axis, ...rest }: BesideProps) {
  const { t } = useSettings();
  const series = useSeries(well, parameter, range);
  const labels = useMemo(() => labelsOf(parameter), [labelsOf, parameter]);
  const empty = useMemo(() => [], []);
  // A well that measures it somewhere keeps its place also where it is silent.
  const measures = useRef(false);
  measures.current ||= (series.data?.points.length ?? 0) > 0;
  if (series.data === null || !measures.current) return null;
  return <Chart range={axis} label={t(parameter)} series={series.data} downwards={false} lines={empty} band={empty} labels={labels} {...rest} />;
}

/** All readings of the stretch, as the export of the server has them. */
function download(well: string, parameter: string, range: Range): string {
  const query = new URLSearchParams({ wells: well, parameters: parameter, format: "csv" });
  if (range !== null) {
    query.set("from", new Date(range[0] * 1000).toISOString());
    query.set("to", new Date(range[1] * 1000).toISOString());
  }
  return `/api/v1/export?${query}`;
}
