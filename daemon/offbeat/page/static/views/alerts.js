// Alerts: what somebody is to know of now, what was, what nobody was told, and by which rules. #/alerts/{tab}

import { fill, h } from "../lib/dom.js";
import { nothing } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { alerts, oneAlert } from "./alerts-list.js";
import { calendars, silences } from "./alerts-quiet.js";
import { ruleForm, rules } from "./alerts-rules.js";
import { suppressed, undelivered } from "./alerts-untold.js";

const TABS = {
  active: ["Active", (body, context) => alerts(body, context, "active")],
  history: ["History", (body, context) => alerts(body, context, "cleared")],
  suppressed: ["Not told", suppressed],
  undelivered: ["Not delivered", undelivered],
  silences: ["Silences", silences],
  rules: ["Rules", rules],
  calendars: ["Calendars", calendars],
};

export function title([tab, name]) {
  if (tab && /^\d+$/.test(tab)) return `Alert ${tab}`;
  if (tab === "rules" && name !== undefined) return name === "new" ? "New rule" : "Edit a rule";
  return tab && TABS[tab] && tab !== "active" ? `Alerts: ${TABS[tab][0].toLowerCase()}` : "Alerts";
}

export function show(main, context) {
  const [tab = "active", name, id] = context.names;
  const body = h("div");
  const tabs = h("nav.tabs", { "aria-label": "Of alerts" }, Object.entries(TABS).map(([one, [text]]) =>
    h("a", { href: link("alerts", one === "active" ? [] : [one]), "aria-current": one === tab ? "page" : null }, text)));
  fill(main, h("div.heading", {}, h("h1", {}, title(context.names))), tabs, body);
  if (/^\d+$/.test(tab)) return oneAlert(body, context, Number(tab));
  if (tab === "rules" && name === "new") return ruleForm(body, context, null);
  if (tab === "rules" && name === "edit" && id !== undefined) return ruleForm(body, context, id);
  if (!Object.hasOwn(TABS, tab)) return fill(body, nothing("There is no such view of alerts."));
  return TABS[tab][1](body, context);
}
