// What the server tells by itself: transitions of flags, as server-sent events.
import { useEffect, useRef, useState } from "preact/hooks";

type Listener = () => void;

/** One stream for all pages; it is open while somebody listens. */
class Stream {
  #source: EventSource | null = null;
  #listeners = new Set<Listener>();
  #states = new Set<Listener>();
  connected = true;
  /** When anything was heard last. */
  heardAt = Date.now();

  #set(connected: boolean) {
    if (connected) this.heardAt = Date.now();
    if (this.connected === connected) return;
    this.connected = connected;
    for (const tell of this.#states) tell();
    // What came meanwhile is told by the stream where it can be; what is shown may be older than that.
    if (connected) for (const tell of this.#listeners) tell();
  }

  #open() {
    if (this.#source !== null) return;
    const source = new EventSource("/api/v1/flags/stream");
    const heard = () => {
      this.heardAt = Date.now();
      for (const tell of this.#listeners) tell();
    };
    source.onopen = () => this.#set(true);
    source.onerror = () => {
      this.#set(false);
      // The browser asks again by itself, unless the answer was an error of the server.
      if (source.readyState === EventSource.CLOSED) {
        this.#source = null;
        setTimeout(() => this.#listeners.size > 0 && this.#open(), 3000);
      }
    };
    for (const name of ["flag", "reset"]) {
      source.addEventListener(name, heard);
    }
    this.#source = source;
  }

  constructor() {
    // A connection that is cut without a word is told of by nobody but the device.
    addEventListener("offline", () => this.#set(false));
    addEventListener("online", () => {
      if (this.#source === null) return;
      this.close();
      this.#open();
    });
  }

  listen(tell: Listener): () => void {
    this.#listeners.add(tell);
    this.#open();
    return () => {
      this.#listeners.delete(tell);
      if (this.#listeners.size === 0) this.close();
    };
  }

  watch(tell: Listener): () => void {
    this.#states.add(tell);
    return () => this.#states.delete(tell);
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }
}

export const stream = new Stream();

/** Calls `then` when a flag changed, at most once a second however many do. */
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
