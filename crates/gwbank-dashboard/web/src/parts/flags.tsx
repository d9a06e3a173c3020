// A flag as people read it, and what they can do about it.
import { useState } from "preact/hooks";
import { get, post, type Flag, type FlagDetail } from "../api";
import { useLoaded } from "../data";
import { Link } from "../router";
import { useSession } from "../session";
import { useSettings } from "../settings";
import { actionWord, stateWord, transitionWord } from "../words";
import { Explained, Fact, Failure, SeverityMark, Show } from "./common";
import { outline } from "./map";

export function FlagCard({ flag, changed, open = false }: { flag: Flag; changed: () => void; open?: boolean }) {
  const { either, t, time, language } = useSettings();
  const [explained, setExplained] = useState(open);
  // What somebody does about it changes its story and not the flag.
  const [acts, setActs] = useState(0);
  const province = outline(flag.province_code);
  return (
    <article class={`flag ${flag.severity} ${flag.state}`} id={flag.id} data-flag={flag.id} data-state={flag.state}>
      <h3>
        <SeverityMark severity={flag.severity} /> {either(flag.headline_th, flag.headline_en)}
      </h3>
      <p class="quiet">
        {stateWord(flag.state, language)} · {t("since")} {time(flag.raised_at)} ·{" "}
        {province !== undefined && <Link href={`/provinces/${province.code}`}>{either(province.th, province.en)}</Link>}
        {flag.well_id !== null && (
          <>
            {" · "}
            <Link href={`/wells/${encodeURIComponent(flag.well_id)}`}>{flag.well_id}</Link>
          </>
        )}
        {flag.acknowledged_by !== null && flag.acknowledged_at !== null && (
          <>
            {" · "}
            {t("acknowledged")} {flag.acknowledged_by} {time(flag.acknowledged_at)}
          </>
        )}
      </p>
      {flag.state !== "closed" && <p>{either(flag.detail_th, flag.detail_en)}</p>}
      <Actions
        flag={flag}
        changed={() => {
          setActs((before) => before + 1);
          changed();
        }}
      />
      <details
        open={explained}
        onToggle={(event) => setExplained((event.currentTarget as HTMLDetailsElement).open)}
      >
        <summary>{t("explain")}</summary>
        {explained && <Details flag={flag} acts={acts} />}
      </details>
    </article>
  );
}

function Details({ flag, acts }: { flag: Flag; acts: number }) {
  const { t, time, number, language } = useSettings();
  const path = `/api/v1/flags/${encodeURIComponent(flag.id)}`;
  const state = `${flag.id} ${flag.changed_at} ${flag.acknowledged_at} ${acts}`;
  const detail = useLoaded(state, (signal) => get<FlagDetail>(path, signal), flag.id);
  return (
    <>
      <dl class="facts">
        <Fact name={t("rule")}>{flag.rule}</Fact>
        <Fact name={t("limit")}>{number(flag.limit_value)}</Fact>
        <Fact name={t("observed")}>{number(flag.observed)}</Fact>
        <Fact name={t("wells_in")}>{flag.wells_in}</Fact>
        <Fact name={t("wells_out")}>{flag.wells_out}</Fact>
        <Fact name={t("coverage")}>{flag.coverage === null ? "–" : `${number(flag.coverage * 100, 0)} %`}</Fact>
        <Fact name={t("confidence")}>{number(flag.confidence)}</Fact>
        {language === "en" && <Fact name={t("clears")}>{flag.what_would_clear_it}</Fact>}
      </dl>
      <Show of={detail}>
        {(found) => (
          <>
            <h4>{t("happened")}</h4>
            <ol>
              {found.transitions.map((transition) => (
                <li key={transition.at}>
                  {time(transition.at)} · {transitionWord(transition.transition, language)} ·{" "}
                  <SeverityMark severity={transition.severity} />
                </li>
              ))}
            </ol>
            {found.actions.length > 0 && (
              <>
                <h4>{t("who_did")}</h4>
                <ul>
                  {found.actions.map((action) => (
                    <li key={`${action.at}${action.by}`}>
                      {time(action.at)} · {actionWord(action.action, language)} <b>{action.by}</b>
                      {action.text !== null && <>: {action.text}</>}
                    </li>
                  ))}
                </ul>
              </>
            )}
          </>
        )}
      </Show>
      <Evidence flag={flag} />
    </>
  );
}

/** What `gwbank flags explain` says: the same asked again of what was known then. */
function Evidence({ flag }: { flag: Flag }) {
  const { t } = useSettings();
  const [wanted, setWanted] = useState(false);
  const path = `/api/v1/flags/${encodeURIComponent(flag.id)}/explanation`;
  return (
    <details onToggle={(event) => setWanted((event.currentTarget as HTMLDetailsElement).open)}>
      <summary>{t("explanation_then")}</summary>
      {wanted && <Explained path={path} key={flag.changed_at} />}
    </details>
  );
}

function Actions({ flag, changed }: { flag: Flag; changed: () => void }) {
  const { t } = useSettings();
  const { may } = useSession();
  const [text, setText] = useState("");
  const [doing, setDoing] = useState(false);
  const [said, setSaid] = useState<string | null>(null);
  const [error, setError] = useState<Error | null>(null);
  if (!may("acknowledge")) return null;
  const act = async (action: string, body: Record<string, string>) => {
    setDoing(true);
    setError(null);
    setSaid(null);
    try {
      await post(`/api/v1/flags/${encodeURIComponent(flag.id)}/${action}`, body);
      setSaid(t("done"));
      setText("");
      changed();
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setDoing(false);
    }
  };
  const remark: Record<string, string> = text.trim() === "" ? {} : { text: text.trim() };
  const hasDocument = ["drought", "flood", "salinity"].includes(flag.hazard) && flag.scope !== "well";
  return (
    <div class="actions no-print">
      {flag.state !== "closed" && flag.acknowledged_by === null && (
        <button type="button" class="main" disabled={doing} onClick={() => act("acknowledge", remark)}>
          {t("acknowledge")}
        </button>
      )}
      <details>
        <summary>{t("comment")}</summary>
        <label>
          {t("remark")}
          <textarea rows={2} maxLength={1000} value={text} onInput={(event) => setText(event.currentTarget.value)} />
        </label>
        <div class="row">
          <button type="button" disabled={doing || text.trim() === ""} onClick={() => act("comment", remark)}>
            {t("comment")}
          </button>
          {hasDocument && (
            <button type="button" disabled={doing} onClick={() => act("approve", {})}>
              {t("approve")}
            </button>
          )}
          {flag.state !== "closed" && (
            <button type="button" disabled={doing || text.trim() === ""} onClick={() => act("cancel", remark)}>
              {t("take_back")}
            </button>
          )}
        </div>
      </details>
      {said !== null && (
        <p role="status" class="quiet">
          {said}
        </p>
      )}
      {error !== null && <Failure error={error} />}
    </div>
  );
}
