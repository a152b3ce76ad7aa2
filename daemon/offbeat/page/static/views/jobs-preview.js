// What a job that is not there yet would have said of stored readings: POST /jobs/preview.

import { send } from "../lib/api.js";
import { announce, fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { choose, nothing, table, waiting } from "../lib/parts.js";
import { bytes, count, scoreBadge } from "../lib/scores.js";
import { DAY, iso, ms, timeNode } from "../lib/time.js";
import { timeline, withSpan } from "./jobs-timeline.js";
import { about, unlikely, values } from "./jobs-words.js";

const DAYS = [["1", "the last 24 h"], ["7", "the last 7 days"], ["31", "the last 31 days"]];
const UNNAMED = "preview-of-a-new-job";

/**
 * The part of the form that tries a job.
 *
 * draft    where the length is kept; *changed* is called when it is another
 * body     () → the document to try; it may raise
 * wrong    shows why it was refused
 */
export function preview(node, { draft, changed, body, wrong }, context) {
  const { signal } = context;
  const said = h("div", { "aria-live": "polite" });
  let running = null;
  const stop = h("button", { type: "button", hidden: true, onclick: () => running?.abort() }, "Stop");
  const start = h("button", { type: "button", onclick: () => run() }, "Try it");
  fill(node, h("div.row", {}, h("span", {}, "On"), choose("Which readings", DAYS, draft.days, (days) => {
    draft.days = days;
    changed();
  }), start, stop), said);
  fill(said, h("p.about", {}, "Nothing is kept of a preview. It sees numbers and the names of sources; texts of events are not stored."));
  signal.addEventListener("abort", () => running?.abort());

  async function run() {
    const mine = running = new AbortController();
    const end = Date.now();
    const range = { start: end - Number(draft.days) * DAY, end };
    try {
      const document = body();
      start.disabled = true;
      stop.hidden = false;
      fill(said, waiting("Trying it on what is stored"));
      const found = await send("POST", "/jobs/preview", { ...document, id: document.id || UNNAMED, start: iso(range.start), end: iso(range.end) }, mine.signal);
      if (!signal.aborted) show(found, range, document);
    } catch (error) {
      if (signal.aborted) return;
      if (error.name === "AbortError") fill(said, nothing("The preview was stopped."));
      else {
        fill(said, nothing("Not tried: see what is wrong with the job."));
        wrong(error);
      }
    } finally {
      start.disabled = false;
      stop.hidden = true;
    }
  }

  function show(found, range, document) {
    const strip = h("div");
    const rows = found.records;
    const span_s = document.bucket_span_s;
    fill(said,
      document.detectors && !document.sources ? h("p.about", {}, "Tried on all stored events, as if they had been sent to it.") : null,
      h("dl.facts", {}, [
        ["Readings", `${count(found.reading_count)}${found.truncated ? ", the newest: there are more than a preview takes" : ""}`],
        ["Buckets", count(found.bucket_count)], ["Findings", `${count(rows.length)}${rows.length >= 50 ? " or more" : ""}`],
        ["Memory of its models", bytes(found.model_bytes)], ["Took", `${found.took_s.toFixed(1)} s`],
        ["Warming up at its end", `${count(found.warm_up.warming_up)} of ${count(found.warm_up.series_count)} series`],
      ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      strip,
      h("div.row.between", {}, h("h3", {}, "Strongest findings"), h("button", { type: "button", onclick: () => csv(document.id, rows) }, "CSV")),
      table("Findings of the preview", [
        { title: "Score", numeric: true, value: (one) => one.score, cell: (one) => scoreBadge(one.score) },
        { title: "When", value: (one) => one.time ?? one.bucket_start, cell: (one) => timeNode(ms(one.time ?? one.bucket_start)) },
        { title: "What", cell: about },
        { title: "Actual", numeric: true, cell: (one) => values(one.actual) },
        { title: "Typical", numeric: true, cell: (one) => values(one.typical) },
        { title: "How unlikely", cell: unlikely },
      ], rows, { empty: found.reading_count ? "It would have found nothing unusual." : "No stored reading matches: nothing was tried." }));
    const draw = timeline(strip, `${document.id || "preview"}-buckets`, { signal, pick: () => undefined });
    const buckets = found.buckets.map((one) => ({ bucket_span_s: span_s, ...one }));
    const begun = buckets.length ? Math.max(range.start, ms(buckets[0].start)) : range.start;
    draw({ some: false, rows: withSpan(buckets) }, { start: begun, end: range.end }, null);
    announce(`Tried on ${count(found.reading_count)} readings: ${count(rows.length)} findings`);
  }
}

function csv(id, rows) {
  saveCsv(`${id || "preview"}-findings`, ["time", "score", "what", "actual", "typical", "probability"],
    rows.map((one) => [one.time ?? one.bucket_start, one.score, about(one), [one.actual].flat().join(" "), [one.typical].flat().join(" "), one.probability]));
}
