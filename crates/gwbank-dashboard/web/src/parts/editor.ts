// The editor of SQL statements. It lives in a shadow root, because only there it can bring its styles without an inline style
// sheet, which the server's policy forbids.
import { autocompletion, completionKeymap, type Completion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { PostgreSQL, sql, type SQLNamespace } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState } from "@codemirror/state";
import { tags } from "@lezer/highlight";
import { drawSelection, EditorView, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";

export interface Names {
  tables: Record<string, string[]>;
  functions: { name: string; detail: string }[];
}

export interface Editor {
  text: () => string;
  set: (text: string) => void;
  names: (names: Names) => void;
  /** Puts the cursor at a place, each from 1, such as that of an error. */
  show: (line: number, column: number) => void;
  label: (text: string) => void;
  focus: () => void;
  destroy: () => void;
}

function language({ tables, functions }: Names) {
  const schema: SQLNamespace = tables;
  const options: Completion[] = functions.map(({ name, detail }) => ({ label: name, detail, type: "function" }));
  const complete = PostgreSQL.language.data.of({
    autocomplete: (context: import("@codemirror/autocomplete").CompletionContext) => {
      const before = context.matchBefore(/\w+/);
      if (before === null && !context.explicit) return null;
      return { from: before?.from ?? context.pos, options, validFor: /^\w*$/ };
    },
  });
  return [sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true }), complete];
}

/** In the page's colours, which are of the day or of the night. */
const inks = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--accent)", fontWeight: "bold" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--ground)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--bad)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--water)" },
]);

const look = EditorView.theme({
  "&": { fontSize: "0.95rem", color: "var(--ink)", backgroundColor: "var(--field)", border: "1px solid var(--line)", borderRadius: "0.3rem" },
  "&.cm-focused": { outline: "2px solid var(--accent)" },
  ".cm-content": { fontFamily: "ui-monospace, monospace", minHeight: "8rem", caretColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--quiet)", border: "none" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-selectionBackground, &.cm-focused .cm-selectionBackground": { backgroundColor: "var(--band-edge) !important" },
  ".cm-tooltip": { backgroundColor: "var(--field)", color: "var(--ink)", border: "1px solid var(--line)" },
});

/**
 * What is typed over a selection. Left to itself, Chromium wraps it in a `span` that keeps the look of what was there by an inline
 * style, which the server's policy blocks and the console tells of.
 */
const typedOver = EditorView.domEventHandlers({
  beforeinput: (event, view) => {
    if (event.inputType !== "insertText" || event.data === null || view.composing || view.state.selection.main.empty) return false;
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

export function makeEditor(host: HTMLElement, text: string, label: string, run: () => void): Editor {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const known = new Compartment();
  const named = new Compartment();
  const attributes = (text: string) => EditorView.contentAttributes.of({ "aria-label": text });
  const runKey = { key: "Mod-Enter", run: () => (run(), true) };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: text,
      extensions: [
        keymap.of([runKey, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
        // Tab leaves the editor unless something can be completed: nobody may be caught in it.
        keymap.of([{ ...indentWithTab, key: "Mod-]" }]),
        lineNumbers(),
        highlightSpecialChars(),
        history(),
        drawSelection(),
        bracketMatching(),
        autocompletion(),
        syntaxHighlighting(inks),
        known.of(language({ tables: {}, functions: [] })),
        named.of(attributes(label)),
        EditorView.lineWrapping,
        typedOver,
        look,
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    set: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    names: (names) => view.dispatch({ effects: known.reconfigure(language(names)) }),
    show: (line, column) => {
      const doc = view.state.doc;
      const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
      view.dispatch({ selection: { anchor: Math.min(at.from + column - 1, at.to) }, scrollIntoView: true });
      view.focus();
    },
    label: (text) => view.dispatch({ effects: named.reconfigure(attributes(text)) }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
