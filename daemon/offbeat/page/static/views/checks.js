// The checks: how all of them are now, each one, its history, the data behind an outcome.

import { get } from "../lib/api.js";
import { a, fill, h } from "../lib/dom.js";
import { choose, heading, nothing, section, sentence, shown, table } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { STATUSES, count, statusBadge } from "../lib/scores.js";
import { ago, ms, timeNode } from "../lib/time.js";
import { acknowledgement } from "./checks-acknowledge.js";
import { form } from "./checks-form.js";
import { maintenance } from "./checks-maintenance.js";
import { one } from "./checks-one.js";
import { subject } from "./checks-subject.js";
import { csv, named } from "./checks-words.js";

export function title([id]) {
  return id === undefined ? "Checks" : id === "new" ? "New check" : `Check ${id}`;
}

export function show(main, context) {
  const [id, which] = context.names;
  if (id === undefined) return overview(main, context);
  if (id === "new" || which === "edit") return form(main, context, id === "new" ? null : id);
  return which === undefined ? one(main, context, id) : subject(main, context, id, which);
}

const TABS = [["", "Outcomes"], ["definitions", "Definitions"], ["maintenance", "Maintenance"]];

function overview(main, context) {
  const { query } = context;
  const tab = query.get("tab") ?? "";
  const body = h("div");
  fill(main, heading("Checks", "Plain rules beside the learned models: what you know of your sensors, held to at every reading.",
    h("a.button.primary", { href: link("checks", ["new"]) }, "New check")),
  h("nav.tabs", { "aria-label": "Parts" }, TABS.map(([name, text]) =>
    h("a", { href: link("checks", [], { tab: name }), "aria-current": name === tab ? "page" : null }, text))),
  body);
  if (tab === "definitions") definitions(body, context);
  else if (tab === "maintenance") maintenance(body, context);
  else outcomes(body, context);
}

function outcomes(body, context) {
  const { query, signal, stream, go } = context;
  const to = (changes) => go("checks", [], changed(query, changes));
  const pages = (query.get("pages") ?? "").split(" ").filter(Boolean);
  const tiles = h("div.tiles", { role: "group", "aria-label": "How all checks are" });
  const list = h("div");
  const named = (name, label) => h("input", {
    type: "search", value: query.get(name) ?? "", placeholder: label, "aria-label": label, onchange: (event) => to({ [name]: event.target.value, pages: null }),
  });
  let found = null;
  fill(body, tiles, section("Outcomes, worst first",
    h("div.row.between", {},
      h("div.row", {},
        choose("Status", [["", "every status"], ["RED", "✕ RED"], ["YELLOW", "! YELLOW or worse"], ["GREEN", "✓ GREEN or worse"]],
          query.get("status") ?? "", (value) => to({ status: value, pages: null })),
        named("source", "Source"), named("check", "Check")),
      h("button", { type: "button", onclick: () => found && csv(found.outcomes) }, "CSV")),
    list));
  const again = shown(list, async () => {
    found = await get("/status", { limit: 100, cursor: pages.at(-1), status: query.get("status"), source: query.get("source"), check: query.get("check") }, signal);
    fill(tiles, ["RED", "YELLOW", "GREEN"].map((name) => h(`a.tile.${STATUSES[name].name}`, { href: link("checks", [], { status: name }) },
      h("b", {}, count(found.counts[name])), h("span", {}, `${STATUSES[name].sign} ${name}`))),
    h("div.tile", {}, h("b", {}, count(found.acknowledged)), h("span", {}, "acknowledged")),
    h("div.tile", {}, h("b", {}, count(found.maintenance)), h("span", {}, "in maintenance")));
    if (!found.outcomes.length) {
      const filtered = ["status", "source", "check"].some((name) => query.get(name));
      return nothing(filtered ? "No outcome is like that." : "No check has judged anything yet.",
        filtered ? null : h("p", {}, a(link("checks", ["new"]), "Make the first check"), ", for example that a temperature stays within its limits."));
    }
    return [outcomeTable(found.outcomes, () => again()),
      pages.length || found.next_cursor ? h("nav.pages", { "aria-label": "Pages" },
        h("button", { type: "button", disabled: !pages.length, onclick: () => to({ pages: pages.slice(0, -1).join(" ") }) }, "‹ Worse"),
        h("button", { type: "button", disabled: !found.next_cursor, onclick: () => to({ pages: [...pages, found.next_cursor].join(" ") }) }, "Better ›")) : null];
  }, signal);
  stream.on("status", ({ outcome }) => outcome && again(), signal);
  stream.addEventListener("resumed", again, { signal });
}

function outcomeTable(outcomes, again) {
  return table("Outcomes", [
    { title: "Status", cell: (row) => statusBadge(row.status), value: (row) => row.status },
    { title: "Check", cell: (row) => a(link("checks", [row.check]), row.check), value: (row) => row.check },
    { title: "Of", cell: (row) => a(link("checks", [row.check, String(row.subject)]), named(row)), value: named },
    { title: "What it says", cell: (row) => [sentence(row.message), row.reason === "error" ? h("small", {}, " The check itself failed.") : null] },
    { title: "Since", cell: (row) => timeNode(ms(row.since), ago(ms(row.since))), value: (row) => row.since },
    { title: "Data of", cell: (row) => [timeNode(ms(row.data_time), ago(ms(row.data_time))), row.stale ? h("small", {}, " stale") : null], value: (row) => row.data_time },
    { title: "Acknowledged", cell: (row) => acknowledgement(row, again) },
  ], outcomes);
}

function definitions(body, { signal, stream }) {
  const again = shown(body, async () => {
    const { checks } = await get("/checks", { limit: 1000 }, signal);
    return section("Definitions", table("Checks", [
      { title: "Status", cell: (row) => statusBadge(row.status), value: (row) => row.status ?? "" },
      { title: "Check", cell: (row) => [a(link("checks", [row.id]), row.id), row.enabled ? null : h("small", {}, " switched off")], value: (row) => row.id },
      { title: "Kind", cell: (row) => row.kind, value: (row) => row.kind },
      { title: "What for", cell: (row) => row.description },
      ...["RED", "YELLOW", "GREEN"].map((name) => ({ title: name, numeric: true, cell: (row) => count(row.counts[name]), value: (row) => row.counts[name] })),
    ], checks, { empty: "There is no check yet." }));
  }, signal);
  stream.on("status", ({ outcome }) => outcome && again(), signal);
  stream.addEventListener("resumed", again, { signal });
}
