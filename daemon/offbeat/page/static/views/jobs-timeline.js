// The buckets of a job over time: bars that can be clicked, and the worst of them as buttons.

import { chart, colour, plain } from "../lib/chart.js";
import { fill, h, refill } from "../lib/dom.js";
import { saveCsv } from "../lib/download.js";
import { failed, nothing } from "../lib/parts.js";
import { classOf, count, scoreBadge } from "../lib/scores.js";
import { fromWall, iso, moment, ms, stamp, wall, walls } from "../lib/time.js";
import { scored, seconds } from "./jobs-words.js";

const WORST = 8;
const BARS = 500;

/**
 * The timeline of buckets in *node*: *shows({rows, some}, range, picked)* draws it anew.
 *
 * pick(bucket start in ms)  the reader chose a bucket
 * zoom(start, end)          the reader chose a part of the time
 */
export function timeline(node, name, { pick, zoom = null, signal }) {
  const plot = h("div.plot.strip", { role: "img", "aria-busy": "true", "aria-label": "Score of each bucket" });
  const words = h("p.about");
  const worst = h("div.worst", { role: "group", "aria-label": "The worst buckets" });
  let [drawn, found, range, picked] = [null, null, null, null];
  const save = (how) => () => found?.rows.length && how();
  const png = h("button", { type: "button", onclick: save(() => drawn?.savePng(name)) }, "PNG");
  const csv = h("button", {
    type: "button",
    onclick: save(() => saveCsv(name, ["start", "bucket_span_s", "event_count", "record_count", "score", "interim"],
      found.rows.map((one) => [one.start, one.bucket_span_s ?? "", one.event_count ?? "", one.record_count ?? "", one.score, one.interim ?? ""]))),
  }, "CSV");
  fill(node, h("div.row.between", {}, words, h("div.row", {}, csv, png)), plot, worst);

  const made = () => {
    const { rows } = found;
    const width = Math.max((rows[0]?.span ?? 0), (range.end - range.start) / BARS);
    return {
      traces: [{
        type: "bar", x: walls(rows.map((one) => one.at + (one.span ?? 0) / 2)), y: rows.map((one) => Math.max(one.score, 1.5)),
        width: rows.map(() => width), customdata: rows.map((one) => one.at),
        marker: {
          color: rows.map((one) => colour(`--score-${classOf(one.score).name}`)),
          line: { width: rows.map((one) => (one.at === picked ? 2 : 0)), color: colour("--ink") },
        },
        text: rows.map((one) => plain(`${stamp(one.at)}: ${scored(one.score)}`)), textposition: "none", hovertemplate: "%{text}<extra></extra>",
      }],
      layout: {
        hovermode: "closest", bargap: 0, margin: { l: 36, r: 8, t: 6, b: 28 },
        xaxis: { type: "date", range: [wall(range.start), wall(range.end)] },
        yaxis: { range: [0, 104], fixedrange: true, tickvals: [0, 25, 50, 75, 100] },
      },
    };
  };
  const draw = async () => {
    if (drawn) return drawn.draw();
    drawn = await chart(plot, made, "Score of each bucket over time", signal);
    plot.on("plotly_click", ({ points }) => pick(points[0].customdata));
    if (zoom) {
      plot.on("plotly_relayout", (changed) => {
        const [start, end] = [changed["xaxis.range[0]"], changed["xaxis.range[1]"]].map((one) => (one ? fromWall(one) : NaN));
        if (start < end) zoom(start, end);
      });
      plot.on("plotly_doubleclick", () => zoom(null, null));
    }
    return drawn;
  };

  return async (buckets, within, chosen) => {
    [found, range, picked] = [buckets, within, chosen];
    plot.hidden = !found.rows.length;
    plot.removeAttribute("aria-busy");
    if (!found.rows.length) {
      fill(words, "");
      fill(worst, nothing("No bucket in this range."));
      return;
    }
    const odd = found.rows.filter((one) => one.score >= 1);
    fill(words, found.some ? `The ${count(found.rows.length)} highest buckets of this range; quiet ones are not shown.`
      : `${count(found.rows.length)} buckets${found.rows[0].span ? ` of ${seconds(found.rows[0].span / 1000)}` : ""}, ${count(odd.length)} of them unusual.`);
    refill(worst, odd.length ? h("span", {}, "Worst: ") : null, [...odd].sort((x, y) => y.score - x.score).slice(0, WORST).map((one) =>
      h("button", { type: "button", "aria-pressed": String(one.at === picked), dataset: { bucket: iso(one.at) }, onclick: () => pick(one.at) },
        scoreBadge(one.score), ` ${moment(one.at)}`)));
    plot.setAttribute("aria-label", `Score of each bucket from ${stamp(range.start)} to ${stamp(range.end)}; the worst are listed below`);
    plot.setAttribute("aria-busy", "true");
    try {
      await draw();
    } catch (error) {
      fill(plot, failed(error));
    } finally {
      plot.removeAttribute("aria-busy");
    }
  };
}

/** Buckets as the API has them, with what the timeline needs. */
export function withSpan(rows) {
  return rows.map((one) => ({ ...one, at: one.at ?? ms(one.start), span: (one.bucket_span_s ?? 0) * 1000 }));
}
