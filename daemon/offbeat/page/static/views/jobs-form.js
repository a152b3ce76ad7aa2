// A new job: what it looks at, what it asks; what it would have said of the past, before it is kept.

import { get, part, send } from "../lib/api.js";
import { a, announce, fill, fresh, h } from "../lib/dom.js";
import { field, heading, section } from "../lib/parts.js";
import { clear, showWrong } from "../lib/refused.js";
import { link } from "../lib/route.js";
import { detectorRows } from "./jobs-detectors.js";
import { documentOf, draftOf, emptyDraft, keep, kept } from "./jobs-draft.js";
import { matching } from "./jobs-match.js";
import { preview } from "./jobs-preview.js";
import { jobLink, seconds } from "./jobs-words.js";

const MODELS = ["rhythm", "ewma", "population", "joint", "river:anomaly.HalfSpaceTrees", "river:anomaly.GaussianScorer"];
const SPANS = ["60", "300", "900", "3600", "86400"];

export async function form(main, context) {
  const { signal, query } = context;
  const like = query.get("like") ?? "";
  const draft = kept(like) ?? (like ? draftOf(await get(`/jobs/${part(like)}`, {}, signal)) : emptyDraft());
  const errors = h("div");
  const parts = h("div");
  const matched = h("p.about", { role: "status" });
  const names = h("datalist", { id: fresh("names") });
  const look = matching(matched, signal, (fields) => fill(names, ["source", ...fields].map((value) => h("option", { value }))));

  const changed = () => keep(like, draft);
  const looked = (wait) => (draft.kind === "value" || draft.events) && look(draft.sources, draft.fields, wait);
  /** An input of the draft's *name*. */
  const bound = (name, made, then = null) => {
    made.value = draft[name];
    made.dataset.place = name;
    made.addEventListener("input", () => {
      draft[name] = made.value;
      changed();
      then?.();
    });
    return made;
  };
  const line = (name, attributes = {}, then = null) => bound(name, h("input", { autocomplete: "off", spellcheck: "false", ...attributes }), then);
  const area = (name, rows, then = null) => bound(name, h("textarea.short", { rows, spellcheck: "false" }), then);
  const radio = (group, value, text, help, checked, chosen) => {
    const input = h("input", { type: "radio", name: group, value, checked, id: fresh("r"), "aria-describedby": help ? fresh("d") : null, onchange: () => {
      chosen();
      changed();
      draw();
      parts.querySelector(`input[name="${group}"]:checked`)?.focus();
    } });
    return h("div.choice", {}, input, h("label", { for: input.id }, text), help ? h("small", { id: input.getAttribute("aria-describedby") }, help) : null);
  };

  function draw() {
    const detectors = draft.kind === "detectors";
    const spanSays = h("small", { role: "status" });
    const says = () => { spanSays.textContent = /^\d+$/.test(draft.bucket_span_s) ? seconds(Number(draft.bucket_span_s)) : "a number of seconds"; };
    says();
    const spans = h("datalist", { id: fresh("s") }, SPANS.map((value) => h("option", { value }, seconds(Number(value)))));
    const watches = detectors && !draft.events ? null : [
      h("div.fields", {},
        field("Sources", area("sources", 2, looked), "patterns, one a line: pump-*, *"),
        field("Fields", area("fields", 2, looked), "patterns, one a line: temp*, *")),
      matched,
    ];
    fill(parts,
      h("fieldset", {}, h("legend", {}, "What kind of job"),
        radio("kind", "detectors", "Questions of buckets", "Is this bucket unlike the buckets before it, or unlike its peers? Detectors ask it.", detectors, () => { draft.kind = "detectors"; }),
        radio("kind", "value", "Follow readings", "Is this reading novel for its series? A model judges each, the moment it arrives.", !detectors, () => { draft.kind = "value"; })),
      h("fieldset", {}, h("legend", {}, "Name"), h("div.fields", {},
        field("Id", line("id", { maxlength: 64, required: true }), "letters, digits, . _ -"), field("Description", line("description")))),
      h("fieldset", {}, h("legend", {}, "What it looks at"),
        detectors ? [
          radio("events", "yes", "Events that are posted from now on", null, draft.events, () => { draft.events = true; }),
          radio("events", "no", "Records that are sent to it, or read by a feed", null, !draft.events, () => { draft.events = false; }),
        ] : null,
        watches,
        h("div.fields", {},
          h("div.field", {}, [...field("Bucket span, seconds", line("bucket_span_s", { inputmode: "numeric", list: spans.id }, says)).childNodes], spanSays, spans),
          field("Latency, seconds", line("latency_s", { inputmode: "numeric" }), "so much later than the newest an event may come"))),
      detectors ? [
        h("fieldset", {}, h("legend", {}, "Detectors"), detectorRows(draft.detectors, { changed, names: names.id, draw })),
        h("fieldset", {}, h("legend", {}, "Whom to blame"), field("Influencers", area("influencers", 2), "fields whose values may be to blame, one a line")),
      ] : h("fieldset", {}, h("legend", {}, "How it judges"), h("div.fields", {},
        field("Model", line("model", { list: "models" }), "rhythm knows days, weeks, jumps and silence"), field("Parameters", line("parameters", { placeholder: '{"tier": "large"}' }), "JSON, of the model")),
      h("datalist", { id: "models" }, MODELS.map((value) => h("option", { value })))),
      h("details", { open: draft.advanced !== "" }, h("summary", {}, "Advanced"),
        field("More members, as JSON", bound("advanced", h("textarea", { spellcheck: "false", placeholder: detectors ? '{"model_plot": {}, "memory_max_mb": 64}' : '{"peer_groups": ["pump-*"]}' })),
          "as docs/jobs.md has them; what is here goes before the inputs above")),
      names);
    looked(0);
  }

  const wrong = (error) => showWrong(error, parts, errors);
  const body = () => {
    clear(parts, errors);
    return documentOf(draft);
  };
  const save = async (event) => {
    event.preventDefault();
    const button = node.querySelector("button.primary");
    button.disabled = true;
    try {
      const made = await send("POST", "/jobs", body());
      keep(like, null);
      announce(`Job ${made.id} is created`);
      location.hash = jobLink(made.id);
    } catch (error) {
      wrong(error);
    } finally {
      button.disabled = false;
    }
  };
  const node = h("form.job-form", { novalidate: true, onsubmit: save }, errors, parts,
    h("div.actions", {}, h("button.primary", { type: "submit" }, "Create the job"), h("button", {
      type: "button", onclick: () => {
        keep(like, null);
        Object.assign(draft, emptyDraft());
        clear(parts, errors);
        draw();
      },
    }, "Start over"), a(link("jobs"), "To the jobs")));
  const tried = h("div");
  draw();
  fill(main, heading(like ? `New job like ${like}` : "New job", "It sees what arrives from now on. The preview shows what it would have said of the past."),
    h("div.job-new", {}, node, section("Preview", tried)));
  preview(tried, { draft, changed, body, wrong }, context);
}
