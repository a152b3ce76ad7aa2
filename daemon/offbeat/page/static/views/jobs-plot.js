// The model plot of a job: of one entity, in which band a value was expected, and what came.

import { get, part } from "../lib/api.js";
import { chart, colour, plain } from "../lib/chart.js";
import { fill, h } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { failed, field, nothing } from "../lib/parts.js";
import { count } from "../lib/scores.js";
import { iso, ms, walls } from "../lib/time.js";
import { entityOf } from "./jobs-fetch.js";
import { about } from "./jobs-words.js";

const POINTS = 2_000;
const ENTITIES = 500;

/** Draws in *node*; gives the function that draws anew, of another entity if it is given one. */
export function modelPlot(node, job, at, range, signal) {
  const select = h("select", { onchange: () => choose(select.value) });
  const plot = h("div.plot");
  const words = h("p.about", { role: "status" });
  const named = new Map();
  let drawn = null;
  let points = [];
  const name = () => `${job.id}-expected`;
  fill(node, h("div.row.between", {}, field("Of", select), h("div.row", {},
    h("button", { type: "button", onclick: () => csv(name(), points) }, "CSV"),
    h("button", { type: "button", onclick: () => points.length && drawn?.savePng(name()) }, "PNG"))), words, plot);

  const choose = (key) => {
    at.put({ plot: key });
    draw();
  };
  const made = () => {
    const x = walls(points.map((one) => ms(one.bucket_start)));
    const line = { shape: "linear", width: 1 };
    return {
      traces: [
        { type: "scatter", mode: "lines", x, y: points.map((one) => one.lower), line: { ...line, width: 0 }, hoverinfo: "skip" },
        { type: "scatter", mode: "lines", x, y: points.map((one) => one.upper), line: { ...line, width: 0 }, fill: "tonexty", fillcolor: colour("--band"), hoverinfo: "skip" },
        { type: "scatter", mode: "lines", x, y: points.map((one) => one.typical), name: "typical", line: { ...line, dash: "dot", color: colour("--series") } },
        { type: "scatter", mode: "lines+markers", x, y: points.map((one) => one.actual), name: "actual", line: { ...line, width: 1.5, color: colour("--series-2") }, marker: { size: 3, color: colour("--series-2") } },
      ],
      layout: { xaxis: { type: "date" }, yaxis: { title: { text: plain(points[0] ? about(points[0]).slice(0, 60) : ""), font: { size: 11 } } } },
    };
  };
  /** Which entities there are: of the newest buckets in the range, and whatever was asked for. */
  const entities = async () => {
    const { start, end } = range();
    const found = await get(`/jobs/${part(job.id)}/results/plot`, { start: iso(start), end: iso(end), order: "-time", limit: ENTITIES }, signal);
    for (const one of found.plot) named.set(JSON.stringify(entityOf(one)), about(one));
  };
  const draw = async () => {
    try {
      await entities();
      const key = at.get("plot") ?? named.keys().next().value;
      if (key === undefined) {
        points = [];
        plot.hidden = true;
        fill(words, nothing("Nothing was kept of this range."));
        return;
      }
      const [detector, measure, by, over, partition] = JSON.parse(key);
      if (!named.has(key)) named.set(key, [measure, by, over, partition].filter(Boolean).join(" of "));
      fill(select, [...named].map(([value, text]) => h("option", { value, selected: value === key }, text)));
      const { start, end } = range();
      const found = await get(`/jobs/${part(job.id)}/results/plot`, {
        start: iso(start), end: iso(end), detector, measure, by, over, partition, order: "-time", limit: POINTS,
      }, signal);
      points = found.plot.toReversed();
      plot.hidden = !points.length;
      fill(words, points.length ? `${count(points.length)} buckets${found.next_cursor ? ", the newest of this range" : ""}; the band holds ${job.model_plot.percentile} % of usual values.` : "Nothing was kept of it in this range.");
      if (!points.length) return;
      if (drawn) await drawn.draw();
      else drawn = await chart(plot, made, "Expected band, typical and actual value of each bucket", signal);
    } catch (error) {
      if (error.name !== "AbortError") fill(words, failed(error, draw));
    }
  };
  draw();
  return (entity) => {
    if (entity) at.put({ plot: JSON.stringify(entity) });
    return draw();
  };
}

function csv(name, points) {
  saveCsv(name, ["bucket_start", "what", "lower", "typical", "upper", "actual"],
    points.map((one) => [one.bucket_start, about(one), one.lower, one.typical, one.upper, one.actual]));
}
