// Who is logged in.
import { createContext } from "preact";
import type { ComponentChildren } from "preact";
import { useCallback, useContext, useEffect, useMemo, useState } from "preact/hooks";
import { login, logout, onLoggedOut, session, type Session } from "./api";
import { stream } from "./live";

export interface Who {
  /** `null` until it is known. */
  session: Session | null;
  error: Error | null;
  may: (what: string) => boolean;
  login: (name: string, password: string) => Promise<void>;
  logout: () => Promise<void>;
  again: () => void;
}

/** What a statement was about is not for whoever sits down here next. */
function forget() {
  try {
    localStorage.removeItem("gwbank.sql");
  } catch {
    // A browser that keeps nothing.
  }
}

const Context = createContext<Who | null>(null);

export function useSession(): Who {
  const who = useContext(Context);
  if (who === null) throw new Error("outside of SessionProvider");
  return who;
}

export function SessionProvider({ children }: { children: ComponentChildren }) {
  const [found, setFound] = useState<Session | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const again = useCallback(() => {
    session().then(
      (next) => {
        setFound(next);
        setError(null);
      },
      (failure: Error) => setError(failure),
    );
  }, []);
  const tabs = useMemo(() => new BroadcastChannel("gwbank.session"), []);
  useEffect(() => {
    onLoggedOut(again);
    // Whoever logs in or out does so in all tabs.
    tabs.onmessage = again;
    again();
  }, [again]);
  const value = useMemo<Who>(
    () => ({
      session: found,
      error,
      may: (what) => found?.may.includes(what) ?? false,
      login: async (name, password) => {
        // What was open as somebody else is not this reader's.
        stream.close();
        setFound(await login(name, password));
        tabs.postMessage("changed");
      },
      logout: async () => {
        await logout();
        stream.close();
        forget();
        tabs.postMessage("changed");
        again();
      },
      again,
    }),
    [found, error, again],
  );
  return <Context.Provider value={value}>{children}</Context.Provider>;
}
