import { useState } from "preact/hooks";
import { get, type Flag, type FlagDetail, type Page } from "../api";
import { provinces } from "virtual:provinces";
import { useLoaded } from "../data";
import { useLive } from "../live";
import { Show } from "../parts/common";
import { FlagCard } from "../parts/flags";
import { choose, usePlace } from "../router";
import { useSettings } from "../settings";
import { stateWord } from "../words";
import { HazardChoice } from "./country";

const SHOWN = 50;

export function FlagsPage({ id }: { id: string | null }) {
  const { t } = useSettings();
  return (
    <>
      <h1>{t("flags")}</h1>
      {id === null ? <Inbox /> : <One id={id} />}
    </>
  );
}

function One({ id }: { id: string }) {
  const path = `/api/v1/flags/${encodeURIComponent(id)}`;
  const flag = useLoaded(path, (signal) => get<FlagDetail>(path, signal));
  useLive(flag.reload);
  return <Show of={flag}>{(found) => <FlagCard flag={found} changed={flag.reload} open />}</Show>;
}

function Inbox() {
  const { t, either, language, number } = useSettings();
  const { query } = usePlace();
  const state = query.get("state") ?? "open";
  const [shown, setShown] = useState(SHOWN);
  const asked = new URLSearchParams({ state, limit: String(shown) });
  for (const name of ["hazard", "province"]) {
    const value = query.get(name);
    if (value !== null) asked.set(name, value);
  }
  const path = `/api/v1/flags?${asked}`;
  asked.delete("limit");
  const flags = useLoaded(path, (signal) => get<Page<Flag>>(path, signal), String(asked));
  useLive(flags.reload);
  return (
    <>
      <div class="filters no-print">
        <label>
          {t("state")}
          <select value={state} onChange={(event) => choose("state", event.currentTarget.value)}>
            {["open", "stale", "closed"].map((name) => (
              <option key={name} value={name}>
                {stateWord(name, language)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t("province")}
          <select value={query.get("province") ?? ""} onChange={(event) => choose("province", event.currentTarget.value)}>
            <option value="">{t("all")}</option>
            {[...provinces]
              .sort((a, b) => either(a.th, a.en).localeCompare(either(b.th, b.en), language))
              .map((province) => (
                <option key={province.code} value={province.code}>
                  {either(province.th, province.en)}
                </option>
              ))}
          </select>
        </label>
        <HazardChoice />
      </div>
      <Show of={flags}>
        {({ items, total }) => (
          <>
            <p class="quiet" role="status" data-total={total}>
              {number(total, 0)} {t("flags")}
            </p>
            {items.map((flag) => (
              <FlagCard key={flag.id} flag={flag} changed={flags.reload} />
            ))}
            {total > items.length && (
              <button type="button" onClick={() => setShown(shown + SHOWN)}>
                {t("more")} ({number(total - items.length, 0)})
              </button>
            )}
          </>
        )}
      </Show>
    </>
  );
}
