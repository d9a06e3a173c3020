import type { ComponentChildren } from "preact";
import { get, Refused, Unreachable, type Severity } from "../api";
import { useLoaded, type Loaded } from "../data";
import { useSettings } from "../settings";
import { severityWord } from "../words";

/** A severity by colour, pattern and word. */
export function SeverityMark({ severity }: { severity: Severity }) {
  const { language } = useSettings();
  return <span class={`mark ${severity}`}>{severityWord(severity, language)}</span>;
}

/** What was loaded; or that it is on its way, or why it is not there. */
export function Show<T>({ of, children }: { of: Loaded<T>; children: (data: T) => ComponentChildren }) {
  const { t } = useSettings();
  if (of.data !== null) {
    return (
      <>
        {of.error !== null && <Failure error={of.error} again={of.reload} />}
        {children(of.data)}
      </>
    );
  }
  if (of.error !== null) return <Failure error={of.error} again={of.reload} />;
  return (
    <p class="quiet" role="status">
      {t("loading")}
    </p>
  );
}

export function Failure({ error, again }: { error: Error; again?: () => void }) {
  const { t } = useSettings();
  const permitted = !(error instanceof Refused && error.type.endsWith("#problem-forbidden"));
  const detail = error instanceof Unreachable ? "" : error instanceof Refused ? error.detail : String(error);
  return (
    <div class="failure" role="alert">
      <p>
        {permitted ? t("failed") : t("not_permitted")}
        {detail !== "" && <small lang="en"> {detail}</small>}
      </p>
      {again !== undefined && permitted && (
        <button type="button" onClick={again}>
          {t("again")}
        </button>
      )}
    </div>
  );
}

/** A table that scrolls by itself on a narrow screen, also by keyboard. */
export function Table({ label, head, children }: { label: string; head: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** A number of the server in the server's words: what it is made of. */
export function Explained({ path }: { path: string }) {
  const { either } = useSettings();
  const told = useLoaded(path, (signal) => get<{ text_en: string; text_th: string }>(path, signal));
  return (
    <Show of={told}>
      {(found) => (
        <pre class="told" tabIndex={0}>
          {either(found.text_th, found.text_en)}
        </pre>
      )}
    </Show>
  );
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
