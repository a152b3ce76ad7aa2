// The rules of alerts: which findings, or which checks, raise one, how long it goes on, who is told. Listed, written, taken away.

import { all, get, part, send } from "../lib/api.js";
import { a, announce, fill, fresh, h } from "../lib/dom.js";
import { again } from "../lib/again.js";
import { saveCsv } from "../lib/download.js";
import { confirmed, failed, field, nothing, section, shown, table } from "../lib/parts.js";
import { showWrong } from "../lib/refused.js";
import { link } from "../lib/route.js";
import { number, statusBadge } from "../lib/scores.js";
import { ms, span, timeNode } from "../lib/time.js";

const GROUPS = ["source", "field", "check", "job"];
const OF_FINDINGS = ["raise_at", "clear_below", "clear_after_s"];

/** The names of a text with commas or lines between. */
export function listOf(text) {
  return text.split(/[,\n]/).map((one) => one.trim()).filter(Boolean);
}

function scope(rule) {
  const every = (given) => given.length === 1 && given[0] === "*";
  const said = ["sources", "fields", "jobs"].filter((name) => !every(rule[name])).map((name) => `${name} ${rule[name].join(", ")}`);
  return (rule.checks.length ? [`checks ${rule.checks.join(", ")}`, ...said] : said).join("; ") || "every finding";
}

export function rules(body, context) {
  const { signal } = context;
  const board = h("div");
  const said = h("div");
  let rows = [];
  let seen = "";
  const refresh = shown(board, async () => {
    const found = await all("/alert-rules", "rules", { limit: 500 }, signal, 1_000);
    const text = JSON.stringify(found);
    if (text === seen && found.length) return undefined;
    seen = text;
    rows = found;
    if (!rows.length) return nothing("There is no rule yet: nobody is told of anything.", h("p", {}, a(link("alerts", ["rules", "new"]), "Write the first one")));
    return table("Rules of alerts", [
      { title: "Rule", value: (one) => one.id, cell: (one) => [a(link("alerts", ["rules", "edit", one.id]), one.id), one.description ? h("div.about", {}, one.description) : null] },
      { title: "Of", cell: scope },
      { title: "Raised at", numeric: true, value: (one) => one.raise_at, cell: (one) => (one.status_at === null ? number(one.raise_at) : statusBadge(one.status_at)) },
      { title: "Held from", numeric: true, value: (one) => one.clear_below, cell: (one) => (one.status_at === null ? number(one.clear_below) : statusBadge(one.status_at)) },
      { title: "Cleared after", numeric: true, value: (one) => one.clear_after_s, cell: (one) => (one.status_at === null ? span(1000 * one.clear_after_s) : "when it is better") },
      { title: "An alert for each", cell: (one) => one.group_by.join(", ") || "rule" },
      { title: "Told again", cell: (one) => (one.repeat_s ? `at most every ${span(1000 * one.repeat_s)}` : "no") },
      { title: "Who is told", cell: (one) => (one.sinks.length ? one.sinks.map((sink) => h("button.plain", { type: "button", onclick: () => test(sink), "aria-label": `Send a test to ${sink}`, title: "Send a test" }, sink)) : "nobody") },
      { title: "Calendars", cell: (one) => one.calendars.join(", ") || "–" },
      { title: "Changed", value: (one) => one.changed, cell: (one) => timeNode(ms(one.changed)) },
      { title: "What can be done", hidden: true, cell: (one) => h("button.danger", { type: "button", onclick: () => remove(one), "aria-label": `Delete rule ${one.id}` }, "Delete") },
    ], rows);
  }, signal);
  const test = async (sink) => {
    try {
      await send("POST", `/alert-sinks/${part(sink)}/test`);
      fill(said, h("div.note", { role: "status" }, h("p", {}, `${sink} took the test.`)));
    } catch (error) {
      fill(said, failed(error));
    }
  };
  const remove = async (one) => {
    if (!await confirmed(`Delete rule ${one.id}? Its alerts are cleared.`, "Delete the rule")) return;
    try {
      await send("DELETE", `/alert-rules/${part(one.id)}`);
      announce(`Rule ${one.id} is deleted`);
      fill(said);
    } catch (error) {
      fill(said, failed(error));
    }
    refresh();
  };
  again(context, refresh, { kinds: ["status"] });
  fill(body, h("div.row.between", {}, h("p.about", {}, "Which findings, or which checks, raise an alert, how long it goes on, who is told."), h("div.row", {},
    h("button", {
      type: "button", onclick: () => saveCsv("alert-rules", ["id", "description", "jobs", "sources", "fields", "checks", "status_at", "raise_at", "clear_below", "clear_after_s", "group_by", "repeat_s", "sinks", "calendars"],
        rows.map((one) => [one.id, one.description, one.jobs.join(" "), one.sources.join(" "), one.fields.join(" "), one.checks.join(" "), one.status_at, one.raise_at, one.clear_below, one.clear_after_s, one.group_by.join(" "), one.repeat_s,
          one.sinks.join(" "), one.calendars.join(" ")])),
    }, "CSV"), h("a.button.primary", { href: link("alerts", ["rules", "new"]) }, "New rule"))), said, board);
}

/** The form of a rule; *id* null: of a new one. */
export async function ruleForm(body, context, id) {
  const { signal } = context;
  const [rule, others, calendars] = await Promise.all([
    id === null ? { id: "", description: "", jobs: ["*"], sources: ["*"], fields: ["*"], checks: [], status_at: null, raise_at: 50, clear_below: 25, clear_after_s: 900, group_by: ["source"], repeat_s: 0, sinks: [], calendars: [] }
      : get(`/alert-rules/${part(id)}`, {}, signal),
    all("/alert-rules", "rules", { limit: 500 }, signal, 1_000), all("/calendars", "calendars", { limit: 500 }, signal, 1_000),
  ]);
  const errors = h("div");
  const sinks = h("datalist", { id: fresh("sinks") }, [...new Set(others.flatMap((one) => one.sinks))].map((value) => h("option", { value })));
  const named = h("datalist", { id: fresh("calendars") }, calendars.map((one) => h("option", { value: one.id })));
  const inputs = {};
  const text = (name, attributes = {}) => {
    inputs[name] = h("input", { value: [rule[name]].flat().join(", "), autocomplete: "off", spellcheck: "false", dataset: { place: name }, ...attributes });
    return inputs[name];
  };
  const figure = (name) => text(name, { type: "number", step: "any", min: 0 });
  const statusAt = h("select", { dataset: { place: "status_at" } }, ["RED", "YELLOW"].map((value) => h("option", { value, selected: value === (rule.status_at ?? "RED") }, value === "RED" ? "RED" : "YELLOW or RED")));
  const groups = GROUPS.map((name) => h("input", { type: "checkbox", id: fresh("g"), checked: rule.group_by.includes(name), dataset: { place: name === "source" ? "group_by" : "" } }));
  const parts = h("div", {},
    h("fieldset", {}, h("legend", {}, "Rule"), h("div.fields", {}, field("Id", text("id", { disabled: id !== null, maxlength: 64 }), "letters, digits, . _ -"), field("Description", text("description")))),
    h("fieldset", {}, h("legend", {}, "Which findings, or which checks"), h("div.fields", {},
      field("Sources", text("sources"), "patterns, a comma between: pump-*"), field("Fields", text("fields")), field("Jobs", text("jobs")),
      field("Checks", text("checks"), "patterns; with one it is a rule of checks, not of findings"), field("A check raises it when it is", statusAt, "and clears it when it is better"))),
    h("fieldset", {}, h("legend", {}, "When"), h("div.fields", {},
      field("Raise at a score of", figure("raise_at"), "from 25 minor, from 50 major, from 75 critical"), field("Held by a score of", figure("clear_below"), "less than this does not hold it"),
      field("Cleared after, seconds", figure("clear_after_s"), "since the last finding that held it"), field("Told again after, seconds", figure("repeat_s"), "0: told once")),
    h("div.row", { role: "group", "aria-label": "An alert for each" }, h("span", {}, "An alert for each"), GROUPS.map((name, at) => h("span.row", {}, groups[at], h("label", { for: groups[at].id }, name))))),
    h("fieldset", {}, h("legend", {}, "Who is told"), h("div.fields", {},
      field("Sinks", text("sinks", { list: sinks.id }), "of the settings file, a comma between; none: it is listed here alone"), field("Calendars", text("calendars", { list: named.id }), "in whose windows nobody is told"), sinks, named)));
  // What a rule of the other kind has not cannot be written.
  const kind = () => {
    const ofChecks = listOf(inputs.checks.value).length > 0;
    for (const name of [...OF_FINDINGS, "jobs"]) inputs[name].disabled = ofChecks;
    statusAt.disabled = !ofChecks;
    groups[GROUPS.indexOf("job")].disabled = ofChecks;
    groups[GROUPS.indexOf("check")].disabled = !ofChecks;
    return ofChecks;
  };
  inputs.checks.addEventListener("input", () => {
    const were = groups[GROUPS.indexOf("check")].disabled;
    if (kind() && were && id === null) for (const [at, name] of GROUPS.entries()) groups[at].checked = name !== "job";
  });
  kind();
  const save = async (event) => {
    event.preventDefault();
    fill(errors);
    const ofChecks = kind();
    const lists = Object.fromEntries([ofChecks ? "checks" : "jobs", "sources", "fields", "sinks", "calendars"].map((name) => [name, listOf(inputs[name].value)]));
    const figures = Object.fromEntries([...(ofChecks ? [] : OF_FINDINGS), "repeat_s"].filter((name) => inputs[name].value !== "").map((name) => [name, Number(inputs[name].value)]));
    const document = {
      id: inputs.id.value.trim(), description: inputs.description.value, ...lists, ...figures, ...(ofChecks ? { status_at: statusAt.value } : {}),
      group_by: GROUPS.filter((_, at) => groups[at].checked && !groups[at].disabled),
    };
    try {
      await (id === null ? send("POST", "/alert-rules", document) : send("PUT", `/alert-rules/${part(id)}`, document));
      announce(`Rule ${document.id} is in force`);
      context.go("alerts", ["rules"]);
    } catch (error) {
      showWrong(error, parts, errors);
    }
  };
  fill(body, section(id === null ? "New rule" : `Rule ${id}`, h("p.about", {}, "It sees the findings, or what checks say, from now on."),
    h("form", { novalidate: true, onsubmit: save }, errors, parts, h("div.actions", {}, h("button.primary", {}, id === null ? "Create the rule" : "Replace the rule"), a(link("alerts", ["rules"]), "To the rules")))));
}
