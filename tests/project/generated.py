"""The files that are made from code, as text. `make docs` writes them; test_generated.py says when it is due."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from offbeat.cli.sample import sample_toml, settings_table, sinks_table
from offbeat_detectors.buckets import content, distinct, influence, numbers
from offbeat_detectors.buckets.functions import FUNCTIONS, Function
from offbeat_detectors.checks import registry
from offbeat_detectors.checks.civil import WINDOWS
from offbeat_detectors.checks.contract import Parameter

TOP = Path(__file__).parents[2]

SETTINGS_HEAD = """\
# Settings

<!-- made by `make docs` from daemon/offbeat/config.py -->

`offbeat serve --config FILE` reads a TOML file; [deploy/offbeat.toml](../deploy/offbeat.toml) names every setting with
its default. A setting that is unknown, of the wrong type or out of range stops the start with a sentence that says
which and, where the name is nearly one, what was meant; `offbeat check-config FILE` says the same beforehand, and with
`--print` what the file comes to. `--host`, `--port` and `--state-dir` on the command line override the file.

SIGHUP (`systemctl reload offbeat`) reads the file again. Settings marked *reload* change at once; the others wait for
the next start. A file that is wrong changes nothing.

"""

FUNCTIONS_TEXT = """\
# Functions

<!-- made by `make docs` from detectors/offbeat_detectors/buckets/functions.py -->

What a detector may compute of each bucket and entity, under the names that clients of Prelert Engine and of its heir
know. An entity is one combination of the values of the by, over and partition fields; a partition field is optional
everywhere. A function with a *high* or *low* form reports only what is unusually high or low. The detectors of a
[job](jobs.md) ask for them by these names; in Python, `offbeat_detectors.buckets` computes them.

| function | also called | high, low | field | by | over | computed | `functionDescription` | empty bucket | judged by |
|---|---|---|---|---|---|---|---|---|---|
{rows}

Names are lower case; a name that is none is answered with the nearest one. A function for which field, by and over are
all optional or forbidden may stand alone.

- **Empty bucket**: *zero* is a value like others, and may be unusual; what is *skipped* teaches nothing. For `sum` a
  bucket is empty without a number, for the counts without an event.
- **Summary counts**: a row may stand for several events. Counts add what it stands for; sums, means, variances and
  medians are weighted by it; smallest and largest are not. A row for no event is ignored. {unsummarised}
- **Overlapping buckets** are not for {forbidden};
  {useless} gain nothing from them.
- **[By values that follow one another](jobs.md#by-values-that-follow-one-another)** are judged beside each other by
  functions that the model judges, with a by and without an over field.
- **Numbers**: what is not a finite number counts as an event and is otherwise ignored. Sums lose nothing to rounding
  that shows; how rows are cut into requests changes no bit.
- **`median`** is exact up to {listed} numbers an entity and bucket, with more it is off by 1.5 % of the ranks at most.
- **`distinct_count`** is exact up to {exact}, with more it is an estimate with a standard error of 1.6 %.
- **`info_content`** is the size in bytes of the distinct strings, sorted, as zlib compresses them. Of an entity and
  bucket the first {strings:,} strings, {kibibytes} KiB, are looked at; rows with others are counted.

## Influencers

Whom to blame: the influencer values without which a bucket would be less odd. For each value the bucket is computed
once more from all other rows of the entity, to be judged again. The influence of the value is 1 if what is left is
normal (a probability of {normal} or more) or nothing, 0 if it is as odd as before, and between by the logarithms.

Of each influencer field, an entity keeps at least the {values} values with the most events in a bucket apart. When
the {twice}th comes, the lighter half is laid together: rows of those count, but none of them is blamed, and a value
that is new from then on may lack rows. How many events that concerns is counted.
"""


def functions_page() -> str:
    """The page of functions; a high and a low form stand in the row of the function that they are of."""
    return FUNCTIONS_TEXT.format(
        rows="\n".join(_row(each) for each in FUNCTIONS if each.side == "both"),
        unsummarised=f"`{'`, `'.join(each.name for each in FUNCTIONS if not each.summarised)}` takes none.",
        forbidden=_listed(each.name for each in FUNCTIONS if each.overlapping == "forbidden"),
        useless=_listed(each.name for each in FUNCTIONS if each.overlapping == "useless"),
        listed=numbers.LISTED_MAX, exact=distinct.EXACT_MAX, strings=content.KEPT_TEXTS_MAX,
        kibibytes=content.KEPT_BYTES_MAX // 1024, normal=influence.NORMAL, values=influence.VALUES_MAX,
        twice=2 * influence.VALUES_MAX + 1)


def _row(function: Function) -> str:
    sided = any(each.name == f"high_{function.name}" for each in FUNCTIONS)
    cells = (f"`{function.name}`", ", ".join(f"`{each}`" for each in function.synonyms), "yes" if sided else "",
             function.field, function.by, function.over, ", ".join(function.features),
             ", ".join(f"`{each}`" for each in function.descriptions), function.empty, function.probability)
    return f"| {' | '.join(cells)} |"


KINDS_BEGIN = "<!-- kinds: made by `make docs` from detectors/offbeat_detectors/checks -->\n"
KINDS_END = "<!-- end of kinds -->\n"
WINDOW_NAMES = tuple(each.name for each in WINDOWS)


def checks_page() -> str:
    """The page of checks as it is, with the built-in kinds between both comments."""
    before, _, rest = (TOP / "docs" / "checks.md").read_text().partition(KINDS_BEGIN)
    made = "\n".join(_kind(info) for info in registry.kinds() if info.origin == "built-in")
    windows = "".join(f"| `{each.name}` | {each.about} |\n" for each in WINDOWS)
    return (f"{before}{KINDS_BEGIN}{made}\nAll of them take:\n\n| parameter | |\n|---|---|\n{windows}"
            f"{KINDS_END}{rest.partition(KINDS_END)[2]}")


def _kind(info: registry.KindInfo) -> str:
    also = f" (also `{'`, `'.join(info.also)}`)" if info.also else ""
    columns = "one column" if info.columns_max == 1 else f"{info.columns_min} to {info.columns_max} columns"
    rows = "".join(f"| `{each.name}` | {_default(each)} | {each.unit} | {each.about} |\n"
                   for each in info.parameters or () if each.name not in WINDOW_NAMES)
    head = "| parameter | default | unit | |\n|---|---|---|---|\n"
    return f"### `{info.kind}`{also}\n\n{info.about} Takes {columns}.\n\n{head}{rows}"


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "needed"
    shown = f"{parameter.default:g}" if parameter.kind in ("number", "integer") and parameter.default is not None else (
        "" if parameter.default is None else str(parameter.default).lower())
    others = f" ({', '.join(each for each in parameter.choices if each != shown)})" if parameter.choices else ""
    return f"{shown}{others}"


def _listed(names: Iterable[str]) -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def generated() -> dict[Path, str]:
    """Each generated file and what it must hold."""
    return {
        TOP / "deploy" / "offbeat.toml": sample_toml(),
        TOP / "docs" / "settings.md": f"{SETTINGS_HEAD}{settings_table()}\n{sinks_table()}",
        TOP / "docs" / "functions.md": functions_page(),
        TOP / "docs" / "checks.md": checks_page(),
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
        print(f"made {path.relative_to(TOP)}")
