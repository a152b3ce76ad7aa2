// What a job found, asked in the same way of both kinds of jobs; and what of it can be named in an address.

import { get, part } from "../lib/api.js";
import { rangeOf } from "../lib/parts.js";
import { iso, ms } from "../lib/time.js";
import { hasDetectors } from "./jobs-words.js";

const BUCKETS = 2_000;

/** The range of the view of *job*; without one in the address, of a job with detectors: its newest buckets. */
export function range(query, job, now = Date.now()) {
  const latest = hasDetectors(job) ? ms(job.latest_bucket) : null;
  if (query.get("start") || query.get("last") || latest === null) return rangeOf(query, "7d", now);
  const span = job.bucket_span_s * 1000;
  // A little more than its buckets, so that the first is not at the edge.
  const length = 1.03 * span * Math.max(24, Math.min(job.counts.buckets, BUCKETS));
  return { start: latest + span - length, end: latest + 2 * span, last: null };
}

/** Buckets from *start* to *end*; of very many the highest alone, *some* is true then. In the order of time. */
export async function buckets(job, { start, end }, signal) {
  const many = (end - start) / (job.bucket_span_s * 1000) > BUCKETS;
  const asked = { start: iso(start), end: iso(end), limit: BUCKETS, ...(many ? { order: "-score", min_score: 1 } : {}) };
  const found = hasDetectors(job)
    ? await get(`/jobs/${part(job.id)}/results/buckets`, { ...asked, interim: true }, signal)
    : await get("/buckets", { ...asked, job: job.id, scope: "job" }, signal);
  return {
    some: many,
    rows: found.buckets.map((one) => ({ ...one, at: ms(one.start) })).sort((x, y) => x.at - y.at),
  };
}

/** Records from *start* to *end*, {rows, more}. */
export async function records(job, { start, end }, { order, min, limit }, signal) {
  const asked = { start: iso(start), end: iso(end), order, min_score: min || null, limit };
  const found = hasDetectors(job)
    ? await get(`/jobs/${part(job.id)}/results/records`, { ...asked, interim: true }, signal)
    : await get("/records", { ...asked, job: job.id }, signal);
  return { rows: found.records, more: found.next_cursor !== null };
}

/** The influencers from *start* to *end*, highest first: {field, value, worst, buckets}, of the *limit* strongest rows. */
export async function influencers(job, { start, end }, signal, limit = 1_000) {
  const found = await get(`/jobs/${part(job.id)}/results/influencers`, { start: iso(start), end: iso(end), order: "-score", limit }, signal);
  const each = new Map();
  for (const one of found.influencers) {
    const key = JSON.stringify([one.field, one.value]);
    const sum = each.get(key) ?? { key, field: one.field, value: one.value, worst: 0, total: 0, buckets: 0 };
    sum.worst = Math.max(sum.worst, one.score);
    sum.total += one.score;
    sum.buckets += 1;
    each.set(key, sum);
  }
  return [...each.values()].sort((x, y) => y.worst - x.worst || y.total - x.total);
}

/** The name of a record in an address. */
export function keyOf(record) {
  return record.id ?? JSON.stringify([record.bucket_start, ...entityOf(record)]);
}

/** What a record or a point of the plot is of: detector, measure, and the values of by, over and partition. */
export function entityOf(record) {
  return [record.detector, record.measure, ...["by", "over", "partition"].map((name) => record[name]?.value ?? null)];
}

/** The record of this key, null if it is not there any more. */
export async function recordOf(job, key, signal) {
  try {
    if (!hasDetectors(job)) return await get(`/records/${part(key)}`, {}, signal);
    const start = ms(JSON.parse(key)[0]);
    const { rows } = await records(job, { start, end: start + 1 }, { order: "-score", limit: 1_000 }, signal);
    return rows.find((one) => keyOf(one) === key) ?? null;
  } catch (error) {
    if (error.status === 404 || error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Whether a record is of what the reader filters by. */
export function matches(record, { detector, text, influencer }) {
  if (detector && String(record.detector) !== detector) return false;
  if (text) {
    const words = [record.source, record.field, ...["by", "over", "partition"].map((name) => record[name]?.value)];
    if (!words.some((one) => one?.toLowerCase().includes(text.toLowerCase()))) return false;
  }
  if (!influencer) return true;
  const [field, value] = influencer;
  return (record.influencers ?? []).some((one) => one.field === field && one.values.includes(value));
}
