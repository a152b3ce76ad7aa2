// What people wrote about a source: names and values, to read and to change.

import { part, send } from "../lib/api.js";
import { announce, fill, h } from "../lib/dom.js";
import { failed } from "../lib/parts.js";

/** The metadata of *source*, with a form behind a button. */
export function metadata(source, signal) {
  const node = h("div.metadata");
  let held = source.metadata;
  const read = (focus = false) => {
    const edit = h("button.small", { type: "button", onclick: write }, Object.keys(held).length ? "Edit" : "Add metadata");
    fill(node, Object.keys(held).length ? h("dl.chips", {}, Object.entries(held).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, text(value))))) : null, edit);
    if (focus) edit.focus();
  };

  function write() {
    const rows = h("div");
    const wrong = h("div");
    const add = (name = "", value = "") => {
      const row = h("div.row.pair", {},
        h("input", { value: name, "aria-label": "Name", placeholder: "name", dataset: { was: name } }), h("input", { value: text(value), "aria-label": `Value of ${name || "the new one"}`, placeholder: "value" }),
        h("button.small", { type: "button", "aria-label": `Remove ${name || "this one"}`, onclick: () => {
          row.remove();
          rows.querySelector("input")?.focus();
        } }, "Remove"));
      rows.append(row);
      return row;
    };
    for (const [name, value] of Object.entries(held)) add(name, value);
    if (!Object.keys(held).length) add();
    const form = h("form.card", { "aria-label": "Metadata", onsubmit: save }, rows, wrong, h("div.actions", {},
      h("button", { type: "button", onclick: () => add().querySelector("input").focus() }, "One more"),
      h("button.primary", { type: "submit" }, "Save"), h("button", { type: "button", onclick: () => read(true) }, "Cancel")));
    async function save(event) {
      event.preventDefault();
      const pairs = [...rows.children].map((row) => {
        const [name, value] = row.querySelectorAll("input");
        return [name.value.trim(), meant(value.value, held[name.dataset.was])];
      }).filter(([name]) => name);
      try {
        held = (await send("PATCH", `/sources/${part(source.source)}`, { metadata: Object.fromEntries(pairs) }, signal)).metadata;
        announce("Saved");
        read(true);
      } catch (error) {
        if (error.name !== "AbortError") fill(wrong, failed(error));
      }
    }
    fill(node, form);
    rows.querySelector("input").focus();
  }

  read();
  return node;
}

function text(value) {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What *typed* stands for: as it was if it was not touched, a text where there was one, else a number or whatever JSON says. */
function meant(typed, was) {
  if (was !== undefined && text(was) === typed) return was;
  if (typeof was === "string") return typed;
  try {
    return JSON.parse(typed);
  } catch {
    return typed;
  }
}
