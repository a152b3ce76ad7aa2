// One source: how it is, a chart for each of its series, what was found of it, and why.

import { ApiError, all, get, part } from "../lib/api.js";
import { a, announce, fill, h, refill } from "../lib/dom.js";
import { choose, failed, heading, nothing, rangeChooser, rangeOf } from "../lib/parts.js";
import { changed, link } from "../lib/route.js";
import { classOf, count } from "../lib/scores.js";
import { HOUR, ago, iso, ms, timeNode } from "../lib/time.js";
import { seriesCard } from "./source-card.js";
import { RECORDS_MOST, feedback, findings, outcomes, readings } from "./source-data.js";
import { onFeedback } from "./source-feedback.js";
import { findingPanel } from "./source-finding.js";
import { stateNode, stateOf } from "./source-list.js";
import { metadata } from "./source-metadata.js";

const CHARTS = 8; // so many to begin with, and so many more at a time
const SOON_MS = 1_000;
const EVERY_MS = 5_000;
const SELDOM_MS = 60_000;
const AROUND = [18 * HOUR, 6 * HOUR]; // what is shown before and after a finding that came without a range

/** Fill *main* with the source that the address names. */
export async function showSource(main, context) {
  const { signal, stream, names: [name] } = context;
  let { query } = context;
  let source;
  try {
    source = await get(`/sources/${part(name)}`, {}, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    fill(main, heading(name), nothing("No source of this name has sent anything.", h("p", {}, a(link("sources"), "All sources"))));
    return undefined;
  }
  const to = (changes) => context.go("sources", [name], changed(query, changes));
  const cards = new Map();
  const zooms = []; // the ranges that were zoomed out of view, the last one last
  let [range, finding, loading, jobs, held] = [null, null, null, [], false];

  const facts = h("div.facts-line", { role: "status" });
  const chooser = h("div");
  const note = h("div");
  const charts = h("div.source-charts");
  const side = h("aside", { "aria-label": "Why", hidden: true });
  const body = h("div.source-body", {}, charts, side);
  fill(main, heading(name, facts), metadata(source, signal), chooser, note, body);

  const most = () => Math.max(CHARTS, Number(query.get("charts")) || 0);
  const fields = () => {
    const wanted = query.get("series");
    const every = source.series.map((one) => one.field).sort();
    return every.filter((one) => !wanted || one.toLowerCase().includes(wanted.toLowerCase()));
  };
  const shownFields = () => {
    const some = fields().slice(0, most());
    return finding?.source === name && !some.includes(finding.field) && source.series.some((one) => one.field === finding.field)
      ? [finding.field, ...some] : some; // what is asked about is always there
  };

  /** What the address asks for; a finding that it names without a range, or outside of the last day, is in the middle. */
  function asked() {
    if (finding && !["start", "end", "last"].some((one) => query.has(one))) {
      const time = ms(finding.time);
      const usual = rangeOf(query);
      if (time < usual.start || time >= usual.end) return { start: time - AROUND[0], end: time + AROUND[1], last: null };
    }
    return rangeOf(query);
  }

  const hooks = {
    zoomed: (start, end) => {
      zooms.push({ start: query.get("start"), end: query.get("end"), last: query.get("last") });
      to({ start: iso(start), end: iso(end), last: null });
    },
    out: () => {
      const length = range.end - range.start;
      to(zooms.pop() ?? { start: iso(range.start - length), end: iso(range.end + length), last: null });
    },
    opened: (id) => to({ finding: id }),
    href: (id) => link("sources", [name], changed(query, { finding: id })),
    tabled: (field) => {
      query = new URLSearchParams(changed(query, { table: field }));
      context.put(Object.fromEntries(query));
    },
    table: () => query.get("table"),
  };

  function drawChooser() {
    const length = range.end - range.start;
    refill(chooser, h("div.row.between.source-tools", {},
      rangeChooser(range, (changes) => {
        zooms.length = 0;
        to(changes);
      }),
      h("div.row", {},
        h("button", { type: "button", onclick: () => hooks.zoomed(range.start + length / 4, range.end - length / 4) }, "Zoom in"),
        h("button", { type: "button", onclick: hooks.out }, "Zoom out"),
        jobs.length > 1 ? choose("Findings of job", jobs.map((one) => [one, `job ${one}`]), query.get("job") ?? "watch", (value) => to({ job: value === "watch" ? null : value })) : null,
        source.series.length > CHARTS ? seriesFilter() : null)));
  }

  function seriesFilter() {
    return h("input", {
      type: "search", value: query.get("series") ?? "", placeholder: "Series with …", "aria-label": "Only series whose name has",
      onchange: (event) => to({ series: event.target.value, charts: null }),
    });
  }

  function layCards() {
    const wanted = shownFields();
    for (const [field, card] of cards) {
      if (wanted.includes(field)) continue;
      card.end();
      cards.delete(field);
    }
    for (const field of wanted) if (!cards.has(field)) cards.set(field, seriesCard(name, field, hooks, signal));
    const left = fields().length - fields().slice(0, most()).length;
    const nodes = wanted.map((field) => cards.get(field).node);
    const tail = [
      wanted.length ? null : nothing(source.series.length ? "No series has this in its name." : "This source has no series: its events held no number."),
      left > 0 ? h("button", { type: "button", onclick: () => to({ charts: most() + CHARTS }) }, `Show ${Math.min(left, CHARTS)} more of ${count(fields().length)} series`) : null,
    ].filter(Boolean);
    if ([...charts.children].some((one, at) => one !== nodes[at]) || tail.length || nodes.length !== charts.children.length) {
      refill(charts, nodes, tail);
    }
  }

  /** Fetch what the charts show, anew; *quiet*: nobody waits for it. */
  async function load({ quiet = false } = {}) {
    if (quiet && loading?.loud) return; // what was asked for comes first
    loading?.abort();
    const mine = new AbortController();
    mine.loud = !quiet;
    loading = mine;
    const until = AbortSignal.any([signal, mine.signal]);
    if (!quiet) charts.setAttribute("aria-busy", "true");
    try {
      const job = query.get("job") ?? "watch";
      range = asked();
      const those = shownFields();
      const width = Math.max(200, (cards.get(those[0])?.node.clientWidth || charts.clientWidth) - 90);
      const [came, found, checked, said] = await Promise.all([
        readings(name, those, range, width, until), findings(name, job, range, until), outcomes(name, range, until), feedback(name, until),
      ]);
      for (const field of those) {
        if (until.aborted || (quiet && held)) return; // who drags in a chart is not drawn away under the hand
        await cards.get(field)?.draw({
          field, range, series: came.get(field) ?? null, records: found.records.filter((one) => one.field === field),
          outcomes: checked.filter((one) => one.columns.some((column) => column.source === name && column.field === field)),
          said: said.filter((one) => one.field === field && one.job === job), chosen: finding?.field === field && finding.source === name ? finding : null,
        });
      }
      fill(note, found.more ? h("p.about", {}, `More was found in this range than can be shown: the ${RECORDS_MOST} strongest are.`) : null);
    } catch (error) {
      if (until.aborted || error.name === "AbortError") return;
      fill(note, failed(error, () => load()));
    } finally {
      if (loading === mine) {
        loading = null;
        charts.removeAttribute("aria-busy");
      }
    }
  }

  /** What the daemon says of the source and of each of its series; and charts anew for new series, *later* for new events. */
  async function loadState({ later = false } = {}) {
    const [now, said] = await Promise.all([get(`/sources/${part(name)}`, {}, signal), get("/diagnosis", { source: name }, signal)]);
    const fresh = now.event_count !== source.event_count;
    const more = now.series.length !== source.series.length;
    source = { ...now, metadata: source.metadata };
    if (more) layCards();
    const [diagnosed] = said.sources;
    fill(facts, stateNode(stateOf(diagnosed)), h("span", {}, `${count(now.event_count)} events`),
      h("span", {}, "the last ", timeNode(ms(now.last_event), ago(ms(now.last_event)))), now.late_count ? h("span", {}, `${count(now.late_count)} late`) : null,
      untold(diagnosed), h("span", {}, "since ", timeNode(ms(now.first_event))));
    const job = query.get("job") ?? "watch";
    for (const [field, card] of cards) {
      card.say(diagnosed?.series.find((one) => one.field === field && one.job === job), now.series.find((one) => one.field === field));
    }
    if (more || (fresh && later)) await load({ quiet: true });
  }

  async function showFinding(focus) {
    const id = query.get("finding");
    if (!id) {
      finding = null;
      side.hidden = true;
      fill(side);
      return;
    }
    side.hidden = false;
    if (finding?.id !== id) {
      finding = await findingPanel(side, id, {
        source: () => source, name, signal, range: () => range ?? rangeOf(query), to, close: () => {
          const was = finding;
          to({ finding: null });
          queueMicrotask(() => (was && cards.get(was.field)?.focus(was.id)) || main.focus());
        },
      });
    }
    if (focus) side.querySelector("h2")?.focus();
  }

  async function follow(now) {
    const before = query;
    query = now;
    try {
      if (before.get("finding") !== now.get("finding")) await showFinding(true);
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    layCards();
    const loaded = load();
    drawChooser();
    await Promise.all([loaded, loadState().catch(() => null)]);
  }

  // Live: a finding shows at once, readings a second later at most, and what has no finding when it is looked for.
  let [soon, busyUntil] = [null, 0];
  const refresh = () => {
    if (rangeOf(query).last === null || soon !== null) return;
    soon = setTimeout(async () => {
      soon = null;
      if (signal.aborted) return;
      busyUntil = Date.now() + SOON_MS;
      await Promise.all([load({ quiet: true }), loadState().catch(() => null)]);
    }, Math.max(50, busyUntil - Date.now()));
  };
  stream.on("record", (record) => {
    if (record.source !== name || record.job !== (query.get("job") ?? "watch") || range === null) return;
    const time = ms(record.time);
    if (time >= range.start && (range.last !== null || time < range.end)) {
      if (!held) cards.get(record.field)?.add(record);
      announce(`New finding in ${record.field}: ${classOf(record.score).word}`);
    }
    refresh();
  }, signal);
  stream.on("bucket", (bucket) => bucket.source === name && refresh(), signal);
  stream.on("status", (status) => status.outcome?.columns.some((column) => column.source === name) && refresh(), signal);
  onFeedback(() => load({ quiet: true }), signal);
  stream.addEventListener("resumed", () => {
    load({ quiet: true });
    loadState().catch(() => null);
  }, { signal });
  const poll = async () => {
    // Over a year a pixel is hours: there is nothing new to see for as long.
    const wait = range ? Math.min(SELDOM_MS, Math.max(EVERY_MS, (range.end - range.start) / 1_000)) : EVERY_MS;
    timer = setTimeout(poll, wait);
    if (document.visibilityState !== "visible") return;
    try {
      await loadState({ later: Boolean(range?.last) });
    } catch { /* the bar above says that the daemon is gone */ }
  };
  let timer = setTimeout(poll, EVERY_MS);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    clearTimeout(soon);
  });

  charts.addEventListener("pointerdown", () => { held = true; });
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, () => {
      if (held) refresh();
      held = false;
    }, { signal, capture: true });
  }

  all("/jobs", "jobs", {}, signal).then((found) => {
    jobs = found.filter((one) => one.function === "value" && !one.detectors).map((one) => one.id);
    if (jobs.length > 1 && range) drawChooser();
  }, () => null); // without other jobs there is nothing to choose
  await showFinding(false);
  if (signal.aborted) return undefined;
  layCards();
  load();
  drawChooser();
  loadState().catch(() => null); // the charts say it if the daemon is gone
  return follow;
}

function untold(diagnosed) {
  const names = { held: "held by an incident", damped: "damped below a record", silence: "silences told once", adjusted: "hidden by feedback" };
  const total = Object.keys(names).map((one) => [one, (diagnosed?.suppressed ?? []).reduce((sum, job) => sum + job[one], 0)]).filter(([, n]) => n);
  return total.length ? h("span", { title: "found, and not told" }, `not told: ${total.map(([one, n]) => `${count(n)} ${names[one]}`).join(", ")}`) : null;
}
