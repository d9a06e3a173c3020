// What a page shows, and how it comes to be there.
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

export interface Loaded<T> {
  /** What came last; it stays while a newer one is on its way, and when that fails. */
  data: T | null;
  error: Error | null;
  loading: boolean;
  reload: () => void;
}

/**
 * Loads when `key` changes and when `reload` is called; an answer that is overtaken is dropped.
 * Nothing is asked for before it is `wanted`. What was there stays until the new is, as long as it is of the same `kind`: a chart that is zoomed shows what it has.
 */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>, kind: string = key, wanted = true): Loaded<T> {
  const [state, setState] = useState<{ kind: string; data: T | null; error: Error | null; loading: boolean }>({
    kind,
    data: null,
    error: null,
    loading: true,
  });
  const latest = useRef(load);
  latest.current = load;
  const running = useRef<AbortController | null>(null);
  const start = useCallback(() => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    setState((before) => ({ kind, data: before.kind === kind ? before.data : null, error: null, loading: true }));
    latest.current(control.signal).then(
      (data) => {
        if (!control.signal.aborted) setState({ kind, data, error: null, loading: false });
      },
      (error: Error) => {
        if (!control.signal.aborted) setState((before) => ({ ...before, error, loading: false }));
      },
    );
  }, [key, kind]);
  useEffect(() => {
    if (wanted) start();
    return () => running.current?.abort();
  }, [start, wanted]);
  return { data: state.kind === kind ? state.data : null, error: state.error, loading: state.loading, reload: start };
}
