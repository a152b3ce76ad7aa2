// The page begins here: which view the address asks for, what stays above it, what changes all of them.

import { ApiError, get } from "./lib/api.js";
import { announce, fill, h } from "./lib/dom.js";
import { failed } from "./lib/parts.js";
import { LOCAL, isZone, onChange, setTheme, setZone, theme, zone } from "./lib/prefs.js";
import { here, link } from "./lib/route.js";
import { signIn, signOut, signedIn } from "./lib/session.js";
import { Stream } from "./lib/stream.js";
import { ago } from "./lib/time.js";

/**
 * A view is a module with ``title(names)`` and ``show(main, context)``, which fills *main* and may be asynchronous.
 *
 * context  {names, query, signal, stream, go(view, names, query), put(query)}; whatever a view begins ends with *signal*.
 *          put: another query in the address, and nothing is drawn anew
 *
 * ``show`` may give a function: it is handed the query whenever only that changes, also by the way back, and shows it
 * where it is. Without one the view is drawn anew.
 */
const VIEWS = [
  ["", "Overview", () => import("./views/overview.js")],
  ["sources", "Sources", () => import("./views/sources.js")],
  ["jobs", "Jobs", () => import("./views/jobs.js")],
  ["checks", "Checks", () => import("./views/checks.js")],
  ["alerts", "Alerts", () => import("./views/alerts.js")],
  ["health", "Health", () => import("./views/health.js")],
];

const main = document.getElementById("main");
const stream = new Stream();
let leaving = new AbortController();
let lost = null;
let staying = null;

async function show({ focus }) {
  leaving.abort();
  staying = null;
  leaving = new AbortController();
  fill(document.getElementById("trouble"));
  const { signal } = leaving;
  const { view, names, query } = here();
  const found = VIEWS.find(([name]) => name === view);
  fill(document.getElementById("views"), VIEWS.map(([name, text]) =>
    h("a", { href: link(name), "aria-current": name === view ? "page" : null }, text)));
  if (!found) {
    fill(main, h("h1", {}, "There is no such view"), h("p", {}, h("a", { href: link("") }, "To the overview")));
    return;
  }
  const context = {
    names, query, signal, stream,
    go: (to, those = [], asked = {}) => { location.hash = link(to, those, asked); },
    put: (asked) => history.replaceState(null, "", link(view, names, asked)),
  };
  try {
    const module = await found[2]();
    if (signal.aborted) return;
    document.title = `${module.title(names)} · Offbeat`;
    fill(main);
    main.dataset.view = view || "overview";
    const follow = await module.show(main, context);
    if (typeof follow === "function" && !signal.aborted) staying = { path: pathOf(location.hash), follow };
    if (focus && !signal.aborted) {
      main.focus({ preventScroll: true });
      window.scrollTo(0, 0);
      announce(module.title(names));
    }
  } catch (error) {
    if (error.name !== "AbortError" && !signal.aborted) fill(main, failed(error, () => show({ focus: false })));
  }
}

function pathOf(hash) {
  return hash.split("?")[0];
}

function moved() {
  if (staying?.path === pathOf(location.hash)) staying.follow(here().query);
  else show({ focus: true });
}

function tools() {
  const zones = ["UTC", LOCAL, ...(Intl.supportedValuesOf?.("timeZone") ?? [])].filter((one, at, every) => every.indexOf(one) === at);
  const zoneInput = h("input", {
    list: "zones", value: zone(), size: 16, "aria-label": "Time zone", autocomplete: "off", spellcheck: "false",
    onfocus: () => zoneInput.select(),
    onchange: () => {
      if (isZone(zoneInput.value)) setZone(zoneInput.value);
      else announce(`${zoneInput.value} is no time zone`);
      zoneInput.value = zone();
    },
  });
  const themes = h("select", { "aria-label": "Colours", onchange: () => setTheme(themes.value) },
    [["system", "Auto"], ["light", "Light"], ["dark", "Dark"]].map(([value, text]) => h("option", { value, selected: value === theme() }, text)));
  const leave = signedIn() ? h("button", { type: "button", onclick: () => signOut().then(() => location.reload()) }, "Sign out") : null;
  fill(document.getElementById("tools"), connection(), leave, zoneInput, h("datalist", { id: "zones" }, zones.map((one) => h("option", { value: one }))), themes);
}

let light;
function connection() {
  light = h("span.live", { role: "img" });
  return light;
}

function connected() {
  const bar = document.getElementById("connection");
  const words = { live: "Live", connecting: "Connecting", lost: "Not connected" };
  light.dataset.state = stream.state;
  light.setAttribute("aria-label", words[stream.state]);
  light.title = words[stream.state];
  light.textContent = words[stream.state];
  if (stream.state === "lost") {
    lost ??= Date.now();
    fill(bar, h("div.note.bad", {}, h("p", {}, h("strong", {}, "The connection to the daemon is lost."),
      ` What is shown is as of ${ago(lost)}; it goes on by itself, without a gap, once the daemon answers.`),
    h("button", { type: "button", onclick: () => stream.again() }, "Try now")));
  } else if (stream.state === "live") {
    lost = null;
    fill(bar);
  }
}

async function foot() {
  const node = document.getElementById("foot");
  try {
    const { daemon } = await get("/diagnosis", { limit: 1 });
    fill(node, h("span", {}, `Offbeat ${daemon.version}`), h("a", { href: "docs" }, "API"), h("a", { href: "metrics" }, "Metrics"));
  } catch {
    fill(node, h("a", { href: "docs" }, "API"));
  }
}

// What a view was still waiting for ends with it: nobody waits any more, and nothing is wrong.
// What the daemon refused and no view has told is told above it (that it does not answer, the bar tells); anything else is a mistake of the page, for its console.
window.addEventListener("unhandledrejection", (event) => {
  if (event.reason instanceof ApiError && event.reason.status !== 0) fill(document.getElementById("trouble"), failed(event.reason));
  if (event.reason instanceof ApiError || event.reason?.name === "AbortError") event.preventDefault();
});
window.addEventListener("offbeat-unauthorized", async () => {
  await signIn();
  tools();
  connected();
  stream.again();
  show({ focus: false });
  foot();
});
tools();
connected();
stream.addEventListener("state", connected);
window.addEventListener("hashchange", moved);
onChange(() => show({ focus: false }), new AbortController().signal);
show({ focus: false });
foot();
