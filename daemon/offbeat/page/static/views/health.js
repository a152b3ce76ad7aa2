// Is the daemon itself well: what comes in, what waits, what was refused and why, what is near its limit.

import { get } from "../lib/api.js";
import { chart, colour } from "../lib/chart.js";
import { a, fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { choose, heading, nothing, section, sentence, shown, table } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { bytes, count, number } from "../lib/scores.js";
import { ago, iso, ms, span, timeNode, walls } from "../lib/time.js";

const EVERY_MS = 10_000;

export function title() {
  return "Health";
}

export function show(main, context) {
  const { signal, stream } = context;
  const says = h("ul.says");
  const tiles = h("div.tiles", { role: "group", "aria-label": "How it is now" });
  const flow = h("div.plot");
  const queue = h("div.plot");
  const facts = h("div");
  const limits = h("div");
  const rejected = h("div");
  const sources = h("div");
  let health = null;
  let drawn = null;

  const png = (which, name) => h("button", { type: "button", onclick: () => drawn?.[which]?.savePng(name) }, "PNG");
  fill(main,
    heading("Health", "How the daemon itself is: what comes in, what waits, what was refused and why, what is near its limit."),
    section("What to know", says), tiles,
    h("div.grid.charts", {},
      section("Events a second, the last hour", flow, h("div.row", {},
        h("button", { type: "button", onclick: () => health && csv(health) }, "CSV"), png(0, "events-a-second"))),
      section("What waits, the last hour", queue, png(1, "what-waits"))),
    h("div.grid", {}, section("Limits", limits), section("Storage and retention", facts)),
    section("Rejected lines", rejected),
    section("Sources", sources));

  const again = shown(tiles, async () => {
    health = await get("/health", {}, signal);
    fill(says, health.says.map((one) => h("li", {}, sentence(one))));
    fill(limits, limitTable(health));
    fill(facts, storage(health));
    if (!drawn) {
      drawn = [];
      draw(flow, queue, () => health, signal).then((charts) => { drawn = charts; });
    } else drawn.forEach((one) => one?.draw());
    return tileNodes(health);
  }, signal);
  const rejects = rejectedPart(rejected, context);
  const diagnosed = sourcesPart(sources, context);
  const timer = setInterval(() => document.visibilityState === "visible" && again(), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer));
  for (const event of ["resumed"]) {
    stream.addEventListener(event, () => {
      again();
      rejects();
      diagnosed();
    }, { signal });
  }
  stream.on("status", again, signal);
}

function tileNodes(health) {
  const { rates, queue, lag } = health;
  const tile = (value, words, kind = "") => h(`div.tile${kind && `.${kind}`}`, {}, h("b", {}, value), h("span", {}, words));
  const behind = lag.journal_sequence - lag.applied_sequence;
  return [
    tile(health.ready ? "✓ yes" : "✕ no", health.ready ? "takes events" : sentence(health.reason ?? ""), health.ready ? "green" : "red"),
    tile(number(rates.events_per_s_1m, 3), "events a second"),
    tile(number(rates.rejected_per_s_5m, 3), "lines rejected a second", rates.rejected_per_s_5m > 0 ? "yellow" : ""),
    tile(number(rates.late_per_s_5m, 3), "late events a second"),
    tile(`${Math.round((100 * queue.pending_bytes) / queue.limit_bytes)} %`, "of the queue used", queue.full_reason ? "red" : ""),
    tile(count(behind), "entries not yet scored", behind > 1000 ? "yellow" : ""),
    tile(count(health.warming_up), "series warm up"),
    tile(count(health.silent), "sources silent"),
    tile(number(rates.findings_per_h, 3), "findings an hour"),
    tile(span(health.uptime_s * 1000), "since the start"),
  ];
}

async function draw(flow, queue, health, signal) {
  const line = (name, key, of, at, extra = {}) => {
    const { history } = health();
    return { type: "scatter", mode: "lines", name, x: walls(history.time), y: of(history[key]), line: { color: colour(at), width: 1.6 }, ...extra };
  };
  const same = (values) => values;
  const shared = (rest) => ({ showlegend: true, legend: { orientation: "h", y: 1.14 }, xaxis: { type: "date" }, margin: { l: 56, r: 56, t: 26, b: 32 }, ...rest });
  return Promise.all([
    chart(flow, () => ({
      traces: [
        line("accepted", "events_per_s", same, "--series"),
        line("rejected", "rejected_per_s", same, "--red", { line: { color: colour("--red"), dash: "dash" } }),
        line("late", "late_per_s", same, "--series-2", { line: { color: colour("--series-2"), dash: "dot" } }),
      ],
      layout: shared({ yaxis: { rangemode: "tozero", title: { text: "a second" } } }),
    }), "Events accepted, rejected and late, each second of the last hour", signal),
    chart(queue, () => ({
      traces: [
        line("bytes in the queue", "pending_bytes", same, "--series"),
        line("entries not yet scored", "lag", same, "--series-2", { yaxis: "y2", line: { color: colour("--series-2"), dash: "dash" } }),
      ],
      layout: shared({
        yaxis: { rangemode: "tozero", title: { text: "bytes" } },
        yaxis2: { rangemode: "tozero", overlaying: "y", side: "right", title: { text: "entries" }, showgrid: false },
      }),
    }), "Bytes that wait in the queue and journal entries that are not yet scored, the last hour", signal),
  ]);
}

function csv({ history }) {
  const names = ["events_per_s", "rejected_per_s", "late_per_s", "pending_bytes", "lag", "store_bytes"];
  saveCsv("health", ["time", ...names], history.time.map((time, at) => [iso(time), ...names.map((name) => history[name][at])]));
}

function meter(share, text) {
  return h(`div.meter${share >= 0.8 ? ".high" : ""}`, { role: "img", "aria-label": text }, h("i", { style: { width: `${Math.min(100, 100 * share)}%` } }));
}

function limitTable(health) {
  const rows = health.limits.map((one) => ({ ...one, share: one.limit ? one.used / one.limit : 0 }));
  const shownAs = (name, value) => (name.includes("bytes") ? bytes(value) : count(value));
  return table("Limits", [
    { title: "Setting", cell: (one) => h("code", {}, one.name), value: (one) => one.name },
    { title: "Used", numeric: true, cell: (one) => shownAs(one.name, one.used), value: (one) => one.used },
    { title: "Limit", numeric: true, cell: (one) => (one.limit ? shownAs(one.name, one.limit) : "none"), value: (one) => one.limit },
    {
      title: "Share", value: (one) => one.share,
      cell: (one) => (one.limit ? h("div.row", {}, meter(one.share, `${one.name}: ${Math.round(100 * one.share)} % used`),
        `${one.share >= 0.8 ? "! " : ""}${number(100 * one.share, 2)} %`) : "–"),
    },
  ], rows, { sort: [3, -1] });
}

function storage(health) {
  const { store } = health;
  const value = (name, one) => (one === null || one === 0 ? "no limit" : name.includes("bytes") ? bytes(one) : name.endsWith("_days") ? `${number(one)} days` : String(one));
  return h("dl.facts", {},
    h("dt", {}, "File"), h("dd", {}, bytes(store.bytes)),
    h("dt", {}, "Free on the disk"), h("dd", {}, bytes(store.free_bytes)),
    store.unwritable_reason ? [h("dt", {}, "Cannot be written"), h("dd", {}, sentence(store.unwritable_reason))] : null,
    Object.entries(store.retention).map(([name, one]) => [h("dt", {}, h("code", {}, name)), h("dd", {}, value(name, one))]),
    h("dt", {}, "Version"), h("dd", {}, health.version),
    h("dt", {}, "Started"), h("dd", {}, timeNode(ms(health.started), ago(ms(health.started)))));
}

function rejectedPart(node, { query, go, signal }) {
  const code = query.get("code");
  return shown(node, async () => {
    const [{ rejected }, samples] = await Promise.all([
      get("/health", {}, signal), get("/quarantine", { code, limit: 20 }, signal),
    ]);
    const codes = Object.entries(rejected);
    if (!codes.length && !samples.rejected.length) return nothing("No line was ever rejected.");
    return [
      h("div.row", {}, h("label", { for: "code" }, "Reason"),
        Object.assign(choose("Reason", [["", "every reason"], ...codes.map(([name, n]) => [name, `${name} (${count(n)})`])], code ?? "",
          (value) => go("health", [], changed(query, { code: value }))), { id: "code" })),
      table("Rejected lines, newest first", [
        { title: "When", cell: (one) => timeNode(ms(one.arrived)) },
        { title: "Form", cell: (one) => one.format },
        { title: "Line", numeric: true, cell: (one) => count(one.line) },
        { title: "Why", cell: (one) => [h("code", {}, one.code), " ", one.reason] },
        { title: "How it began", cell: (one) => h("code", {}, one.start) },
      ], samples.rejected, { empty: "None of these is kept any more." }),
    ];
  }, signal);
}

function sourcesPart(node, { query, go, signal }) {
  const only = query.get("only") ?? "trouble";
  return shown(node, async () => {
    const { sources, next_cursor } = await get("/diagnosis", { limit: 1000 }, signal);
    const warming = (one) => one.series.filter((series) => series.state === "warming_up" || series.state === "no_model").length;
    const silent = (one) => one.series.some((series) => series.state === "silent");
    const rows = only === "all" ? sources : sources.filter((one) => !one.live || one.late_count || warming(one) || silent(one));
    return [
      h("div.row", {}, choose("Which sources", [["trouble", "with something to say"], ["all", "all"]], only, (value) => go("health", [], changed(query, { only: value }))),
        next_cursor ? h("small", {}, `of the first ${count(sources.length)}; `, a(link("sources"), "all of them")) : null),
      table("Sources", [
        { title: "Source", cell: (one) => a(link("sources", [one.source]), one.source), value: (one) => one.source },
        { title: "Last event", cell: (one) => timeNode(ms(one.last_event), ago(ms(one.last_event))), value: (one) => one.last_event },
        { title: "Lag", numeric: true, cell: (one) => span(one.lag_s * 1000), value: (one) => one.lag_s },
        { title: "Events", numeric: true, cell: (one) => count(one.event_count), value: (one) => one.event_count },
        { title: "Late", numeric: true, cell: (one) => count(one.late_count), value: (one) => one.late_count },
        { title: "Warming up", numeric: true, cell: (one) => count(warming(one)), value: warming },
        { title: "It says", cell: (one) => sentence([...new Set(one.series.filter((series) => series.state !== "ready").map((series) => series.says))][0] ?? "ready") },
      ], rows, { empty: "Every source is live, warmed up and in time." }),
    ];
  }, signal);
}
