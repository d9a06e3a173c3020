import { later } from "./later";
import { useEffect } from "preact/hooks";
import { useConnected, stream } from "./live";
import { outline } from "./parts/map";
import { Country } from "./pages/country";
import { FlagsPage } from "./pages/flags";
import { Login } from "./pages/login";
import { ProvincePage } from "./pages/province";
import { Failure } from "./parts/common";
import { Link, usePlace } from "./router";
import { useSession } from "./session";
import { useSettings } from "./settings";

const WellPage = later(() => import("./pages/well").then((page) => page.WellPage));
const SqlPage = later(() => import("./pages/sql").then((page) => page.SqlPage));
const FleetPage = later(() => import("./pages/fleet").then((page) => page.FleetPage));

/** What cannot be decoded is no place here. */
function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

function Page() {
  const { path } = usePlace();
  const { session, may, error, again } = useSession();
  const { t } = useSettings();
  const parts = path.split("/").map(decoded);
  const [first, second] = [parts[1] ?? "", parts[2] ?? ""];
  if (session === null) return error === null ? <p class="quiet">{t("loading")}</p> : <Failure error={error} again={again} />;
  if (first === "login" || !may("view")) return <Login />;
  if (parts.includes(null) || parts.length > 3 || (parts.length === 3 && (second === "" || first === "sql" || first === "fleet" || first === "login"))) return <h1>{t("not_found")}</h1>;
  switch (first) {
    case "":
      return <Country />;
    case "provinces":
      return outline(second) === undefined ? <h1>{t("not_found")}</h1> : <ProvincePage code={second} key={second} />;
    case "wells":
      if (second === "") return <h1>{t("not_found")}</h1>;
      return <WellPage id={second} key={second} />;
    case "flags":
      return <FlagsPage id={second === "" ? null : second} />;
    case "sql":
      return may("sql") ? <SqlPage /> : <p>{t("not_permitted")}</p>;
    case "fleet":
      return may("read") ? <FleetPage /> : <p>{t("not_permitted")}</p>;
    default:
      return <h1>{t("not_found")}</h1>;
  }
}

export function App() {
  const { t, language, setLanguage, era, setEra, theme, setTheme, time } = useSettings();
  const { path } = usePlace();
  const { session, may, logout } = useSession();
  const connected = useConnected();
  // Tabs, history and screen readers tell pages by their titles; a page's heading is its title.
  useEffect(() => {
    const content = document.getElementById("content")!;
    const name = () => {
      const heading = content.querySelector("h1")?.textContent?.trim();
      document.title = heading ? `${heading} · gwbank` : "gwbank";
    };
    const observer = new MutationObserver(name);
    observer.observe(content, { childList: true, subtree: true, characterData: true });
    name();
    return () => observer.disconnect();
  }, []);
  const item = (href: string, name: string) => (
    <Link href={href} aria-current={path === href || (href !== "/" && path.startsWith(href)) ? "page" : undefined}>
      {name}
    </Link>
  );
  return (
    <>
      <a class="skip" href="#content">
        {t("skip")}
      </a>
      <header class="top">
        <Link href="/" class="brand">
          <b>gwbank</b> <span>{t("title")}</span>
        </Link>
        <nav aria-label={t("menu")} class="no-print">
          {may("view") && item("/", t("country"))}
          {may("view") && item("/flags", t("flags"))}
          {may("sql") && item("/sql", t("sql"))}
          {may("read") && item("/fleet", t("fleet"))}
          <a href="/api/docs">{t("documentation")}</a>
        </nav>
        <div class="choices no-print">
          <label>
            <span class="hidden">{t("era")}</span>
            <select value={era} onChange={(event) => setEra(event.currentTarget.value as "be" | "ce")}>
              <option value="be">{t("era_be")}</option>
              <option value="ce">{t("era_ce")}</option>
            </select>
          </label>
          <label>
            <span class="hidden">{t("theme")}</span>
            <select value={theme} onChange={(event) => setTheme(event.currentTarget.value as "auto" | "light" | "dark")}>
              <option value="auto">{t("theme_auto")}</option>
              <option value="light">{t("theme_light")}</option>
              <option value="dark">{t("theme_dark")}</option>
            </select>
          </label>
          <button type="button" lang={language === "th" ? "en" : "th"} onClick={() => setLanguage(language === "th" ? "en" : "th")}>
            {t("language")}
          </button>
          {session?.accounts === true &&
            (session.name === null || session.role === "public" ? (
              <Link href="/login" class="button">
                {t("login")}
              </Link>
            ) : (
              <button type="button" onClick={logout}>
                {t("logout")} ({session.name})
              </button>
            ))}
        </div>
      </header>
      {!connected && (
        <p class="offline" role="status">
          {t("offline")} {time(stream.heardAt)}
        </p>
      )}
      <main id="content" tabIndex={-1}>
        <Page />
      </main>
      <footer>{t("no_declaration")}</footer>
    </>
  );
}
