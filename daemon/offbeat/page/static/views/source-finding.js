// Why a finding is one: what was seen and expected, how unlikely it was, what spoke, what acted, what was like it.

import { ApiError, get, part } from "../lib/api.js";
import { a, fill, h } from "../lib/dom.js";
import { failed, nothing, waiting } from "../lib/parts.js";
import { changed, here, link } from "../lib/route.js";
import { classOf, count, number, scoreBadge } from "../lib/scores.js";
import { HOUR, MINUTE, iso, ms, span, stamp, timeNode, zoned } from "../lib/time.js";
import { feedbackForm } from "./source-feedback.js";
import { similarChart } from "./source-similar.js";

const NEAR_MS = 5 * MINUTE;
const NEAR_MOST = 10;

/**
 * Fill *side* with the finding *id*; the finding, null if there is none of this id.
 *
 * view  {name, source(), range(), signal, to(changes), close()} of the source that is shown
 */
export async function findingPanel(side, id, view) {
  const closing = h("button.small", { type: "button", onclick: view.close }, "Close");
  const head = (title, badge = null) => h("div.row.between", {}, h("h2", { tabindex: "-1" }, badge, title), closing);
  side.onkeydown = (event) => event.key === "Escape" && !["INPUT", "TEXTAREA"].includes(event.target.tagName) && view.close();
  if (!side.hasChildNodes()) fill(side, head("Why"), waiting());
  let record;
  try {
    record = await get(`/records/${part(id)}`, {}, view.signal);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    fill(side, head("Why"), error instanceof ApiError && error.status === 404
      ? nothing("There is no such finding, or it is no longer kept.") : failed(error, () => findingPanel(side, id, view)));
    return null;
  }
  const { explain } = record;
  const similar = h("div");
  const others = h("div");
  fill(side,
    head(` ${classOf(record.score).word} finding`, scoreBadge(record.score)),
    h("p.when", {}, record.field, ", ", timeNode(ms(record.time), stamp(ms(record.time), true)), record.source === view.name ? null : [" of ", a(link("sources", [record.source], { finding: id }), record.source)]),
    h("p.sentence", {}, zoned(explain.sentence)),
    h("p", {}, h("a.button.small", { href: around(record, ms(record.time), view) }, "Show it in the chart")),
    factsOf(record),
    h("h3", {}, "What spoke"), evidence(explain),
    acted(explain),
    h("h3", {}, "The most similar moments"), similar,
    h("h3", {}, "How often"), history(explain.history, record),
    h("h3", {}, "At the same time elsewhere"), others,
    feedbackForm({ title: "Was this wrong?", verdict: "normal", about: { record: id }, weaker: record.score }, view.signal));
  similarMoments(similar, record, view);
  sameTime(others, record, view);
  return record;
}

function factsOf(record) {
  const { explain } = record;
  const bounds = record.lower === null && record.upper === null ? null : `${number(record.lower)} to ${number(record.upper)}`;
  const rare = record.probability === null ? null
    : record.probability * 1e9 < 1 ? "fewer than one reading in a billion" : `one in ${count(Number((1 / record.probability).toPrecision(2)))} readings`;
  const facts = [
    ["Observed", record.actual === null ? "nothing came" : number(record.actual, 7)],
    ["Typical", number(record.typical, 5)],
    ["Expected", bounds ?? "not known"],
    ["Would be normal", explain.normal === null ? (explain.due ? ["a reading by ", timeNode(ms(explain.due))] : "not known") : explain.normal],
    ["How unlikely", [rare ? `${rare}, ` : null, `${number(explain.bits, 3)} bits: as ${coins(explain.bits)} that all fall on one side`]],
    ["Score", `${number(record.score, 3)} of 100, ${classOf(record.score).word}`],
    ["Said by", [`model ${explain.model}, `, a(link("jobs", [record.job]), `job ${record.job}`)]],
  ];
  return h("dl.facts", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function coins(bits) {
  const n = Math.max(1, Math.round(bits));
  return n === 1 ? "one coin" : `${count(n)} coins`;
}

function evidence(explain) {
  return h("ul.evidence", { "aria-label": "What spoke, and its share" }, explain.evidence.filter((one) => one.share >= 0.005).map((one) => h("li", {},
    h("div.row.between", {}, h("strong", {}, one.piece), h("span", {}, `${Math.round(100 * one.share)} %, ${number(one.bits, 3)} bits`)),
    h("div.meter", { "aria-hidden": "true" }, h("i", { style: { width: `${100 * one.share}%` } })),
    h("small", {}, one.meaning))));
}

function acted(explain) {
  if (!explain.acted.length) return null;
  return [h("h3", {}, "What made it weaker or stronger"), h("ul.plain", {}, explain.acted.map((one) => h("li", {},
    one.factor === null ? null : h("strong", {}, `× ${number(one.factor, 3)} `), `${one.name.replaceAll("_", " ")}: ${one.text}`)))];
}

function history(found, record) {
  const { reached } = found;
  return h("p", {}, reached === 1 ? "No other finding of this series that is kept scored as much. "
    : `${count(reached)} findings of this series, this one included, scored as much or more. `,
  "Watched since ", timeNode(ms(found.watched_since)), `, ${count(found.reading_count)} readings; the one before came `,
  found.reading_before ? [timeNode(ms(found.reading_before), stamp(ms(found.reading_before), true)), `, ${span(ms(record.time) - ms(found.reading_before))} before it.`] : "when is no longer kept.");
}

/** The address that shows *time* in the middle of the chart, and this finding beside it. */
function around(record, time, view) {
  const range = view.range();
  const length = Math.min(range.end - range.start, 24 * HOUR);
  return link("sources", [record.source], {
    ...changed(here().query, { last: null, finding: record.id }), start: iso(time - length / 2), end: iso(time + length / 2),
  });
}

async function similarMoments(node, record, view) {
  const known = record.explain.similar.filter((one) => one.time !== null);
  const lost = record.explain.similar.length - known.length;
  if (!record.explain.similar.length) {
    fill(node, h("p.about", {}, "Its model compares no moments."));
    return;
  }
  const plot = h("div");
  fill(node, h("ul.plain", {}, known.map((one, at) => h("li", {},
    a(around(record, ms(one.time), view), stamp(ms(one.time), true)), ` ${count(one.readings_ago)} readings before${at ? "" : ", the nearest"}`))),
  lost ? h("p.about", {}, `${lost === 1 ? "One lies" : `${lost} lie`} further back than readings are kept.`) : null, plot);
  if (record.actual === null || record.source !== view.name) return;
  try {
    await similarChart(plot, record, known.map((one) => ms(one.time)), view);
  } catch (error) {
    if (error.name !== "AbortError") fill(plot, failed(error, () => similarMoments(node, record, view)));
  }
}

async function sameTime(node, record, view) {
  fill(node, waiting());
  try {
    const time = ms(record.time);
    const found = await get("/records", {
      job: record.job, start: iso(time - NEAR_MS), end: iso(time + NEAR_MS), order: "-score", limit: NEAR_MOST + 1, explain: false,
    }, view.signal);
    const others = found.records.filter((one) => one.id !== record.id).slice(0, NEAR_MOST);
    fill(node, others.length ? h("ul.plain", {}, others.map((one) => h("li.row", {}, scoreBadge(one.score),
      a(link("sources", [one.source], { start: here().query.get("start"), end: here().query.get("end"), last: here().query.get("last"), finding: one.id }), `${one.source} ${one.field}`),
      h("span.when", {}, timeNode(ms(one.time), stamp(ms(one.time)))))))
      : h("p.about", {}, `Nothing else was found within ${span(NEAR_MS)} of it.`));
  } catch (error) {
    if (error.name !== "AbortError") fill(node, failed(error, () => sameTime(node, record, view)));
  }
}
