// Language and era: what a reader chose stays in the browser.
import { createContext } from "preact";
import type { ComponentChildren } from "preact";
import { useContext, useEffect, useLayoutEffect, useMemo, useState } from "preact/hooks";
import { word, type Language, type Word } from "./words";

export type Era = "be" | "ce";
export type Theme = "auto" | "light" | "dark";

export interface Settings {
  language: Language;
  era: Era;
  setLanguage: (language: Language) => void;
  setEra: (era: Era) => void;
  theme: Theme;
  setTheme: (theme: Theme) => void;
  /** What the page has now. */
  colours: "light" | "dark";
  /** A word of the dashboard. */
  t: (of: Word) => string;
  /** An instant of the server, in Thailand's time. */
  time: (instant: string | number) => string;
  day: (instant: string | number) => string;
  month: (day: string) => string;
  number: (value: number | null | undefined, decimals?: number) => string;
  /** The one of two texts that is in the reader's language. */
  either: (th: string | null | undefined, en: string | null | undefined) => string;
}

const DEVICE = matchMedia("(prefers-color-scheme: dark)");

const Context = createContext<Settings | null>(null);

export function useSettings(): Settings {
  const settings = useContext(Context);
  if (settings === null) throw new Error("outside of SettingsProvider");
  return settings;
}

function kept<T extends string>(name: string, allowed: readonly T[], first: T): T {
  try {
    const found = localStorage.getItem(name) as T | null;
    return found !== null && allowed.includes(found) ? found : first;
  } catch {
    return first; // A browser that keeps nothing.
  }
}

function keep(name: string, value: string) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // It is asked again next time.
  }
}

const ZONE = "Asia/Bangkok";

export function make(language: Language, era: Era): Omit<Settings, "setLanguage" | "setEra" | "theme" | "setTheme" | "colours"> {
  const calendar = era === "be" ? "buddhist" : "gregory";
  const locale = `${language === "th" ? "th-TH" : "en-GB"}-u-ca-${calendar}-nu-latn`;
  // The era's own name is in the settings; in each date it would be in the way.
  const year = { year: "numeric" } as const;
  const clean = (format: Intl.DateTimeFormat, at: Date) =>
    format
      .formatToParts(at)
      .filter((part) => part.type !== "era")
      .map((part) => part.value)
      .join("")
      .replace(/\s+/g, " ")
      .trim();
  const day = new Intl.DateTimeFormat(locale, { timeZone: ZONE, day: "numeric", month: "short", ...year });
  const month = new Intl.DateTimeFormat(locale, { timeZone: ZONE, month: "long", ...year });
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
  return {
    language,
    era,
    t: (of) => word(of, language),
    time: (instant) => {
      const at = new Date(instant);
      return `${clean(day, at)} ${clock.format(at)}`;
    },
    day: (instant) => clean(day, new Date(instant)),
    month: (text) => clean(month, new Date(`${text.slice(0, 7)}-15T00:00:00+07:00`)),
    number: (value, decimals) => {
      if (value === null || value === undefined || Number.isNaN(value)) return "–";
      const digits = decimals === undefined ? { maximumFractionDigits: 2 } : { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      return new Intl.NumberFormat("en-US", digits).format(value);
    },
    either: (th, en) => (language === "th" ? th || en : en || th) ?? "",
  };
}

export function SettingsProvider({ children }: { children: ComponentChildren }) {
  const [language, setLanguage] = useState(() => kept<Language>("gwbank.language", ["th", "en"], "th"));
  const [era, setEra] = useState(() => kept<Era>("gwbank.era", ["be", "ce"], language === "th" ? "be" : "ce"));
  const [theme, setTheme] = useState(() => kept<Theme>("gwbank.theme", ["auto", "light", "dark"], "auto"));
  // "auto" is what the device says, also when it changes its mind.
  const [night, setNight] = useState(DEVICE.matches);
  useEffect(() => {
    const follow = () => setNight(DEVICE.matches);
    DEVICE.addEventListener("change", follow);
    return () => DEVICE.removeEventListener("change", follow);
  }, []);
  const colours = theme === "auto" ? (night ? "dark" : "light") : theme;
  useLayoutEffect(() => {
    document.documentElement.dataset["theme"] = colours;
    keep("gwbank.theme", theme);
  }, [theme, colours]);
  useEffect(() => {
    document.documentElement.lang = language;
    keep("gwbank.language", language);
    keep("gwbank.era", era);
  }, [language, era]);
  const words = useMemo(() => make(language, era), [language, era]);
  // A language brings its era with it; whoever wants the other one chooses it after that.
  const speak = (next: Language) => {
    setLanguage(next);
    setEra(next === "th" ? "be" : "ce");
  };
  const value = useMemo(() => ({ ...words, setLanguage: speak, setEra, theme, setTheme, colours }), [words, theme, colours]);
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
