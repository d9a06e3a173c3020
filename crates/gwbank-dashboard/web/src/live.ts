// What the server tells by itself: transitions of flags, as server-sent events.
import { useEffect, useRef, useState } from "preact/hooks";

type Listener = () => void;
type Told = "news" | "connected" | "lost" | "who";

/**
 * One stream for all pages of a browser: it has six connections to a server, and a stream keeps one for itself. The tab that has
 * the lock holds the stream and tells the others. Where there are no locks (without TLS, away from this machine) each tab holds
 * its own while it is looked at.
 */
class Stream {
  #source: EventSource | null = null;
  #listeners = new Set<Listener>();
  #states = new Set<Listener>();
  #tabs = new BroadcastChannel("gwbank.stream");
  #leave: (() => void) | null = null;
  #leads = false;
  connected = true;
  /** When anything was heard last. */
  heardAt = Date.now();

  constructor() {
    this.#tabs.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data === "who") {
        if (this.#leads) this.#tabs.postMessage(this.connected ? "connected" : "lost");
      } else if (data === "news") this.#news();
      else this.#set(data === "connected");
    };
    // A connection that is cut without a word is told of by nobody but the device.
    addEventListener("offline", () => this.#set(false));
    addEventListener("online", () => {
      if (this.#source === null) return this.#tabs.postMessage("who");
      this.#shut();
      this.#open();
    });
    document.addEventListener("visibilitychange", () => {
      if (navigator.locks !== undefined || this.#listeners.size === 0) return;
      if (document.hidden) this.#shut();
      else this.#open();
    });
  }

  #news() {
    this.heardAt = Date.now();
    for (const tell of this.#listeners) tell();
  }

  #set(connected: boolean) {
    if (connected) this.heardAt = Date.now();
    if (this.connected === connected) return;
    this.connected = connected;
    for (const tell of this.#states) tell();
    // What came meanwhile is told by the stream where it can be; what is shown may be older than that.
    if (connected) for (const tell of this.#listeners) tell();
  }

  #lead(connected: boolean) {
    this.#set(connected);
    this.#tabs.postMessage(connected ? "connected" : "lost");
  }

  #open() {
    if (this.#source !== null) return;
    const source = new EventSource("/api/v1/flags/stream");
    source.onopen = () => this.#lead(true);
    source.onerror = () => {
      this.#lead(false);
      // The browser asks again by itself, unless the answer was an error of the server.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#source = null;
        setTimeout(() => this.#listeners.size > 0 && this.#open(), 3000);
      }
    };
    for (const name of ["flag", "reset"]) {
      source.addEventListener(name, () => {
        this.#news();
        this.#tabs.postMessage("news");
      });
    }
    this.#source = source;
  }

  #shut() {
    this.#source?.close();
    this.#source = null;
  }

  /** Until this tab wants it no more. */
  #join() {
    if (this.#leave !== null) return;
    if (navigator.locks === undefined) {
      this.#leave = () => undefined;
      return this.#open();
    }
    const control = new AbortController();
    let done: () => void = () => undefined;
    this.#leave = () => {
      control.abort();
      done();
    };
    this.#tabs.postMessage("who");
    const held = () =>
      new Promise<void>((resolve) => {
        done = resolve;
        this.#leads = true;
        this.#open();
      });
    // Given up before it was this tab's turn: nothing to do.
    navigator.locks.request("gwbank.stream", { signal: control.signal }, held).catch(() => undefined);
  }

  listen(tell: Listener): () => void {
    this.#listeners.add(tell);
    this.#join();
    return () => {
      this.#listeners.delete(tell);
      if (this.#listeners.size === 0) this.close();
    };
  }

  watch(tell: Listener): () => void {
    this.#states.add(tell);
    return () => this.#states.delete(tell);
  }

  /** Also what was open as somebody else is closed so: the next listener begins anew. */
  close() {
    this.#shut();
    this.#leads = false;
    this.#leave?.();
    this.#leave = null;
  }
}

export const stream = new Stream();

/** Calls `then` when a flag changed, a few times a second at most however many do. */
export function useLive(then: Listener) {
  const latest = useRef(then);
  latest.current = then;
  useEffect(() => {
    let due: ReturnType<typeof setTimeout> | null = null;
    const end = stream.listen(() => {
      due ??= setTimeout(() => {
        due = null;
        latest.current();
      }, 300);
    });
    return () => {
      if (due !== null) clearTimeout(due);
      end();
    };
  }, []);
}

export function useConnected(): boolean {
  const [connected, setConnected] = useState(stream.connected);
  useEffect(() => stream.watch(() => setConnected(stream.connected)), []);
  return connected;
}
