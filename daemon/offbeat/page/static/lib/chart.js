// Charts by plotly.js: loaded once, when the first one is drawn; dressed in the colours of the page.

import { legible } from "./dom.js";
import { safe } from "./download.js";
import { onChange } from "./prefs.js";

let loading = null;

function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "page/vendor/plotly.min.js";
    script.addEventListener("load", () => resolve(globalThis.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      reject(new Error("the charts cannot be loaded"));
    });
    document.head.append(script);
  });
  return loading;
}

/** *text* as a chart shows it letter by letter: its labels would read some tags. */
export function plain(text) {
  return legible(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const probe = document.createElement("span");
probe.hidden = true;

/** What a colour of the styles, as "--ink", is at the moment: they differ by light and dark. */
export function colour(name) {
  if (!probe.isConnected) document.body.append(probe);
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function dressed(layout) {
  const axis = { gridcolor: colour("--line"), zerolinecolor: colour("--line-strong"), linecolor: colour("--line-strong"), automargin: true };
  const axes = Object.fromEntries(Object.keys({ xaxis: 0, yaxis: 0, ...layout })
    .filter((name) => /^[xy]axis\d*$/.test(name)).map((name) => [name, { ...axis, ...layout[name] }]));
  return {
    margin: { l: 48, r: 12, t: 8, b: 36 }, showlegend: false, dragmode: "zoom", hovermode: "x unified", ...layout, ...axes,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("--ink") },
    hoverlabel: { bgcolor: colour("--raised"), bordercolor: colour("--line-strong"), font: { color: colour("--ink") }, ...layout.hoverlabel },
  };
}

/**
 * A chart in *node*, redrawn when the colours change.
 *
 * made   () => {traces, layout}, asked at each drawing: colours are those of the moment
 * about  a sentence for who cannot see it
 *
 * Gives {node, draw, savePng}. Nothing is left of it once *signal* is aborted.
 */
export async function chart(node, made, about, signal, config = {}) {
  const plotly = await library();
  if (signal.aborted) return null;
  node.setAttribute("role", "img");
  node.setAttribute("aria-label", about);
  const draw = () => {
    const { traces, layout } = made();
    return plotly.react(node, traces, dressed(layout), { responsive: true, displaylogo: false, displayModeBar: false, showTips: false, ...config });
  };
  await draw();
  onChange(draw, signal);
  const sized = new ResizeObserver(() => node.clientWidth && plotly.Plots.resize(node)); // the room beside it may change, not the window alone
  sized.observe(node);
  signal.addEventListener("abort", () => {
    sized.disconnect();
    plotly.purge(node);
  });
  return {
    node,
    draw,
    /** The chart as a PNG file, on the ground of the page. */
    async savePng(name) {
      const { traces, layout } = made();
      const still = { ...dressed(layout), paper_bgcolor: colour("--ground"), plot_bgcolor: colour("--ground") };
      await plotly.downloadImage({ data: traces, layout: still }, {
        format: "png", filename: safe(name), width: Math.max(800, node.clientWidth), height: Math.max(300, node.clientHeight), scale: 2,
      });
    },
  };
}
