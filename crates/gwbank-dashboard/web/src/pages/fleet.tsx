import { useEffect, useRef, useState } from "preact/hooks";
import { all, ask, get, post, type DeadLetter, type FleetReport, type Gateway, type Page, type Status } from "../api";
import { useLoaded } from "../data";
import { Fact, Failure, Show, Table } from "../parts/common";
import { outline } from "../parts/map";
import { Link } from "../router";
import { useSession } from "../session";
import { useSettings } from "../settings";

const EVERY = 10_000;
const SHOWN = 100;

/** Runs while the page is looked at. */
function useEvery(then: () => void) {
  const latest = useRef(then);
  latest.current = then;
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) latest.current();
    }, EVERY);
    return () => clearInterval(timer);
  }, []);
}

/** Single values of Prometheus' text, by name; of several with labels the sum. */
export function metrics(text: string): Map<string, number> {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const parts = /^(\w+)(?:\{.*\})? (\S+)/.exec(line);
    if (parts !== null) found.set(parts[1]!, (found.get(parts[1]!) ?? 0) + Number(parts[2]));
  }
  return found;
}

async function readMetrics(signal: AbortSignal) {
  return metrics(await (await ask("/metrics", { signal })).text());
}

export function FleetPage() {
  const { t } = useSettings();
  const { may } = useSession();
  return (
    <>
      <h1>{t("fleet")}</h1>
      <Server />
      <Attention />
      <Gateways />
      {may("administer") && <DeadLetters />}
    </>
  );
}

function Server() {
  const { t, number, time } = useSettings();
  const status = useLoaded("status", (signal) => get<Status>("/api/v1/status", signal));
  const counted = useLoaded("metrics", readMetrics);
  useEvery(() => {
    status.reload();
    counted.reload();
  });
  const of = (name: string) => counted.data?.get(`gwbank_${name}`) ?? null;
  const mebibytes = (name: string) => {
    const bytes = of(name);
    return bytes === null ? "–" : `${number(bytes / 1_048_576, 1)} MiB`;
  };
  return (
    <section aria-label={t("server")}>
      <h2>{t("server")}</h2>
      <Show of={status}>
        {(found) => (
          <>
            <dl class="facts">
              <Fact name={t("wells")}>{number(found.wells, 0)}</Fact>
              <Fact name={t("gateways")}>{number(found.gateways, 0)}</Fact>
              <Fact name={t("received")}>{number(found.received, 0)}</Fact>
              <Fact name={t("stored")}>{number(found.stored, 0)}</Fact>
              <Fact name={t("duplicate")}>{number(found.duplicate, 0)}</Fact>
              <Fact name={t("dead")}>{number(found.dead, 0)}</Fact>
              <Fact name={t("pending")}>{number(found.pending, 0)}</Fact>
              <Fact name={t("archive_lag")}>{number(of("archive_lag_readings"), 0)}</Fact>
              <Fact name={t("window_rows")}>{number(of("recent_window_rows"), 0)}</Fact>
              <Fact name={t("window_bytes")}>{mebibytes("recent_window_bytes")}</Fact>
              <Fact name={t("journal")}>{mebibytes("journal_bytes")}</Fact>
              <Fact name={t("queries_running")}>
                {number(of("queries_running"), 0)} (+{number(of("queries_waiting"), 0)})
              </Fact>
            </dl>
            <Table
              label={t("server")}
              head={
                <>
                  <th scope="col">{t("part")}</th>
                  <th scope="col">{t("state")}</th>
                  <th scope="col">{t("detail")}</th>
                </>
              }
            >
              {found.parts.map((part) => (
                <tr key={part.part}>
                  <th scope="row">{part.part}</th>
                  <td>{part.ready ? t("ready") : <b class="mark severe">{t("not_ready")}</b>}</td>
                  <td lang="en">
                    {part.detail}
                    {part.mend ? ` · ${part.mend}` : ""}
                  </td>
                </tr>
              ))}
            </Table>
            <p class="quiet">
              gwbank {found.version} · {time(found.now)}
            </p>
          </>
        )}
      </Show>
    </section>
  );
}

/** Batteries, sensors and what fell silent. */
function Attention() {
  const { t, either, number } = useSettings();
  const fleet = useLoaded("fleet", (signal) => get<Page<FleetReport>>("/api/v1/fleet", signal));
  return (
    <section aria-label={t("attention")}>
      <h2>{t("attention")}</h2>
      <Show of={fleet}>
        {({ items }) =>
          items.length === 0 ? (
            <p class="quiet">{t("nothing")}</p>
          ) : (
            <Table
              label={t("attention")}
              head={
                <>
                  <th scope="col">{t("province")}</th>
                  <th scope="col" class="n">
                    {t("count")}
                  </th>
                  <th scope="col">{t("detail")}</th>
                </>
              }
            >
              {items.map((report) => {
                const province = outline(report.province_code);
                return (
                  <tr key={report.province_code}>
                    <th scope="row">
                      <Link href={`/provinces/${report.province_code}`}>
                        {province === undefined ? report.province_code : either(province.th, province.en)}
                      </Link>
                    </th>
                    <td class="n">{number(report.items, 0)}</td>
                    <td>{either(report.text_th, report.text_en)}</td>
                  </tr>
                );
              })}
            </Table>
          )
        }
      </Show>
    </section>
  );
}

type Order = "last_seen" | "rate" | "dead" | "clock";

function Gateways() {
  const { t, number, time } = useSettings();
  const [order, setOrder] = useState<Order>("last_seen");
  const [wanted, setWanted] = useState("");
  const [shown, setShown] = useState(SHOWN);
  const [rates, setRates] = useState<Map<string, number>>(new Map());
  const before = useRef<{ at: number; received: Map<string, number> } | null>(null);
  const gateways = useLoaded("gateways", async (signal) => {
    const found = await all<Gateway>("/api/v1/gateways", signal);
    const [at, was] = [performance.now(), before.current];
    if (was !== null) {
      const minutes = (at - was.at) / 60_000;
      setRates(new Map(found.map((gateway) => [gateway.gateway_id, (gateway.received - (was.received.get(gateway.gateway_id) ?? 0)) / minutes])));
    }
    before.current = { at, received: new Map(found.map((gateway) => [gateway.gateway_id, gateway.received])) };
    return found;
  });
  useEvery(gateways.reload);
  const by: Record<Order, (gateway: Gateway) => number> = {
    last_seen: (gateway) => (gateway.last_seen === null ? 0 : -Date.parse(gateway.last_seen)),
    rate: (gateway) => rates.get(gateway.gateway_id) ?? 0,
    dead: (gateway) => gateway.dead,
    clock: (gateway) => Math.abs(gateway.clock_offset_s ?? 0),
  };
  return (
    <section aria-label={t("gateways")}>
      <h2>{t("gateways")}</h2>
      <div class="filters no-print">
        <label>
          {t("search")}
          <input type="search" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        </label>
        <label>
          {t("order")}
          <select value={order} onChange={(event) => setOrder(event.currentTarget.value as Order)}>
            <option value="last_seen">{t("silent_first")}</option>
            <option value="rate">{t("rate")}</option>
            <option value="dead">{t("dead")}</option>
            <option value="clock">{t("clock_offset")}</option>
          </select>
        </label>
      </div>
      <Show of={gateways}>
        {(list) => {
          const found = list.filter((gateway) => gateway.gateway_id.toLowerCase().includes(wanted.trim().toLowerCase()));
          found.sort((a, b) => by[order](b) - by[order](a) || a.gateway_id.localeCompare(b.gateway_id));
          return (
            <>
              <Table
                label={t("gateways")}
                head={
                  <>
                    <th scope="col">{t("gateway")}</th>
                    <th scope="col">{t("last_seen")}</th>
                    {(["rate", "received", "stored", "duplicate", "dead", "pending", "clock_offset"] as const).map((name) => (
                      <th scope="col" class="n" key={name}>
                        {t(name)}
                      </th>
                    ))}
                    <th scope="col">{t("last_error")}</th>
                  </>
                }
              >
                {found.slice(0, shown).map((gateway) => (
                  <tr key={gateway.gateway_id}>
                    <th scope="row">{gateway.gateway_id}</th>
                    <td>{gateway.last_seen === null ? "–" : time(gateway.last_seen)}</td>
                    <td class="n">{number(rates.get(gateway.gateway_id), 1)}</td>
                    <td class="n">{number(gateway.received, 0)}</td>
                    <td class="n">{number(gateway.stored, 0)}</td>
                    <td class="n">{number(gateway.duplicate, 0)}</td>
                    <td class="n">{number(gateway.dead, 0)}</td>
                    <td class="n">{number(gateway.pending, 0)}</td>
                    <td class="n">{number(gateway.clock_offset_s, 0)}</td>
                    <td lang="en">{gateway.last_error ?? ""}</td>
                  </tr>
                ))}
              </Table>
              {found.length > shown && (
                <button type="button" onClick={() => setShown(shown + 5 * SHOWN)}>
                  {t("more")} ({number(found.length - shown, 0)})
                </button>
              )}
            </>
          );
        }}
      </Show>
    </section>
  );
}

interface Replayed {
  letters: number;
  stored: number;
  duplicate: number;
  dead: number;
}

function DeadLetters() {
  const { t, number, time } = useSettings();
  const letters = useLoaded("dead letters", (signal) => get<Page<DeadLetter>>(`/api/v1/dead-letters?limit=${SHOWN}`, signal));
  const [doing, setDoing] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const replay = async (id: number) => {
    setDoing(true);
    setSaid(null);
    setError(null);
    try {
      const done = await post<Replayed>("/api/v1/dead-letters/replay", { id });
      setSaid(`${t("stored")} ${done.stored} · ${t("duplicate")} ${done.duplicate} · ${t("dead")} ${done.dead}`);
      letters.reload();
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setDoing(false);
    }
  };
  return (
    <section aria-label={t("dead_letters")}>
      <h2>{t("dead_letters")}</h2>
      {said !== null && <p role="status">{said}</p>}
      {error !== null && <Failure error={error} />}
      <Show of={letters}>
        {({ items, total }) =>
          items.length === 0 ? (
            <p class="quiet">{t("nothing")}</p>
          ) : (
            <>
              <Table
                label={t("dead_letters")}
                head={
                  <>
                    <th scope="col">{t("gateway")}</th>
                    <th scope="col">{t("reason")}</th>
                    <th scope="col" class="n">
                      {t("readings")}
                    </th>
                    <th scope="col">{t("last")}</th>
                    <th scope="col">{t("detail")}</th>
                    <th scope="col">{t("replay")}</th>
                  </>
                }
              >
                {items.map((letter) => (
                  <tr key={letter.id}>
                    <th scope="row">{letter.gateway_id}</th>
                    <td>
                      <code>{letter.reason}</code>
                    </td>
                    <td class="n">{number(letter.readings, 0)}</td>
                    <td>{time(letter.last_received_at)}</td>
                    <td lang="en">{letter.detail}</td>
                    <td>
                      <button type="button" disabled={doing} onClick={() => void replay(letter.id)} aria-label={`${t("replay")} ${letter.id}`}>
                        {t("replay")}
                      </button>
                    </td>
                  </tr>
                ))}
              </Table>
              {total > items.length && (
                <p class="quiet">
                  {number(items.length, 0)} / {number(total, 0)}
                </p>
              )}
            </>
          )
        }
      </Show>
    </section>
  );
}
