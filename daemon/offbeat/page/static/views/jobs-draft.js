// A job that is being written: how the form holds it, and the document that it stands for. Nothing of the screen.

import { hasDetectors } from "./jobs-words.js";
import { specOf } from "./jobs-about.js";

const KEPT = "offbeat.job-draft";
/** What the form has inputs for; the rest of a job's document is under "advanced". */
const SIMPLE = new Set(["id", "description", "function", "sources", "fields", "bucket_span_s", "latency_s", "detectors", "influencers", "model", "parameters"]);
const OF_DETECTOR = ["function", "field", "by", "over", "partition"];
/** What is so unless it is said, and so is not said. */
const USUAL = {
  categorization_filters: "[]", categorization_examples: "4", memory_max_mb: "0", renormalization_days: "-1", overlapping_buckets: "false",
  finalization_spans: "2", peer_groups: "[]",
};

export function emptyDetector() {
  return { function: "mean", field: "", by: "", over: "", partition: "", rest: {} };
}

/** A new draft: questions of buckets, of events. */
export function emptyDraft() {
  return {
    kind: "detectors", id: "", description: "", events: true, sources: "*", fields: "*", bucket_span_s: "300", latency_s: "0",
    detectors: [emptyDetector()], influencers: "", model: "rhythm", parameters: "", advanced: "", days: "7",
  };
}

/** A draft of a job like *job*, under another name. */
export function draftOf(job) {
  const spec = specOf(job);
  const rest = Object.fromEntries(Object.entries(spec).filter(([name, value]) => !SIMPLE.has(name) && JSON.stringify(value) !== USUAL[name]));
  return {
    ...emptyDraft(),
    kind: hasDetectors(job) ? "detectors" : "value",
    id: `${job.id}-2`.slice(-64), description: job.description,
    events: !hasDetectors(job) || job.sources.length + job.fields.length > 0,
    sources: patterns(job.sources).join("\n"), fields: patterns(job.fields).join("\n"),
    bucket_span_s: String(job.bucket_span_s), latency_s: String(job.latency_s),
    detectors: (job.detectors ?? [emptyDetector()]).map((one) => ({
      ...Object.fromEntries(OF_DETECTOR.map((name) => [name, one[name] ?? ""])),
      // What has no input of its own is kept as it is: rules, use_null, …
      rest: Object.fromEntries(Object.entries(one).filter(([name, value]) => !OF_DETECTOR.includes(name) && value && value !== "none" && value.length !== 0)),
    })),
    influencers: (job.influencers ?? []).join("\n"),
    model: job.model ?? "rhythm", parameters: job.parameters && Object.keys(job.parameters).length ? JSON.stringify(job.parameters) : "",
    advanced: Object.keys(rest).length ? JSON.stringify(rest, null, 2) : "",
  };
}

function patterns(given) {
  return given.length ? given : ["*"];
}

/** The entries of a text, one a line. */
export function lines(text) {
  return text.split("\n").map((one) => one.trim()).filter(Boolean);
}

/** What cannot be sent: the place and the reason. */
export class Unfit extends Error {
  constructor(field, message) {
    super(message);
    this.where = { field };
  }
}

/** The document of a draft. Raises Unfit where it is none. */
export function documentOf(draft) {
  const advanced = object("advanced", draft.advanced);
  const shared = {
    id: draft.id.trim(), description: draft.description, bucket_span_s: whole("bucket_span_s", draft.bucket_span_s), latency_s: whole("latency_s", draft.latency_s),
  };
  if (draft.kind === "value") {
    const parameters = object("parameters", draft.parameters);
    return { ...shared, function: "value", sources: patterns(lines(draft.sources)), fields: patterns(lines(draft.fields)), model: draft.model.trim(), parameters, ...advanced };
  }
  return {
    ...shared,
    ...(draft.events ? { sources: patterns(lines(draft.sources)), fields: patterns(lines(draft.fields)) } : {}),
    detectors: draft.detectors.map((one) => ({ ...one.rest, ...Object.fromEntries(OF_DETECTOR.filter((name) => one[name].trim()).map((name) => [name, one[name].trim()])) })),
    influencers: lines(draft.influencers),
    ...advanced,
  };
}

function whole(field, text) {
  if (!/^\d+$/.test(text.trim())) throw new Unfit(field, "expected a whole number of seconds");
  return Number(text);
}

function object(field, text) {
  if (!text.trim()) return {};
  let found;
  try {
    found = JSON.parse(text);
  } catch (error) {
    throw new Unfit(field, `this is no JSON: ${error.message}`);
  }
  if (found === null || typeof found !== "object" || Array.isArray(found)) throw new Unfit(field, 'expected an object, {"…": …}');
  return found;
}

/** The draft that this tab kept under *name*, if it did. */
export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(`${KEPT}:${name}`));
  } catch {
    return null;
  }
}

/** Keep *draft* for this tab; null: forget it. */
export function keep(name, draft) {
  try {
    if (draft === null) sessionStorage.removeItem(`${KEPT}:${name}`);
    else sessionStorage.setItem(`${KEPT}:${name}`, JSON.stringify(draft));
  } catch { /* it does not survive a reload, then */ }
}
