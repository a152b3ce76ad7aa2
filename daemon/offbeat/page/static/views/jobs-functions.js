// The functions that a detector may ask for: what each means in a sentence, and what it needs. As docs/functions.md has them.

const [REQUIRED, OPTIONAL, FORBIDDEN] = ["required", "optional", "forbidden"];

const BOTH = [
  ["count", "How many events there are in a bucket; no event at all counts as well.", FORBIDDEN, OPTIONAL, OPTIONAL, true],
  ["non_zero_count", "How many events there are in a bucket that has some; a bucket without is left out.", FORBIDDEN, OPTIONAL, FORBIDDEN, true],
  ["distinct_count", "How many different values a field has in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["mean", "The mean of a field in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["median", "The median of a field in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, false],
  ["min", "The smallest value of a field in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, false],
  ["max", "The largest value of a field in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, false],
  ["metric", "Mean, smallest and largest value of a field, each watched.", REQUIRED, OPTIONAL, OPTIONAL, false],
  ["sum", "The sum of a field in a bucket; nothing at all is zero.", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["non_null_sum", "The sum of a field in a bucket that has numbers; a bucket without is left out.", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["varp", "How widely a field varies in a bucket (its variance).", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["info_content", "How much information the texts of a field hold in a bucket.", REQUIRED, OPTIONAL, OPTIONAL, true],
  ["rare", "Which values of the by field come rarely.", FORBIDDEN, REQUIRED, OPTIONAL, false],
  ["freq_rare", "Which members of the over field often have values that are rare among the others.", FORBIDDEN, REQUIRED, REQUIRED, false],
  ["time_of_day", "Whether events come at an unusual time of the day.", FORBIDDEN, OPTIONAL, OPTIONAL, false],
  ["time_of_week", "Whether events come at an unusual time of the week.", FORBIDDEN, OPTIONAL, OPTIONAL, false],
  ["lat_long", "Whether a position (latitude, longitude) is unusual.", REQUIRED, OPTIONAL, OPTIONAL, false],
];

const SIDED = { high: "Only what is unusually high is told.", low: "Only what is unusually low is told." };

/** {name, says, field, by, over}: field, by and over are required, optional or forbidden. */
export const FUNCTIONS = BOTH.flatMap(([name, says, field, by, over, sided]) => {
  const needs = { field, by, over };
  return [{ name, says, ...needs }, ...(sided ? Object.entries(SIDED).map(([side, more]) => ({ name: `${side}_${name}`, says: `${says} ${more}`, ...needs })) : [])];
});

const SYNONYMS = { nzc: "non_zero_count", dc: "distinct_count", avg: "mean" };

/** The function of this name, also of one that means the same; undefined if there is none. */
export function functionOf(name) {
  const [, side = "", plain] = /^(high_|low_)?(.*)$/.exec(name ?? "");
  return FUNCTIONS.find((one) => one.name === side + (SYNONYMS[plain] ?? plain));
}
