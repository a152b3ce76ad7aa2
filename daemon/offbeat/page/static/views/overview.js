// Is anything wrong now, where, since when? Counts, lanes, the latest findings in words.

import { get } from "../lib/api.js";
import { announce, fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { choose, nothing, rangeChooser, rangeOf, section, shown } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { CLASSES, STATUSES, classOf, count } from "../lib/scores.js";
import { iso, span } from "../lib/time.js";
import { findingItem, findings } from "./overview-findings.js";
import { lanes } from "./overview-lanes.js";

const ROWS = 50;
const SOON_MS = 1_500;
const EVERY_MS = 30_000;

export function title() {
  return "Overview";
}

export function show(main, context) {
  const { query, signal, stream } = context;
  const rows = query.get("rows") === "job" ? "job" : "source";
  const pages = (query.get("pages") ?? "").split(" ").filter(Boolean); // the cursors that led here
  const to = (changes) => context.go("", [], changed(query, changes));
  const room = main.clientWidth - (main.clientWidth > 1100 ? 660 : 160); // beside names and findings
  const bins = Math.max(24, Math.min(96, Math.floor(room / 13)));
  const range = () => rangeOf(query);
  const tiles = h("div.tiles", { "aria-label": "How it is now", role: "group" });
  const answer = h("p.about", { role: "status" }, "…");
  const board = h("div");
  const list = h("ul.findings");
  let overview = null;

  const search = h("input", {
    type: "search", value: query.get("prefix") ?? "", placeholder: "Sources that begin with …", "aria-label": "Sources that begin with",
    onchange: () => to({ prefix: search.value, pages: null }),
  });
  fill(main,
    h("div.heading", {}, h("div", {}, h("h1", {}, "Overview"), answer),
      rangeChooser(range(), (changes) => to({ ...changes, pages: null }))),
    tiles,
    h("div.overview", {},
      section(rows === "job" ? "Jobs over time, worst first" : "Sources over time, worst first",
        h("div.row.between", {}, legend(),
          h("div.row", {}, rows === "source" ? search : null,
            choose("Lanes", [["source", "Sources"], ["job", "Jobs"]], rows, (value) => to({ rows: value, pages: null, prefix: null })),
            h("button", { type: "button", onclick: () => overview && csv(overview) }, "CSV"))),
        board),
      section("Latest findings", list)));

  const again = shown(board, async () => {
    const { start, end, last } = range();
    overview = await get("/overview", {
      rows, bins, limit: ROWS, prefix: query.get("prefix"), cursor: pages.at(-1), start: iso(start), end: iso(end),
    }, signal);
    count_(overview);
    const made = overview.lanes.length
      ? [lanes(overview, rows, { live: last !== null, width: Math.max(200, board.clientWidth - 210) }), pager(overview)]
      : nothing(query.get("prefix") ? "No source begins so." : "No source has sent anything yet.",
        h("p", {}, "Send one event: ", h("code", {}, `curl ${location.origin}/api/v1/events -d '{"source": "boiler-1", "temperature": 71.3}'`)));

    return made;
  }, signal);
  findings(list, rangeOf(query), signal);
  status(tiles, answer, () => overview, signal, stream);

  function count_(found) {
    tiles.dispatchEvent(new CustomEvent("counted", { detail: found }));
  }

  function pager(found) {
    if (!pages.length && !found.next_cursor) return h("p.about", {}, `${count(found.row_count)} in all`);
    const first = pages.length * ROWS + 1;
    return h("nav.pages", { "aria-label": "Pages" },
      h("span", {}, `${count(first)} to ${count(first + found.lanes.length - 1)} of ${count(found.row_count)}`),
      h("button", { type: "button", disabled: !pages.length, onclick: () => to({ pages: pages.slice(0, -1).join(" ") }) }, "‹ Worse"),
      h("button", { type: "button", disabled: !found.next_cursor, onclick: () => to({ pages: [...pages, found.next_cursor].join(" ") }) }, "Better ›"));
  }

  // Live: what is found is told at once, the lanes follow a moment later, and the hours move on by themselves.
  let soon = null;
  const refresh = () => {
    soon ??= setTimeout(() => {
      soon = null;
      if (!signal.aborted) again();
    }, SOON_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(soon));
  stream.on("record", (record) => {
    if (range().last === null) return;
    if (record.score >= 25) {
      list.querySelector(".note")?.remove();
      list.prepend(findingItem(record, true));
      while (list.children.length > 30) list.lastElementChild.remove();
      announce(`New finding: ${record.source ?? record.job}, ${classOf(record.score).word}`);
    }
    refresh();
  }, signal);
  stream.addEventListener("resumed", () => {
    again();
    findings(list, rangeOf(query), signal);
  }, { signal });
  const timer = setInterval(() => range().last !== null && document.visibilityState === "visible" && again(), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
}

function legend() {
  return h("div.legend", { "aria-label": "What the colours mean", role: "group" },
    CLASSES.toReversed().map((one) => h("span.row", {}, h(`span.badge.score-${one.name}`, { "aria-hidden": "true" }, one.sign || "\u00a0"),
      one.from >= 1 ? `${one.word} ≥ ${one.from}` : one.word)),
    h("span.row", {}, h("span.badge.gone", { "aria-hidden": "true" }, "\u00a0"), "no event"));
}

function csv(overview) {
  const starts = overview.lanes[0]?.scores.map((_, at) => iso(Date.parse(overview.start) + at * overview.bin_s * 1000)) ?? [];
  saveCsv("overview", [overview.rows, "worst", ...starts], overview.lanes.map((lane) => [lane.name, lane.worst, ...lane.scores]));
}

/** The tiles, and the answer to the first question in a sentence. */
function status(tiles, answer, overview, signal, stream) {
  let checks = null;
  let said = null;
  const draw = () => {
    const counts = overview()?.counts ?? null;
    const bad = counts ? ["critical", "major"].filter((name) => counts[name]) : [];
    const red = checks?.counts.RED ?? 0;
    const yellow = checks?.counts.YELLOW ?? 0;
    const wrong = [
      red ? `${count(red)} ${red === 1 ? "check is" : "checks are"} RED` : null,
      yellow ? `${count(yellow)} YELLOW` : null,
      ...bad.map((name) => `${count(counts[name])} ${overview().rows}${counts[name] === 1 ? "" : "s"} with ${name} findings`),
    ].filter(Boolean);
    if (counts) {
      const { start, end } = overview();
      answer.textContent = wrong.length
        ? `${wrong.join(", ")} in ${span(Date.parse(end) - Date.parse(start))}.`
        : `Nothing is wrong: no finding of weight in ${span(Date.parse(end) - Date.parse(start))}.`;
    }
    fill(tiles,
      ["RED", "YELLOW", "GREEN"].map((one) => h(`a.tile.${STATUSES[one].name}`, { href: link("checks", [], { status: one }) },
        h("b", {}, checks ? count(checks.counts[one]) : "–"), h("span", {}, `${STATUSES[one].sign} checks ${one}`))),
      counts ? ["critical", "major", "minor"].map((name) => h("div.tile", {}, h("b", {}, count(counts[name])),
        h("span", {}, `${CLASSES.find((one) => one.name === name).sign} ${overview().rows}s ${name}`))) : null,
      said ? h("a.tile", { href: link("health") }, h("b", {}, count(said.silent)), h("span", {}, "sources silent")) : null,
      said ? h("a.tile", { href: link("health") }, h("b", {}, count(Math.round(said.rates.events_per_s_1m))), h("span", {}, "events a second")) : null);
  };
  const load = async () => {
    [checks, said] = await Promise.all([get("/status", { limit: 1 }, signal), get("/health", {}, signal)]);
    if (!signal.aborted) draw();
  };
  tiles.addEventListener("counted", draw, { signal });
  stream.on("status", () => load(), signal);
  stream.addEventListener("resumed", load, { signal });
  const timer = setInterval(load, EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  load();
}
