import { HAZARDS, get, SEVERITIES, type Page, type ProvinceRow, type Severity } from "../api";
import { useLoaded } from "../data";
import { useLive } from "../live";
import { Failure, SeverityMark, Show, Table } from "../parts/common";
import { CountryMap, Swatch, type Shade } from "../parts/map";
import { choose, Link, usePlace } from "../router";
import { useSettings } from "../settings";
import { hazardWord } from "../words";

/** The worst of a province: of one hazard, or of all. */
export function worst(row: ProvinceRow, hazard: string): Severity | null {
  const found = hazard === "" ? Object.values(row.worst) : [row.worst[hazard] ?? []].flat();
  return found.sort((a, b) => SEVERITIES.indexOf(b) - SEVERITIES.indexOf(a))[0] ?? null;
}

export function HazardChoice() {
  const { t, language } = useSettings();
  const { query } = usePlace();
  const chosen = query.get("hazard") ?? "";
  return (
    <fieldset class="choice no-print">
      <legend>{t("hazard")}</legend>
      {["", ...HAZARDS].map((hazard) => (
        <label key={hazard}>
          <input type="radio" name="hazard" value={hazard} checked={hazard === chosen} onChange={() => choose("hazard", hazard)} />
          <span>{hazard === "" ? t("all") : hazardWord(hazard, language)}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Country() {
  const { t, either, number } = useSettings();
  const { query } = usePlace();
  const hazard = query.get("hazard") ?? "";
  const rows = useLoaded("/api/v1/provinces", (signal) => get<Page<ProvinceRow>>("/api/v1/provinces", signal));
  useLive(rows.reload);
  if (rows.data === null && rows.error !== null) return <Failure error={rows.error} again={rows.reload} />;
  return (
    <>
      <h1>{t("country")}</h1>
      <HazardChoice />
      <Show of={rows}>
        {({ items }) => {
          const shades = new Map<string, Shade>(
            items.map((row) => [row.province_code, { severity: worst(row, hazard), wells: row.wells }]),
          );
          const ordered = [...items].sort((a, b) => {
            const rank = (row: ProvinceRow) => SEVERITIES.indexOf(worst(row, hazard) ?? ("" as Severity));
            return rank(b) - rank(a) || b.open_flags - a.open_flags || a.province_code.localeCompare(b.province_code);
          });
          return (
            <div class="beside">
              <section aria-label={t("map")}>
                <CountryMap shades={shades} label={t("map_of_country")} />
                <ul class="key">
                  {[...SEVERITIES].reverse().map((severity) => (
                    <li key={severity}>
                      <Swatch severity={severity} /> <SeverityMark severity={severity} /> {[...shades.values()].filter((shade) => shade.severity === severity).length}
                    </li>
                  ))}
                  <li>
                    <Swatch severity={null} /> <span class="mark calm">{t("no_flag")}</span>{" "}
                    {[...shades.values()].filter((shade) => shade.severity === null && shade.wells > 0).length}
                  </li>
                  <li>
                    <Swatch severity="empty" /> <span class="mark calm">{t("no_wells")}</span>{" "}
                    {[...shades.values()].filter((shade) => shade.wells === 0).length}
                  </li>
                </ul>
              </section>
              <section aria-label={t("table")}>
                <Table
                  label={t("map_of_country")}
                  head={
                    <>
                      <th scope="col">{t("province")}</th>
                      <th scope="col">{t("severity")}</th>
                      <th scope="col" class="n">
                        {t("open_flags")}
                      </th>
                      <th scope="col" class="n">
                        {t("wells")}
                      </th>
                    </>
                  }
                >
                  {ordered.map((row) => {
                    const severity = worst(row, hazard);
                    return (
                      <tr key={row.province_code}>
                        <th scope="row">
                          <Link href={`/provinces/${row.province_code}`}>{either(row.name_th, row.name_en)}</Link>
                        </th>
                        <td>{severity === null ? <span class="quiet">{row.wells === 0 ? t("no_wells") : t("no_flag")}</span> : <SeverityMark severity={severity} />}</td>
                        <td class="n">{number(row.open_flags, 0)}</td>
                        <td class="n">{number(row.wells, 0)}</td>
                      </tr>
                    );
                  })}
                </Table>
              </section>
            </div>
          );
        }}
      </Show>
    </>
  );
}
