// Pages by their path. Links are real links: they can be opened in a new tab, shared and followed without this script's help.
import { createContext } from "preact";
import type { ComponentChildren, JSX } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";

export interface Place {
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

const Context = createContext<Place>({ path: "/", query: new URLSearchParams() });

export function usePlace(): Place {
  return useContext(Context);
}

export function go(href: string, replace = false) {
  if (replace) history.replaceState(null, "", href);
  else history.pushState(null, "", href);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Changes one part of the query and leaves the page where it is. */
export function choose(name: string, value: string | null) {
  const query = new URLSearchParams(location.search);
  if (value === null || value === "") query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  go(location.pathname + (text === "" ? "" : `?${text}`), true);
}

export function Router({ children }: { children: ComponentChildren }) {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const follow = () => {
      const next = here();
      setPlace((before) => {
        if (before.path !== next.path) scrollTo(0, 0);
        return next;
      });
    };
    addEventListener("popstate", follow);
    return () => removeEventListener("popstate", follow);
  }, []);
  return <Context.Provider value={place}>{children}</Context.Provider>;
}

export function Link({ href, children, ...rest }: JSX.IntrinsicElements["a"] & { href: string }) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(href);
  };
  return (
    <a href={href} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
