// Somebody has seen an outcome: who, and what they say of it.

import { send } from "../lib/api.js";
import { h } from "../lib/dom.js";
import { failed, field } from "../lib/parts.js";
import { ago, ms } from "../lib/time.js";

/** What is said of an outcome already, or the way to say it. *again* is called after a change. */
export function acknowledgement(outcome, again) {
  if (outcome.maintenance) return h("span", { title: outcome.maintenance.reason }, `maintenance: ${outcome.maintenance.reason}`);
  if (outcome.acknowledged) {
    const { who, comment, at } = outcome.acknowledged;
    return h("span", {}, `${who}, ${ago(ms(at))}: ${comment} `, h("button.plain", {
      type: "button", onclick: async () => {
        await send("DELETE", `/status/${outcome.subject}/acknowledgement`);
        again();
      },
    }, "Take back"));
  }
  if (outcome.status === "GREEN") return "";
  return h("button", { type: "button", "aria-label": `Acknowledge ${outcome.check}`, onclick: () => ask(outcome, again) }, "Acknowledge");
}

function remembered() {
  try {
    return localStorage.getItem("offbeat.who") ?? "";
  } catch {
    return "";
  }
}

function ask(outcome, again) {
  const who = h("input", { value: remembered(), required: true, maxlength: 100, autocomplete: "name" });
  const comment = h("textarea", { required: true, maxlength: 1000 });
  const trouble = h("div");
  const dialog = h("dialog", { "aria-label": "Acknowledge" },
    h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          await send("PUT", `/status/${outcome.subject}/acknowledgement`, { who: who.value, comment: comment.value });
          try {
            localStorage.setItem("offbeat.who", who.value);
          } catch { /* asked again next time */ }
          dialog.close();
          again();
        } catch (error) {
          trouble.replaceChildren(failed(error));
        }
      },
    }, h("h2", {}, "Acknowledge"), h("p", {}, outcome.message || outcome.status),
    field("Your name", who), field("Comment", comment, "It ends by itself once the check is GREEN again."), trouble,
    h("div.actions", {}, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
      h("button.primary", { type: "submit" }, "Acknowledge"))));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  (who.value ? comment : who).focus();
}
