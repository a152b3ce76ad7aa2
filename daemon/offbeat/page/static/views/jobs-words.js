// What jobs ask and what state they are in, in words; and what can be done to one.

import { send, part } from "../lib/api.js";
import { announce, h } from "../lib/dom.js";
import { confirmed, failed } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { classOf, number } from "../lib/scores.js";
import { span } from "../lib/time.js";

const STATES = {
  open: ["follows", "●", "on"], running: ["running", "●", "on"], closed: ["closed", "○", "off"], closing: ["closing", "◌", "busy"],
  pausing: ["pausing", "◌", "busy"], paused: ["paused", "‖", "off"], failed: ["failed", "✕", "bad"],
};

/** Whether *job* asks questions of buckets, rather than to follow series. */
export function hasDetectors(job) {
  return Array.isArray(job.detectors);
}

/** Whether *job* gets its records from events, rather than sent to it. */
export function listens(job) {
  return !hasDetectors(job) || job.sources?.length > 0 || job.fields?.length > 0;
}

/** Where the view of a job is. */
export function jobLink(id, tab = "results", query = {}) {
  return link("jobs", [id, tab], query);
}

export function stateBadge(state) {
  const [word, sign, name] = STATES[state] ?? [state, "–", "off"];
  return h(`span.badge.state-${name}`, {}, h("span", { "aria-hidden": "true" }, `${sign} `), word);
}

/** mean took by shop partition region */
export function detectorWords(detector) {
  return [detector.function, detector.field, ...["by", "over", "partition"].flatMap((name) => (detector[name] ? [name, detector[name]] : []))]
    .filter(Boolean).join(" ");
}

/** What a job asks, in a line. */
export function asks(job) {
  if (hasDetectors(job)) return job.detectors.map(detectorWords).join("; ");
  const every = (patterns) => patterns.length === 1 && patterns[0] === "*";
  const of = [
    every(job.fields) ? "each numeric field" : `fields ${job.fields.join(", ")}`,
    every(job.sources) ? "of every source" : `of sources ${job.sources.join(", ")}`,
  ];
  return `Is each reading usual for its series? ${of.join(" ")}, by ${job.model}`;
}

/** A time of so many seconds in words: 5 min. */
export function seconds(value) {
  return span(value * 1000);
}

/** What a record is about: mean responsetime of AAL, in partition x. */
export function about(record) {
  if (record.source !== undefined) return `${record.field} of ${record.source}`;
  const what = [record.measure || record.function, record.field].filter(Boolean).join(" ");
  const of = ["by", "over", "partition"].map((name) => record[name]).filter(Boolean).map((one) => `${one.field} ${one.value === "" ? "(none)" : one.value}`);
  return of.length ? `${what} of ${of.join(", ")}` : what;
}

/** One number, two of a position, or none. */
export function values(given) {
  const some = Array.isArray(given) ? given : [given];
  return some.every((one) => one === null || one === undefined) ? "–" : some.map((one) => number(one)).join(", ");
}

/** A probability as people say it: one in 1,200. */
export function oneIn(probability) {
  if (probability === null || probability === undefined) return "–";
  if (probability === 0) return "less than can be told";
  if (probability >= 0.5) return "usual";
  const times = 1 / probability;
  return times < 1e7 ? `one in ${number(Math.round(times), 2)}` : `one in 10^${Math.round(Math.log10(times))}`;
}

/** How unlikely a finding was, in words; one without a probability is told by its bits. */
export function unlikely(record) {
  if (record.probability !== null) return oneIn(record.probability);
  return record.explain ? oneIn(2 ** -record.explain.bits) : `novelty ${number(record.novelty, 3)}`;
}

/** 83, critical: for charts and files. */
export function scored(score) {
  return `${Math.round(score)}, ${classOf(score).word}`;
}

const DONE = { close: "closed", pause: "paused", resume: "going on", flush: "up to date" };

/** What can be done to *job* now, as buttons; *done* is called afterwards, *gone* once it is deleted, *wrong* with a node to show. */
export function actions(job, { done, gone, wrong }) {
  const act = (what) => async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    try {
      await send("POST", `/jobs/${part(job.id)}/${what}`);
      announce(`Job ${job.id} is ${DONE[what]}`);
      wrong(null);
      await done();
    } catch (error) {
      wrong(failed(error));
      await done();
    } finally {
      button.disabled = false;
    }
  };
  const remove = async () => {
    if (!await confirmed(`Delete job ${job.id}, with all that it learned and found? This cannot be undone.`, "Delete the job")) return;
    try {
      await send("DELETE", `/jobs/${part(job.id)}`);
      announce(`Job ${job.id} is deleted`);
      gone();
    } catch (error) {
      wrong(failed(error));
    }
  };
  const button = (what, text) => h("button", { type: "button", onclick: act(what), "aria-label": `${text} job ${job.id}` }, text);
  return [
    ...(hasDetectors(job) ? [
      ["running"].includes(job.state) ? button("pause", "Pause") : null,
      ["paused"].includes(job.state) ? button("resume", "Resume") : null,
      ["running", "failed"].includes(job.state) ? button("close", "Close") : null,
    ] : []),
    job.id === "watch" ? null : h("button.danger", { type: "button", onclick: remove, "aria-label": `Delete job ${job.id}` }, "Delete"),
  ];
}
