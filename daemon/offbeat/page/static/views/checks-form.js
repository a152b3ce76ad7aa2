// A check made or changed in a form: its kind, its parameters, the series that it is bound to; what it would have said.

import { get, part, send } from "../lib/api.js";
import { fill, h } from "../lib/dom.js";
import { choose, failed, field, heading, section, sentence, shown } from "../lib/parts.js";
import { link } from "../lib/route.js";
import { count, statusBadge } from "../lib/scores.js";
import { DAY, iso } from "../lib/time.js";
import { outcomeHistory } from "./checks-one.js";
import { given } from "./checks-words.js";

const EMPTY = {
  id: "", description: "", kind: "range", parameters: {}, series: [{ source: "*", field: "*" }], interval_s: 60, time_limit_s: 5,
  raise_after: 1, clear_after: 1, enabled: true,
};

/** The form: of a new check, or of *id*. */
export function form(main, context, id) {
  const { signal, query, go } = context;
  const body = h("div");
  fill(main, heading(id === null ? "New check" : `Edit ${id}`), body);
  shown(body, async () => {
    const [{ kinds }, check] = await Promise.all([
      get("/check-kinds", {}, signal),
      id !== null ? get(`/checks/${part(id)}`, {}, signal)
        : { ...EMPTY, series: [{ source: query.get("source") ?? "*", field: query.get("field") ?? "*" }] },
    ]);
    return made(given(check), kinds, id === null, { go, signal });
  }, signal);
}

function made(check, kinds, isNew, { go, signal }) {
  const parameters = h("div");
  const trouble = h("div");
  const preview = h("div");
  const bindings = h("div.bindings");
  const kindAbout = h("p.about");
  let readers = {};
  const text = (name, attributes = {}) => h("input", { name, value: check[name] ?? "", ...attributes });
  const inputs = {
    id: text("id", { required: true, pattern: "[A-Za-z0-9._\\-]{1,64}", disabled: !isNew }),
    description: text("description", { maxlength: 1000 }),
    interval_s: text("interval_s", { type: "number", min: 1, step: "any", required: true }),
    time_limit_s: text("time_limit_s", { type: "number", min: 0.1, step: "any", required: true }),
    raise_after: text("raise_after", { type: "number", min: 1, required: true }),
    clear_after: text("clear_after", { type: "number", min: 1, required: true }),
    enabled: h("input", { type: "checkbox", name: "enabled", checked: check.enabled }),
  };
  const kind = choose("Kind", kinds.map((one) => [one.kind, `${one.kind}${one.from === "built-in" ? "" : ` (${one.from})`}`]), check.kind, (value) => {
    check.kind = value;
    check.parameters = {};
    drawParameters();
  });
  kind.id = "check-kind";

  function drawParameters() {
    const found = kinds.find((one) => one.kind === check.kind) ?? kinds[0];
    kindAbout.textContent = found.about;
    readers = {};
    fill(parameters, h("div.fields", {}, found.parameters.map((one) => {
      const [input, read] = parameterInput(one, check.parameters[one.name]);
      readers[one.name] = read;
      input.name = `parameters.${one.name}`;
      return field(`${one.name}${one.unit ? ` (${one.unit})` : ""}${one.required ? " *" : ""}`, input, sentence(one.about));
    })));
  }

  function drawBindings() {
    fill(bindings, check.series.map((one, at) => bindingRow(one, (changed) => { check.series[at] = changed; }, check.series.length > 1
      ? () => {
        check.series.splice(at, 1);
        drawBindings();
      } : null)));
  }

  const read = () => ({
    ...check, id: inputs.id.value, description: inputs.description.value, enabled: inputs.enabled.checked,
    ...Object.fromEntries(["interval_s", "time_limit_s", "raise_after", "clear_after"].map((name) => [name, Number(inputs[name].value)])),
    parameters: Object.fromEntries(Object.entries(readers).map(([name, one]) => [name, one()]).filter(([, value]) => value !== undefined)),
  });

  function refused(error) {
    fill(trouble, failed(error));
    for (const input of node.elements) {
      const wrong = error.where?.field !== undefined && input.name === error.where.field;
      if (wrong) {
        input.setAttribute("aria-invalid", "true");
        input.focus();
      } else input.removeAttribute("aria-invalid");
    }
  }

  async function tried(act) {
    try {
      const done = await act(read());
      fill(trouble);
      return done;
    } catch (error) {
      if (error.name !== "AbortError") refused(error);
      return null;
    }
  }

  const node = h("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      const kept = await tried((document) => (isNew ? send("POST", "/checks", document) : send("PUT", `/checks/${part(check.id)}`, document)));
      if (kept) go("checks", [kept.id]);
    },
  },
  section("What it is", h("div.fields", {}, field("Name *", inputs.id, "Letters, digits, '.', '_' and '-'."), field("What for", inputs.description)),
    field("Kind", kind), kindAbout, parameters),
  section("Of which series", h("p.about", {}, "Names or patterns, as pump-*. Several fields with commas between them are judged together."), bindings,
    h("button", {
      type: "button", onclick: () => {
        check.series.push({ source: "*", field: "*" });
        drawBindings();
      },
    }, "Also of …")),
  section("When", h("div.fields", {},
    field("At most every (s)", inputs.interval_s), field("At most for (s)", inputs.time_limit_s, "A run that takes longer is RED for itself."),
    field("Worse after", inputs.raise_after, "So many outcomes in a row."), field("Better after", inputs.clear_after, "So many outcomes in a row.")),
  h("div.field.across", {}, inputs.enabled, h("label", { for: inputs.enabled.id = "check-enabled" }, "Switched on"))),
  trouble,
  h("div.actions", {},
    h("button", {
      type: "button", onclick: async () => {
        const found = await tried((document) => send("POST", "/checks/preview", { ...document, id: document.id || "preview", start: iso(Date.now() - 7 * DAY), end: iso(Date.now()) }, signal));
        if (found) fill(preview, section("What it would have said of the last 7 days", previewed(found)));
      },
    }, "Preview"),
    h("button.primary", { type: "submit" }, "Save"),
    h("a.button", { href: isNew ? link("checks") : link("checks", [check.id]) }, "Cancel")),
  preview);
  drawParameters();
  drawBindings();
  return node;
}

function previewed(found) {
  return [
    h("p", {}, `${count(found.runs)} runs: `, ["RED", "YELLOW", "GREEN"].map((name) => [statusBadge(name), ` ${count(found.counts[name] ?? 0)} `])),
    found.truncated ? h("p.note", {}, sentence(found.truncated === true ? "It was cut short: there is too much to look through at once" : found.truncated)) : null,
    outcomeHistory(found.outcomes.toReversed()),
  ];
}

/** An input for a parameter and what reads it: undefined where it is left out. */
function parameterInput(one, value) {
  const present = value ?? (one.required ? undefined : one.default) ?? undefined;
  if (one.kind === "flag") {
    const input = h("input", { type: "checkbox", checked: Boolean(present) });
    return [input, () => input.checked];
  }
  if (one.kind === "choice") {
    const input = h("select", {}, one.choices.map((name) => h("option", { value: name, selected: name === present }, name)));
    return [input, () => input.value];
  }
  if (one.kind === "number" || one.kind === "integer") {
    const input = h("input", { type: "number", step: one.kind === "integer" ? 1 : "any", required: one.required, value: present ?? "" });
    return [input, () => (input.value === "" ? undefined : Number(input.value))];
  }
  if (one.kind === "texts" || one.kind === "windows") {
    const input = h("input", { value: (present ?? []).join(", "), required: one.required });
    return [input, () => (input.value.trim() === "" ? undefined : input.value.split(",").map((name) => name.trim()).filter(Boolean))];
  }
  const input = h("input", { value: present ?? "", required: one.required });
  return [input, () => (input.value === "" ? undefined : input.value)];
}

/** A binding as two inputs; one over given columns of several sources as JSON. */
function bindingRow(binding, changed, remove) {
  const gone = remove && h("button", { type: "button", "aria-label": "Not of these", onclick: remove }, "Remove");
  if (binding.columns) {
    const input = h("textarea", { value: JSON.stringify(binding), onchange: () => {
      try {
        changed(JSON.parse(input.value));
        input.removeAttribute("aria-invalid");
      } catch {
        input.setAttribute("aria-invalid", "true");
      }
    } });
    return h("div.binding", {}, field("Columns of several sources", input), gone);
  }
  const source = h("input", { value: binding.source, required: true });
  const fields = h("input", { value: binding.fields ? binding.fields.join(", ") : binding.field, required: true });
  const update = () => {
    const names = fields.value.split(",").map((one) => one.trim()).filter(Boolean);
    changed(names.length > 1 ? { source: source.value, fields: names } : { source: source.value, field: names[0] ?? "" });
  };
  source.addEventListener("change", update);
  fields.addEventListener("change", update);
  return h("div.binding", {}, field("Source", source), field("Field", fields), gone);
}
