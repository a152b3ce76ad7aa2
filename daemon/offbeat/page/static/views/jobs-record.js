// One finding of a job in full.

import { a, h } from "../lib/dom.js";
import { sentence } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { number, scoreBadge } from "../lib/scores.js";
import { ms, stamp } from "../lib/time.js";
import { about, oneIn, seconds, unlikely, values } from "./jobs-words.js";

const CAUSES = 10;

/** The panel of *record*; *close* is called to put it away, *blame(field, value)* to see what else a value has done. */
export function detail(record, { close, blame }) {
  const time = ms(record.time ?? record.bucket_start);
  const heading = h("h3", { tabindex: "-1" }, scoreBadge(record.score), ` ${about(record)}`);
  const node = h("section.finding", { "aria-label": `Finding: ${about(record)}`, onkeydown: (event) => event.key === "Escape" && close() },
    h("div.row.between", {}, heading, h("button", { type: "button", onclick: close }, "Close")),
    h("p", {}, record.explain?.sentence ?? inWords(record)),
    h("dl.facts", {}, [
      ["When", `${stamp(time, true)}, in the bucket of ${seconds(record.bucket_span_s)}${record.interim ? "; interim: the bucket is still open" : ""}`],
      ["Actual", values(record.actual)],
      ["Typical", values(record.typical)],
      ["Expected", record.lower === null || record.upper === null ? "–" : `${number(record.lower)} to ${number(record.upper)}`],
      ["How unlikely", record.probability === null ? unlikely(record) : `${unlikely(record)} (p = ${number(record.probability, 3)})`],
      ["Score as said", `${record.score.toFixed(1)} of 100`],
      ...(record.normalized === undefined ? [] : [
        ["Within this job", `${record.normalized.toFixed(1)} now, ${record.initial_normalized.toFixed(1)} at first`]]),
    ].flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
    record.influencers?.length ? [h("h4", {}, "Influencers"), h("div.row", {}, record.influencers.flatMap((one) => one.values.map((value) =>
      h("button", { type: "button", onclick: () => blame(one.field, value) }, `${one.field} ${value === "" ? "(none)" : value}`))))] : null,
    record.causes?.length ? [h("h4", {}, "What makes it unusual"), h("ul", {}, record.causes.slice(0, CAUSES).map((one) =>
      h("li", {}, `${one.by ?? "all"}: ${values(one.actual)}, typical ${values(one.typical)}, ${oneIn(one.probability)}`)),
    record.causes.length > CAUSES ? h("li", {}, `and ${record.causes.length - CAUSES} more`) : null)] : null,
    record.explain?.evidence?.length ? [h("h4", {}, "Evidence"), h("ul", {}, record.explain.evidence.map((one) =>
      h("li", {}, `${one.piece}, ${Math.round(100 * one.share)} %: ${one.meaning}`)))] : null,
    record.source === undefined ? null : h("p", {}, a(link("sources", [record.source], { finding: record.id }), "See it in its series, and why")));
  return { node, heading };
}

function inWords(record) {
  const [actual, typical] = [values(record.actual), values(record.typical)];
  return sentence(`${about(record)} was ${actual}${typical === "–" ? "" : `, typical is ${typical}`}: ${oneIn(record.probability)} buckets`);
}
