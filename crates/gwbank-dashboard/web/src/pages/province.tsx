import { useEffect, useMemo, useState } from "preact/hooks";
import { all, get, SEVERITIES, type Flag, type Indicator, type Page, type ProvinceDetail, type Severity, type Well } from "../api";
import { useLoaded } from "../data";
import { useLive } from "../live";
import { Explained, Fact, Show, SeverityMark, Table } from "../parts/common";
import { FlagCard } from "../parts/flags";
import { outline, ProvinceMap } from "../parts/map";
import type { Curves } from "../parts/plot";
import { classWord, indicatorWord } from "../indicators";
import { later } from "../later";
import { Link } from "../router";
import { useSettings } from "../settings";
import { bankWord, severityWord } from "../words";

const Plot = later<{ of: Curves; height: number }>(() => import("../parts/plotted").then((part) => part.Plotted));

function worstByWell(flags: Flag[]): Map<string, Severity> {
  const worst = new Map<string, Severity>();
  for (const flag of flags) {
    if (flag.well_id === null || flag.hazard === "no_data") continue;
    const known = worst.get(flag.well_id);
    if (known === undefined || SEVERITIES.indexOf(flag.severity) > SEVERITIES.indexOf(known)) worst.set(flag.well_id, flag.severity);
  }
  return worst;
}

const BULLETINS = 24;

/** The printable sheet of a month, and the feed of warnings. */
function Bulletins({ code, latest }: { code: string; latest: string }) {
  const { t, month } = useSettings();
  const newest = Number(latest.slice(0, 4)) * 12 + Number(latest.slice(5, 7)) - 1;
  const months = Array.from({ length: BULLETINS }, (_, back) => {
    const at = newest - back;
    return `${Math.floor(at / 12)}-${String((at % 12) + 1).padStart(2, "0")}`;
  });
  const [chosen, setChosen] = useState(months[0]!);
  return (
    <p class="row no-print">
      <label>
        <span class="hidden">{t("month")}</span>
        <select value={chosen} onChange={(event) => setChosen(event.currentTarget.value)}>
          {months.map((of) => (
            <option key={of} value={of}>
              {month(of)}
            </option>
          ))}
        </select>
      </label>
      <a href={`/api/v1/provinces/${code}/bulletin?month=${chosen}`}>{t("bulletin")}</a>
      <a href={`/feeds/cap/${code}.atom`}>{t("feed")}</a>
    </p>
  );
}

/** Where the province stood, month by month. */
function Trend({ code }: { code: string }) {
  const { t } = useSettings();
  const path = `/api/v1/provinces/${encodeURIComponent(code)}/indicators?indicator=sgi`;
  const rows = useLoaded(path, (signal) => get<Page<Indicator>>(path, signal));
  const of = useMemo<Curves | null>(() => {
    const known = rows.data?.items.filter((row) => row.value !== null) ?? [];
    if (known.length < 2) return null;
    const times = known.map((row) => Date.parse(`${row.period.slice(0, 10)}T00:00:00+07:00`) / 1000);
    return { x: { name: t("month"), isTime: true }, names: ["SGI"], data: [times, known.map((row) => row.value)] };
  }, [rows.data, t]);
  return <Show of={rows}>{() => (of === null ? <p class="quiet">{t("no_readings")}</p> : <Plot of={of} height={220} />)}</Show>;
}

export function ProvincePage({ code }: { code: string }) {
  const { t, either, month, number, language } = useSettings();
  const path = `/api/v1/provinces/${encodeURIComponent(code)}`;
  const province = useLoaded(path, (signal) => get<ProvinceDetail>(path, signal));
  const wells = useLoaded(`wells ${code}`, (signal) => all<Well>(`/api/v1/wells?province=${encodeURIComponent(code)}`, signal));
  useLive(province.reload);
  // Whoever is here goes on to a well: its page is there by then.
  useEffect(() => void import("./well").catch(() => undefined), []);
  const name = outline(code);
  const [explained, setExplained] = useState(false);
  return (
    <>
      <h1>{name === undefined ? code : either(name.th, name.en)}</h1>
      <Show of={province}>
        {(found) => {
          const worst = worstByWell(found.flags);
          const places = found.flags.filter((flag) => flag.scope !== "well");
          const ofWells = found.flags.filter((flag) => flag.scope === "well");
          return (
            <>
              <div class="beside">
                <section aria-label={t("map")}>
                  <Show of={wells}>
                    {(list) => (
                      <ProvinceMap
                        code={code}
                        label={`${t("map")} ${either(found.name_th, found.name_en)}`}
                        dots={list.flatMap((well) => {
                          if (well.latitude === null || well.longitude === null) return [];
                          const severity = worst.get(well.well_id) ?? null;
                          const what = severity === null ? t("no_flag") : severityWord(severity, language);
                          const title = `${well.well_id} ${either(well.name_th, well.name)}: ${what}`;
                          return [{ id: well.well_id, latitude: well.latitude, longitude: well.longitude, severity, title }];
                        })}
                      />
                    )}
                  </Show>
                </section>
                <section>
                  <h2>{t("standing")}</h2>
                  <p>
                    <b>{month(found.standing.month)}</b> {either(found.standing.text_th, found.standing.text_en)}
                  </p>
                  <dl class="facts">
                    <Fact name={t("wells")}>{number(found.wells, 0)}</Fact>
                    <Fact name={t("reporting")}>{number(found.coverage.wells_reporting, 0)}</Fact>
                    <Fact name={t("observation_wells")}>{number(found.coverage.observation_wells, 0)}</Fact>
                    <Fact name={t("open_banks")}>{number(found.coverage.open_banks, 0)}</Fact>
                    <Fact name={t("closed_banks")}>{number(found.coverage.closed_banks, 0)}</Fact>
                    <Fact name={t("open_flags")}>{number(found.flags.length, 0)}</Fact>
                  </dl>
                  <Bulletins code={code} latest={found.standing.month} />
                  <details onToggle={(event) => setExplained((event.currentTarget as HTMLDetailsElement).open)}>
                    <summary>{t("explain")}</summary>
                    {explained && <Explained path={`${path}/explanation`} />}
                  </details>
                </section>
              </div>
              <h2>{t("open_flags")}</h2>
              {found.flags.length === 0 && <p class="quiet">{t("nothing")}</p>}
              {places.map((flag) => (
                <FlagCard key={flag.id} flag={flag} changed={province.reload} />
              ))}
              {ofWells.length > 0 && (
                <details open={places.length === 0}>
                  <summary>
                    {t("wells")} ({ofWells.length})
                  </summary>
                  {ofWells.map((flag) => (
                    <FlagCard key={flag.id} flag={flag} changed={province.reload} />
                  ))}
                </details>
              )}
              <h2>{t("trend")}</h2>
              <Trend code={code} />
              <h2>{t("indicators")}</h2>
              <Table
                label={t("indicators")}
                head={
                  <>
                    <th scope="col">{t("indicator")}</th>
                    <th scope="col">{t("month")}</th>
                    <th scope="col" class="n">
                      {t("value")}
                    </th>
                    <th scope="col">{t("class")}</th>
                  </>
                }
              >
                {found.indicators.map((indicator) => (
                  <tr key={indicator.indicator}>
                    <th scope="row">
                      {indicatorWord(indicator.indicator, language)} <code class="quiet">{indicator.indicator}</code>
                    </th>
                    <td>{month(indicator.period)}</td>
                    <td class="n">{number(indicator.value)}</td>
                    <td>{classWord(indicator.class, language)}</td>
                  </tr>
                ))}
              </Table>
            </>
          );
        }}
      </Show>
      <h2>{t("wells")}</h2>
      <Show of={wells}>
        {(list) => (
          <Table
            label={t("wells")}
            head={
              <>
                <th scope="col">{t("well")}</th>
                <th scope="col">{t("well_name")}</th>
                <th scope="col">{t("bank_type")}</th>
                <th scope="col">{t("severity")}</th>
              </>
            }
          >
            {list.map((well) => {
              const severity = province.data === null ? undefined : worstByWell(province.data.flags).get(well.well_id);
              return (
                <tr key={well.well_id}>
                  <th scope="row">
                    <Link href={`/wells/${encodeURIComponent(well.well_id)}`}>{well.well_id}</Link>
                  </th>
                  <td>{either(well.name_th, well.name)}</td>
                  <td>{bankWord(well.bank_type, language)}</td>
                  <td>{severity === undefined ? "" : <SeverityMark severity={severity} />}</td>
                </tr>
              );
            })}
          </Table>
        )}
      </Show>
    </>
  );
}
