// All sources, a page at a time: when each last spoke, how it is, the worst that was found of it lately.

import { get } from "../lib/api.js";
import { a, announce, fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { choose, heading, nothing, shown, table } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { count, scoreBadge } from "../lib/scores.js";
import { DAY, ago, iso, ms, timeNode } from "../lib/time.js";

const SIZES = ["50", "100", "250", "500"];
const SOON_MS = 1_000;
const EVERY_MS = 10_000;
const WORST_MS = 60_000;
const QUERY_MOST = 5_000; // characters of names in one address: servers take 8 KiB of it
const STATES = {
  live: { sign: "●", word: "live" },
  late: { sign: "○", word: "not live" },
  silent: { sign: "✕", word: "silent" },
  warming: { sign: "◔", word: "warming up" },
  unknown: { sign: "–", word: "not known" },
};

/** How a source is, of what the diagnosis says of it: one of STATES. */
export function stateOf(diagnosed) {
  if (!diagnosed) return STATES.unknown;
  const states = diagnosed.series.map((one) => one.state);
  if (states.includes("silent")) return STATES.silent;
  if (!diagnosed.live) return STATES.late;
  return states.includes("warming_up") ? STATES.warming : STATES.live;
}

/** The state as a sign and a word. */
export function stateNode(state) {
  return h(`span.state.state-${state.word.split(" ")[0]}`, {}, h("span", { "aria-hidden": "true" }, `${state.sign} `), state.word);
}

/** Fill *main* with the list that the address asks for. */
export function showList(main, context) {
  const { signal, stream } = context;
  let { query } = context;
  let rows = [];
  let known = null; // the worst scores, for which prefix, and when they were asked for
  const to = (changes) => context.go("sources", [], changed(query, changes));
  const pages = () => (query.get("pages") ?? "").split(" ").filter(Boolean); // the cursors that led here
  const size = () => (SIZES.includes(query.get("limit")) ? query.get("limit") : "100");

  const search = h("input", {
    type: "search", value: query.get("prefix") ?? "", placeholder: "Names that begin with …", "aria-label": "Sources that begin with", size: 24,
    autocomplete: "off", spellcheck: "false", oninput: () => {
      clearTimeout(typing);
      typing = setTimeout(() => to({ prefix: search.value, pages: null }), 200);
    },
  });
  let typing = null;
  const about = h("span", { role: "status" });
  const board = h("div");
  fill(main,
    heading("Sources", about, search,
      choose("Rows a page", SIZES.map((one) => [one, `${one} a page`]), size(), (value) => to({ limit: value, pages: null })),
      h("button", { type: "button", onclick: () => csv(rows) }, "CSV")),
    h("div.card.source-list", {}, board));

  const again = shown(board, async () => {
    const asked = query;
    const prefix = asked.get("prefix");
    const found = await get("/sources", { prefix, limit: size(), cursor: pages().at(-1) }, signal);
    const names = found.sources.map((one) => one.source);
    const [diagnosed, worst] = await Promise.all([diagnosis(names, signal), worstNow(prefix)]);
    rows = found.sources.map((one) => ({ ...one, state: stateOf(diagnosed.get(one.source)), worst: worst(one.source) }));
    about.textContent = `${count(rows.length)} ${rows.length === 1 ? "source" : "sources"}${found.next_cursor || pages().length ? " on this page" : ""}`;
    if (!rows.length) {
      return nothing(prefix ? `No source begins with ${prefix}.` : "No source has sent anything yet.",
        prefix ? h("p", {}, "Capital and small letters differ.")
          : h("p", {}, "Send one event: ", h("code", {}, `curl ${location.origin}/api/v1/events -d '{"source": "boiler-1", "temperature": 71.3}'`)));
    }
    return [listed(rows), pager(found.next_cursor)];
  }, signal);

  /** The worst scores: of 10,000 sources they are not asked for at each look, but whenever something was found. */
  async function worstNow(prefix) {
    if (known === null || known.prefix !== prefix || Date.now() - known.at > WORST_MS) {
      known = { prefix, at: Date.now(), worst: await worstOf(prefix, signal) };
    }
    return known.worst;
  }

  function listed(shownRows) {
    return table("Sources", [
      { title: "Source", cell: (row) => a(link("sources", [row.source]), row.source), value: (row) => row.source },
      { title: "State", cell: (row) => stateNode(row.state), value: (row) => row.state.word },
      { title: "Worst, last 24 h", numeric: true, cell: (row) => (row.worst === null ? "–" : row.worst > 0 ? scoreBadge(row.worst) : "quiet"), value: (row) => row.worst },
      { title: "Last event", cell: (row) => timeNode(ms(row.last_event), ago(ms(row.last_event))), value: (row) => row.last_event },
      { title: "Events", numeric: true, cell: (row) => count(row.event_count), value: (row) => row.event_count },
      { title: "Late", numeric: true, cell: (row) => count(row.late_count), value: (row) => row.late_count },
      { title: "Series", numeric: true, cell: (row) => count(row.series_count), value: (row) => row.series_count },
    ], shownRows, {
      sort: sortOf(query, 7),
      sorted: (by) => {
        query = new URLSearchParams(changed(query, { sort: by.join(" ") }));
        context.put(Object.fromEntries(query));
      },
    });
  }

  function pager(next) {
    const before = pages();
    if (!before.length && !next) return null;
    return h("nav.pages", { "aria-label": "Pages" }, h("span", {}, `Page ${before.length + 1}`),
      h("button", { type: "button", disabled: !before.length, onclick: () => to({ pages: before.slice(0, -1).join(" ") }) }, "‹ Previous"),
      h("button", { type: "button", disabled: !next, onclick: () => to({ pages: [...before, next].join(" ") }) }, "Next ›"));
  }

  // Live: what happens to a source on this page shows within a second, the rest when it is next asked for.
  let soon = null;
  const refresh = (document) => {
    if (!rows.some((one) => one.source === document.source)) return;
    known = null;
    soon ??= setTimeout(() => {
      soon = null;
      if (!signal.aborted) again();
    }, SOON_MS / 2);
  };
  stream.on("record", refresh, signal);
  stream.on("bucket", refresh, signal);
  stream.addEventListener("resumed", again, { signal });
  const timer = setInterval(() => document.visibilityState === "visible" && again(), EVERY_MS);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    clearTimeout(soon);
    clearTimeout(typing);
  });
  return (now) => {
    const paged = now.get("pages") !== query.get("pages");
    query = now;
    if (document.activeElement !== search) search.value = query.get("prefix") ?? "";
    again();
    if (paged) announce(`Page ${pages().length + 1}`);
  };
}

function sortOf(query, columns) {
  const [column, way] = (query.get("sort") ?? "").split(" ").map(Number);
  return Number.isInteger(column) && column >= 0 && column < columns && Math.abs(way) === 1 ? [column, way] : null;
}

/** What the diagnosis says of *names*, by name: in as many questions as addresses hold them. */
export async function diagnosis(names, signal) {
  const lots = [[]];
  let letters = 0;
  for (const name of names) {
    letters += encodeURIComponent(name).length + 8;
    if (letters > QUERY_MOST || lots.at(-1).length >= 100) {
      lots.push([]);
      letters = encodeURIComponent(name).length + 8;
    }
    lots.at(-1).push(name);
  }
  const answers = await Promise.all(lots.filter((lot) => lot.length).map((lot) => get("/diagnosis", { source: lot, limit: lot.length }, signal)));
  return new Map(answers.flatMap((one) => one.sources).map((one) => [one.source, one]));
}

/** The worst score of the last day by name, null of one that is not known. */
async function worstOf(prefix, signal) {
  const now = Date.now();
  const found = await get("/overview", { rows: "source", prefix, bins: 1, limit: 500, start: iso(now - DAY), end: iso(now) }, signal);
  const worst = new Map(found.lanes.map((one) => [one.name, one.worst]));
  // Worst first: where the lanes that came end among the quiet ones, the others are quiet as well.
  const others = found.next_cursor && found.lanes.at(-1)?.worst > 0 ? null : 0;
  return (name) => worst.get(name) ?? others;
}

function csv(rows) {
  saveCsv("sources", ["source", "state", "worst_24h", "last_event", "events", "late", "series"],
    rows.map((row) => [row.source, row.state.word, row.worst, row.last_event, row.event_count, row.late_count, row.series_count]));
}
