// What a job found: its buckets over time, whom to blame, its findings, one of them in full, what was expected.

import { a, announce, fill, h, refill } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { across, choose, field, nothing, rangeChooser, section, shown, table } from "../lib/parts.js";
import { place } from "../lib/place.js";
import { link } from "../lib/route.js";
import { count, scoreBadge } from "../lib/scores.js";
import { iso, ms, stamp, timeNode } from "../lib/time.js";
import { buckets, entityOf, influencers, keyOf, matches, range, recordOf, records } from "./jobs-fetch.js";
import { modelPlot } from "./jobs-plot.js";
import { detail } from "./jobs-record.js";
import { timeline, withSpan } from "./jobs-timeline.js";
import { about, detectorWords, hasDetectors, unlikely, values } from "./jobs-words.js";

const ROWS = 100;
const LOOKED_AT = 1_000;

/** Fills *body*; gives the function that shows what is new. */
export function results(body, context, asked) {
  const { signal } = context;
  const at = place(context);
  let job = asked;
  const now = () => range(at.query(), job);
  const picked = () => ms(at.get("bucket"));
  const chooser = h("div");
  const strip = h("div");
  const blamed = h("div");
  const rows = h("div");
  const panel = h("div");
  const filters = h("div");
  const expected = h("div");
  let listed = [];

  const choosing = () => fill(chooser, rangeChooser(now(), zoomed));
  const zoomed = (changes) => {
    at.put({ ...changes, bucket: null });
    choosing();
    refresh();
  };
  const draw = timeline(strip, `${job.id}-buckets`, {
    signal, pick: (start) => narrow({ bucket: start === picked() ? null : iso(start) }),
    zoom: (start, end) => zoomed(start === null ? { start: null, end: null, last: null } : { last: null, start: iso(start), end: iso(end) }),
  });
  let drawn = "";
  const stripe = async () => {
    const found = await buckets(job, now(), signal);
    const range_ = now();
    const text = JSON.stringify([found, range_.last ?? range_, picked()]);
    if (text === drawn) return;
    drawn = text;
    await draw({ ...found, rows: withSpan(found.rows) }, range_, picked());
  };
  /** Other findings are to be listed: of one bucket, of one influencer, … */
  const narrow = (changes) => {
    at.put(changes);
    drawFilters();
    stripe();
    listing();
    blaming?.();
  };

  const wanted = () => ({ detector: at.get("detector"), text: at.get("of"), influencer: pair(at.get("influencer")) });
  const listing = shown(rows, async () => {
    const one = picked();
    const within = one === null ? now() : { start: one, end: one + job.bucket_span_s * 1000 };
    const filtered = Object.values(wanted()).some(Boolean);
    const limit = filtered ? LOOKED_AT : Math.min(Number(at.get("rows")) || ROWS, LOOKED_AT);
    const found = await records(job, within, { order: at.get("order") ?? "-score", min: at.get("min"), limit }, signal);
    const fitting = found.rows.filter((record) => matches(record, wanted()));
    const same = JSON.stringify(fitting) === JSON.stringify(listed) && rows.querySelector("table");
    listed = fitting;
    return same ? undefined : recordsTable(fitting, found, filtered, limit);
  }, signal);

  const blaming = hasDetectors(job) && job.influencers.length ? shown(blamed, async () => {
    const one = picked();
    const found = await influencers(job, one === null ? now() : { start: one, end: one + 1 }, signal);
    return ranking(found);
  }, signal) : null;

  const plots = hasDetectors(job) && job.model_plot ? modelPlot(expected, job, at, now, signal) : null;

  /** The finding in full that the address names, if any. */
  const open = async ({ focus = false } = {}) => {
    const key = at.get("record");
    if (!key) {
      fill(panel);
      return;
    }
    const record = await recordOf(job, key, signal);
    if (signal.aborted) return;
    if (!record) {
      fill(panel, nothing("The finding of this address is not there any more."));
      return;
    }
    const { node, heading } = detail(record, {
      close: () => {
        at.push({ record: null });
        fill(panel);
        mark();
        rows.querySelector(`[data-record="${CSS.escape(key)}"]`)?.focus();
      },
      blame: (name, value) => narrow({ influencer: JSON.stringify([name, value]) }),
    });
    fill(panel, node);
    mark();
    if (focus) heading.focus();
    plots?.(entityOf(record));
  };
  const mark = () => rows.querySelectorAll("[data-record]").forEach((one) =>
    one.setAttribute("aria-pressed", String(one.dataset.record === at.get("record"))));

  function recordsTable(fitting, found, filtered, limit) {
    const made = table("Findings", [
      { title: "Score", numeric: true, cell: (record) => [scoreBadge(record.score), record.interim ? h("small", {}, " interim") : null] },
      { title: "When", cell: (record) => timeNode(ms(record.time ?? record.bucket_start)) },
      {
        title: "What", cell: (record) => h("button.plain.what", {
          type: "button", "aria-pressed": String(keyOf(record) === at.get("record")), dataset: { record: keyOf(record) },
          onclick: () => {
            at.push({ record: keyOf(record) });
            open({ focus: true });
          },
        }, about(record)),
      },
      { title: "Actual", numeric: true, cell: (record) => values(record.actual) },
      { title: "Typical", numeric: true, cell: (record) => values(record.typical) },
      { title: "How unlikely", cell: unlikely },
      hasDetectors(job)
        ? { title: "Influencers", cell: (record) => record.influencers.flatMap((one) => one.values.map((value) => `${one.field} ${value}`)).join(", ") || "–" }
        : { title: "Source", cell: (record) => a(link("sources", [record.source], { finding: record.id }), record.source) },
    ], fitting, { empty: "No finding here. Choose a longer range, or a smaller least score." });
    const more = filtered
      ? found.more && h("p.about", {}, `Only the first ${count(limit)} findings of this range were looked at: a shorter range shows the rest.`)
      : found.more && (limit < LOOKED_AT
        ? h("div.pages", {}, h("button", { type: "button", onclick: () => narrow({ rows: limit + ROWS }) }, "More"))
        : h("p.about", {}, `The first ${count(limit)} findings: a shorter range shows the rest.`));
    return [h("p.about", { role: "status" }, `${count(fitting.length)} finding${fitting.length === 1 ? "" : "s"}${found.more ? ", there are more" : ""}`), made, more];
  }

  function ranking(found) {
    if (!found.length) return nothing("Nobody to blame in this range.");
    const chosen = at.get("influencer");
    return h("ol.ranking", {}, found.slice(0, 15).map((one) => h("li", {},
      h("button", {
        type: "button", dataset: { blame: one.key }, "aria-pressed": String(one.key === chosen),
        onclick: () => narrow({ influencer: one.key === chosen ? null : one.key }),
      }, h("span.name", {}, `${one.field} `, h("b", {}, one.value === "" ? "(none)" : one.value)), scoreBadge(one.worst),
      h("small", {}, `${count(one.buckets)} ×`)))));
  }

  function drawFilters() {
    const chip = (name, text, changes) => h("button.chip", { type: "button", onclick: () => narrow(changes), "aria-label": `${name} ${text}: take this filter away` }, `${name} `, h("b", {}, text), h("span", { "aria-hidden": "true" }, " ✕"));
    const by = pair(at.get("influencer"));
    const of = h("input", {
      type: "search", name: "of", value: at.get("of") ?? "", size: 14, onchange: () => narrow({ of: of.value }),
      placeholder: "any",
    });
    refill(filters, h("div.row.filters", {},
      choose("Order", [["-score", "Highest score first"], ["-time", "Newest first"], ["time", "Oldest first"]], at.get("order") ?? "-score", (order) => narrow({ order: order === "-score" ? null : order })),
      choose("Least score", [["", "Any score"], ["25", "Score ≥ 25"], ["50", "Score ≥ 50"], ["75", "Score ≥ 75"]], at.get("min") ?? "", (min) => narrow({ min })),
      hasDetectors(job) && job.detectors.length > 1
        ? choose("Detector", [["", "All detectors"], ...job.detectors.map((one, i) => [String(i), `${i}: ${detectorWords(one)}`])], at.get("detector") ?? "", (detector) => narrow({ detector })) : null,
      across(hasDetectors(job) ? "Of the value" : "Of source or field", of),
      picked() === null ? null : chip("Bucket of", stamp(picked()), { bucket: null }),
      by ? chip(by[0], by[1] || "(none)", { influencer: null }) : null,
      h("button", { type: "button", onclick: () => csv(job, listed) }, "CSV")));
  }

  const refresh = () => Promise.all([stripe(), listing(), blaming?.(), plots?.()]);
  choosing();
  drawFilters();
  fill(body,
    h("div.row.chooser", {}, chooser),
    h(blaming ? "div.results-top" : "div", {},
      section("Buckets", strip), blaming ? section("Whom to blame", blamed) : null),
    section("Findings", filters, panel, rows),
    plots ? section("Expected and actual", expected) : null);
  stripe();
  open();
  let range_ = JSON.stringify(now());
  return (fresh) => {
    job = fresh;
    // A range that ends now moves on; another one stays, and so does what is shown of it.
    const moved = JSON.stringify(now());
    if (moved === range_ && now().last === null && !hasDetectors(job)) return undefined;
    range_ = moved;
    return refresh();
  };
}

function pair(text) {
  try {
    const found = JSON.parse(text ?? "null");
    return Array.isArray(found) && found.length === 2 && found.every((one) => typeof one === "string") ? found : null;
  } catch {
    return null;
  }
}

function csv(job, rows) {
  saveCsv(`${job.id}-findings`, ["time", "score", "normalized", "initial_normalized", "probability", "what", "actual", "typical", "lower", "upper", "influencers", "interim"],
    rows.map((one) => [one.time ?? one.bucket_start, one.score, one.normalized ?? null, one.initial_normalized ?? null, one.probability, about(one),
      [one.actual].flat().join(" "), [one.typical].flat().join(" "), one.lower, one.upper,
      (one.influencers ?? []).flatMap((by) => by.values.map((value) => `${by.field}=${value}`)).join("; "), one.interim ?? ""]));
  announce(`${rows.length} findings saved`);
}
