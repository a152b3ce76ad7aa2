// A finding and the moments most like it, laid on one another.

import { chart, colour, plain } from "../lib/chart.js";
import { fill, h } from "../lib/dom.js";
import { nothing } from "../lib/parts.js";
import { MINUTE, ms, span, stamp } from "../lib/time.js";
import { readings } from "./source-data.js";

const BEFORE = 32; // readings: twice what a pattern is compared over
const AFTER = 12;
const POINTS = 200;
const LOOKS = [["--series", "solid", 2.4], ["--series-2", "dash", 1.5], ["--series-3", "dot", 1.5]];

/** Draw in *node* the readings around *record* and around each of *times*, aligned at the moment itself. */
export async function similarChart(node, record, times, view) {
  const { first_event: first, last_event: last, event_count: events } = view.source();
  const step = Math.max(1, (ms(last) - ms(first)) / Math.max(1, events - 1)); // the usual one, of the whole source
  const moments = [ms(record.time), ...times].slice(0, LOOKS.length);
  const found = await Promise.all(moments.map((time) =>
    readings(view.name, [record.field], { start: time - BEFORE * step, end: time + AFTER * step + 1 }, POINTS, view.signal)));
  const lines = found.map((one, at) => ({ time: moments[at], series: one.get(record.field) })).filter((one) => one.series?.times.length > 1);
  if (lines.length < 2) {
    fill(node, nothing("The readings around them are no longer kept."));
    return;
  }
  const [unit, word] = step < 5_000 ? [1000, "s"] : step < 10 * MINUTE ? [MINUTE, "min"] : [60 * MINUTE, "h"];
  const title = (line, at) => (at ? `like it, ${stamp(line.time)}` : "this finding");
  const plot = h("div.plot.similar-plot");
  fill(node, plot, h("p.legend", {}, lines.map((line, at) => h("span.row", {}, h(`i.key.key-${at}`, { "aria-hidden": "true" }), title(line, at)))));
  await chart(plot, () => ({
    traces: lines.map((line, at) => ({
      type: "scatter", mode: "lines", name: plain(title(line, at)), x: line.series.times.map((time) => (time - line.time) / unit), y: line.series.columns.value ?? line.series.columns.mean,
      line: { color: colour(LOOKS[at][0]), dash: LOOKS[at][1], width: LOOKS[at][2] }, hovertemplate: "%{fullData.name}: %{y:.6~g}<extra></extra>",
    })),
    layout: {
      dragmode: false, margin: { l: 44, r: 8, t: 6, b: 34 }, xaxis: { title: { text: `${word} from the moment`, font: { size: 11 } }, fixedrange: true, hoverformat: ".3~g" },
      yaxis: { fixedrange: true, nticks: 5 }, shapes: [{ type: "line", x0: 0, x1: 0, y0: 0, y1: 1, yref: "paper", line: { color: colour("--soft"), width: 1, dash: "dot" } }],
    },
  }), `The ${span(BEFORE * step)} before and ${span(AFTER * step)} after the finding, over ${lines.length - 1} similar ${lines.length === 2 ? "moment" : "moments"}`, view.signal);
}
