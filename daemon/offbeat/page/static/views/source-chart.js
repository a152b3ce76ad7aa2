// The chart of one series: what came, what was expected, what was found, what checks said.

import { chart, colour, plain } from "../lib/chart.js";
import { CLASSES, STATUSES, classOf, number } from "../lib/scores.js";
import { fromWall, ms, wall, walls } from "../lib/time.js";
import { about, pieces, seen } from "./source-data.js";

const SYMBOLS = { critical: "triangle-up", major: "diamond", minor: "square", slight: "circle" };
const RIBBON = 0.055; // of the height, for each check
const RIBBONS_MOST = 4;
const DASHES_MOST = 800; // of more points, dashes make no line: what was typical is then told where one points

/**
 * A chart in *node* of what *now* gives at each drawing: {field, series, records, outcomes, range, said, chosen}
 *
 * zoomed(start, end), out()  are told of dragging and of a double click; opened(id) of a click on a finding
 */
export async function seriesChart(node, now, { zoomed, out, opened }, signal) {
  const made = () => {
    const state = now();
    node.setAttribute("aria-label", about(state.field, state.series, state.records, state.range, state.outcomes));
    return figure(state, node.clientWidth);
  };
  const state = now();
  const drawn = await chart(node, made, about(state.field, state.series, state.records, state.range, state.outcomes), signal, { doubleClick: false });
  if (drawn === null) return null;
  node.on("plotly_relayout", (change) => {
    const [start, end] = [change["xaxis.range[0]"], change["xaxis.range[1]"]].map(shownTime);
    if (start < end) zoomed(start, end);
  });
  node.on("plotly_doubleclick", () => out());
  node.on("plotly_click", ({ points, event }) => {
    const near = points.filter((one) => typeof one.customdata === "string");
    const gone = (one) => Math.abs(one.yaxis.l2p(one.y) + one.yaxis._offset - (event.clientY - node.getBoundingClientRect().top));
    near.sort((x, y) => gone(x) - gone(y));
    if (near.length) opened(near[0].customdata);
  });
  return drawn;
}

function shownTime(text) {
  if (text === undefined) return NaN;
  return fromWall(String(text).length === 10 ? `${text}T00:00` : String(text).slice(0, 23));
}

function figure({ series, records, outcomes, range, said, chosen }, width) {
  const lanes = outcomes.slice(0, RIBBONS_MOST);
  const foot = lanes.length ? lanes.length * RIBBON + 0.03 : 0;
  const traces = series ? [...expected(series.band), ...measured(series)] : [];
  const floor = series ? least(series) : 0;
  traces.push(...marks(records, floor), ...lanes.flatMap((lane, at) => ribbon(lane, at, range)));
  const at = chosen && wall(ms(chosen.time));
  const middle = wall((range.start + range.end) / 2);
  // What was said of a span, or of a finding, and is in force: where it was, under its name.
  const spans = said.filter((one) => ms(one.end) > range.start && ms(one.start) < range.end)
    .map((one) => [wall(Math.max(range.start, ms(one.start))), wall(Math.min(range.end, ms(one.end))), one.name]);
  return {
    traces,
    layout: {
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", // a finger that drags wants to scroll
      margin: { l: 52, r: 10, t: 8, b: 38 },
      xaxis: { type: "date", anchor: lanes.length ? "y2" : "y", range: [wall(range.start), wall(range.end)], hoverformat: "%Y-%m-%d %H:%M:%S", automargin: false, tickangle: 0, nticks: Math.max(3, Math.floor(width / 90)) },
      yaxis: { fixedrange: true, domain: [foot, 1], zeroline: false, nticks: 6 },
      ...(lanes.length ? {
        yaxis2: { fixedrange: true, domain: [0, Math.max(0.01, foot - 0.03)], range: [-0.5, lanes.length - 0.5], showgrid: false, zeroline: false, showticklabels: false, anchor: "x" },
      } : {}),
      shapes: [...spans.map(([start, end]) => ({
        type: "rect", x0: start, x1: end, y0: 0, y1: 1, yref: "paper", fillcolor: colour("--series-3"), opacity: 0.12, line: { color: colour("--series-3"), width: 1 },
      })), ...(at ? [{ type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: colour("--ink"), width: 1, dash: "dot" } }] : [])],
      annotations: spans.map(([start, , name]) => ({
        x: start, y: 1, yref: "paper", yanchor: "top", xanchor: start > middle ? "right" : "left", text: plain(name), showarrow: false, font: { size: 10, color: colour("--soft") },
      })),
    },
  };
}

/** A filled area between two columns, a polygon for each piece without gaps. */
function area(times, lower, upper, gap, fill, name) {
  const [xs, ys] = [[], []];
  const good = times.map((_, at) => at).filter((at) => lower[at] !== null && upper[at] !== null);
  const shown = walls(good.map((at) => times[at]));
  const cuts = pieces(good.map((at) => times[at]), gap);
  for (let n = 0; n + 1 < cuts.length; n += 1) {
    for (let at = cuts[n]; at < cuts[n + 1]; at += 1) {
      xs.push(shown[at]);
      ys.push(upper[good[at]]);
    }
    for (let at = cuts[n + 1] - 1; at >= cuts[n]; at -= 1) {
      xs.push(shown[at]);
      ys.push(lower[good[at]]);
    }
    xs.push(null);
    ys.push(null);
  }
  return { type: "scatter", mode: "lines", x: xs, y: ys, fill: "toself", fillcolor: fill, line: { width: 0 }, hoverinfo: "skip", name };
}

/** *columns* with a hole at each gap, so that no line is drawn where nothing came. */
function broken(times, columns, gap) {
  const cuts = pieces(times, gap);
  const shown = walls(times);
  const xs = [];
  const ys = columns.map(() => []);
  for (let n = 0; n + 1 < cuts.length; n += 1) {
    if (n) {
      xs.push(shown[cuts[n] - 1]);
      ys.forEach((one) => one.push(null));
    }
    for (let at = cuts[n]; at < cuts[n + 1]; at += 1) {
      xs.push(shown[at]);
      ys.forEach((one, column) => one.push(columns[column][at]));
    }
  }
  return [xs, ...ys];
}

function expected(band) {
  if (!band.times.length) return [];
  const [x, typical, lower, upper] = broken(band.times, [band.typical, band.lower, band.upper], band.gap);
  return [
    area(band.times, band.lower, band.upper, band.gap, colour("--band"), "expected"),
    {
      type: "scatter", mode: "lines", x, y: typical, name: "typical", line: { color: x.length > DASHES_MOST ? "rgba(0,0,0,0)" : colour("--soft"), width: 1, dash: "dash" },
      text: x.map((_, at) => (lower[at] === null || upper[at] === null ? "" : ` (expected ${number(lower[at])} to ${number(upper[at])})`)),
      hovertemplate: "typical %{y:.5~g}%{text}<extra></extra>",
    },
  ];
}

function measured(series) {
  const line = { color: colour("--series"), width: 1.3 };
  if (series.columns.value) {
    const [x, y] = broken(series.times, [series.columns.value], series.gap);
    const few = series.times.length <= 150;
    return [{ type: "scatter", mode: few ? "lines+markers" : "lines", x, y, name: "reading", line, marker: { color: line.color, size: 4 }, hovertemplate: "reading %{y:.7~g}<extra></extra>" }];
  }
  const { mean, min, max } = series.columns;
  const [x, y, low, high] = broken(series.times, [mean, min, max], series.gap);
  return [
    { ...area(series.times, min, max, series.gap, colour("--series"), "least to greatest"), opacity: 0.3 },
    {
      type: "scatter", mode: "lines", x, y, name: "mean", line, text: x.map((_, at) => `${number(low[at])} to ${number(high[at])}`),
      hovertemplate: "mean %{y:.5~g}, %{text}<extra></extra>",
    },
  ];
}

function least(series) {
  let found = Infinity;
  for (const one of series.columns.min ?? series.columns.value) if (one !== null && one < found) found = one;
  return Number.isFinite(found) ? found : 0;
}

/** A marker a finding, its shape by its class. Of a silence there is no value: it stands at the foot. */
function marks(records, floor) {
  return CLASSES.filter((one) => one.name in SYMBOLS).map((one) => {
    const those = records.filter((record) => classOf(record.score) === one);
    return {
      type: "scatter", mode: "markers", name: one.word, x: walls(those.map((record) => ms(record.time))), y: those.map((record) => record.actual ?? floor),
      customdata: those.map((record) => record.id), cliponaxis: false,
      text: those.map((record) => plain(`${one.sign} ${one.word} ${Math.round(record.score)}: ${seen(record)}`)), hovertemplate: "%{text}<extra></extra>",
      marker: { symbol: SYMBOLS[one.name], size: one.name === "slight" ? 7 : 11, color: colour(`--score-${one.name}`), line: { color: colour("--ink"), width: 1 } },
    };
  }).filter((trace) => trace.x.length);
}

/** What one check said, as a strip: a piece for each outcome until the next, its sign where it begins. */
function ribbon({ check, outcomes: said }, row, range) {
  return Object.entries(STATUSES).map(([status, { sign, name }]) => {
    const [x, y, text, hover] = [[], [], [], []];
    said.forEach((one, at) => {
      if (one.status !== status) return;
      const first = Math.max(range.start, ms(at ? one.ran : one.since ?? one.ran));
      const end = said[at + 1] ? ms(said[at + 1].ran) : Math.min(range.end, Date.now());
      const words = plain(`${check}: ${status}, ${one.message}`);
      x.push(...walls([first, Math.max(first, end)]), null);
      y.push(row, row, null);
      text.push(at && said[at - 1].status === status ? "" : sign, "", "");
      hover.push(words, words, "");
    });
    return {
      type: "scatter", mode: "lines+text", x, y, yaxis: "y2", text, textposition: "middle right", textfont: { size: 10, color: colour("--ground") }, hovertext: hover, hovertemplate: "%{hovertext}<extra></extra>",
      name: status, line: { width: 9, color: colour(`--${name}`) }, opacity: 0.85,
    };
  }).filter((trace) => trace.x.length);
}
