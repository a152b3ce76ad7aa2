// What a score and a status mean to the eye: a word, a sign and a colour; never a colour alone.

import { h } from "./dom.js";

/** From the highest: the least score of each class, its word, its sign, its name in the styles. */
export const CLASSES = [
  { from: 75, word: "critical", sign: "▲", name: "critical" },
  { from: 50, word: "major", sign: "◆", name: "major" },
  { from: 25, word: "minor", sign: "■", name: "minor" },
  { from: Number.MIN_VALUE, word: "slight", sign: "·", name: "slight" },
  { from: 0, word: "quiet", sign: "", name: "quiet" },
];

/** The class of a score. */
export function classOf(score) {
  return CLASSES.find((one) => score >= one.from) ?? CLASSES.at(-1);
}

/** The score with its sign, on its colour. */
export function scoreBadge(score) {
  const found = classOf(score);
  return h(`span.badge.score-${found.name}`, { title: `${found.word}: ${score.toFixed(1)} of 100` },
    h("span", { "aria-hidden": "true" }, found.sign), ` ${Math.round(score)} `, h("span.unseen", {}, found.word));
}

export const STATUSES = {
  GREEN: { word: "GREEN", sign: "✓", name: "green" },
  YELLOW: { word: "YELLOW", sign: "!", name: "yellow" },
  RED: { word: "RED", sign: "✕", name: "red" },
};

/** A status with its sign and word, on its colour; null: none yet. */
export function statusBadge(status) {
  const found = STATUSES[status] ?? { word: "no outcome", sign: "–", name: "none" };
  return h(`span.badge.status-${found.name}`, {}, h("span", { "aria-hidden": "true" }, `${found.sign} `), found.word);
}

const UNITS = ["", "k", "M", "G", "T"];

/** A number with about four digits that count. */
export function number(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-4)) return value.toExponential(digits - 2);
  return new Intl.NumberFormat("en", { maximumSignificantDigits: Math.max(digits, size ? Math.floor(Math.log10(size)) + 1 : 1) })
    .format(value);
}

/** 1.2 MB */
export function bytes(value) {
  let at = 0;
  while (value >= 1000 && at < UNITS.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at && value < 100 ? value.toFixed(1) : Math.round(value)} ${UNITS[at]}B`;
}

/** 12,345 */
export function count(value) {
  return value === null || value === undefined ? "–" : new Intl.NumberFormat("en").format(value);
}
