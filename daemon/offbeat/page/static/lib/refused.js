// What the daemon refuses, said beside the input that it is about. An input says in data-place which member it is.

import { fill, fresh, h } from "./dom.js";
import { sentence } from "./parts.js";

/** No input of *parts* is called wrong any longer, and *errors* is empty. */
export function clear(parts, errors) {
  fill(errors);
  for (const one of parts.querySelectorAll("[aria-invalid]")) right(one);
}

/** *input* is no longer called wrong. */
export function right(input) {
  if (!input.hasAttribute("aria-invalid")) return;
  input.removeAttribute("aria-invalid");
  const said = input.parentElement.querySelector(".wrong");
  if (said) {
    input.setAttribute("aria-describedby", (input.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== said.id).join(" "));
    if (!input.getAttribute("aria-describedby")) input.removeAttribute("aria-describedby");
    said.remove();
  }
}

/** Show a refusal beside the input in *parts* that it is about, until that is changed, and in *errors* above all of them. */
export function showWrong(error, parts, errors) {
  if (error.name === "AbortError") return;
  // A name that is taken is told as that of the job.
  const input = inputOf(error.where?.field ?? (error.where && ["job", "rule"].some((name) => name in error.where) ? "id" : null), parts);
  fill(errors, h("div.note.bad", { role: "alert" }, h("p", {}, h("strong", {}, sentence(error.message))), error.hint ? h("p", {}, sentence(error.hint)) : null));
  if (!input) {
    errors.scrollIntoView?.({ block: "nearest" });
    return;
  }
  const said = h("span.wrong", { id: fresh("w") }, sentence(error.message), error.hint ? ` ${sentence(error.hint)}` : "");
  right(input);
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", [input.getAttribute("aria-describedby"), said.id].filter(Boolean).join(" "));
  input.after(said);
  input.addEventListener("input", () => right(input), { once: true });
  const hidden = input.closest("details");
  if (hidden) hidden.open = true;
  input.focus();
}

/** The input of a place as "detectors[0].rules[1].actions": of it, or of what it is a part of; else the one of all the rest. */
function inputOf(place, parts) {
  if (!place) return null;
  const inputs = [...parts.querySelectorAll("[data-place]")];
  for (let now = place; now; now = now.replace(/(^|\.?)[^.[]*$|\[[^[]*$/, "")) {
    const found = inputs.find((one) => one.dataset.place === now && !one.disabled);
    if (found) return found;
  }
  return inputs.find((one) => one.dataset.place === "advanced") ?? null;
}
