"""How well detectors find what is labelled, how often they cry wolf, how fast they are: one configuration, causal."""
from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from common import machine
from common.corpora import BENCH, load_labelled, load_nab
from common.findings import FINDING, FIRST_ROWS, WarmUp
from common.judge import Model
from common.nab import MANY, NabScorer
from common.report import digits, listed, short, table
from common.speed import Speed
from common.trial import (
    FULL,
    LEVELS,
    QUICK,
    SLOW,
    CalmTrial,
    LabelledTrial,
    NabTrial,
    Plan,
    try_calm,
    try_labelled,
    try_nab,
    try_speed,
    warm_up_of,
)
from offbeat_detectors import registry
from offbeat_detectors.scores import score_of_strength

SECTIONS = ("nab", "labelled", "calm", "speed")
RIVER: Mapping[str, Model] = {model.name: model for model in (
    Model("river:preprocessing.MinMaxScaler|anomaly.HalfSpaceTrees", label="river HalfSpaceTrees"),
    Model("river:anomaly.GaussianScorer", label="river GaussianScorer"),
    Model("river:anomaly.PredictiveAnomalyDetection", {
        "predictive_model": {"river": "time_series.SNARIMAX", "p": 2, "d": 0, "q": 1}}, "river SNARIMAX"),
)}
"""Scaled as river's reference advises, with the parameters that a class cannot do without; otherwise its defaults."""

ABLATION_ALIGNMENTS = 6
ABLATION_SERIES = 40
FLEET = (500_000, 2_500, True)


@dataclass
class Measured:
    """What was found out about one detector; None: not asked for."""

    model: Model
    plan: Plan
    nab: NabTrial | None = None
    labelled: LabelledTrial | None = None
    undamped: WarmUp | None = None
    calm: dict[str, CalmTrial] = field(default_factory=dict)
    speeds: list[Speed] = field(default_factory=list)

    @property
    def warm_up(self) -> WarmUp | None:
        """Over NAB and the labelled series."""
        return self.nab.warm_up + self.labelled.warm_up if self.nab and self.labelled else None


class Run:
    """One call of the program: the corpora, loaded once, and what each detector gave."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._wants = frozenset(options.only)
        if self._wants & {"nab", "labelled"} and not BENCH.exists():
            raise SystemExit(f"the corpora are not at {BENCH}: --only calm,speed does without")
        if "nab" in self._wants:
            self._scorer = NabScorer(load_nab(), options.plan.alignments)
        if "labelled" in self._wants:
            self._labelled = load_labelled()

    def measure(self, model: Model, plan: Plan, *, ablation: bool = False) -> Measured:
        """All that is asked for of one detector."""
        began_s, measured = time.perf_counter(), Measured(model, plan)
        if "nab" in self._wants:
            measured.nab = try_nab(model, self._scorer, plan)
        if "labelled" in self._wants:
            measured.labelled = try_labelled(model, self._labelled)
        damping = self._options.damping
        if measured.warm_up and not ablation and damping in model.components:
            measured.undamped = warm_up_of(model.without(damping), self._scorer, self._labelled, plan)
        if "calm" in self._wants:
            measured.calm = try_calm(model, plan, self._options.seed)
        if "speed" in self._wants and not ablation:
            fleets = [(20, 300, False)] if is_slow(model) else [(1_000, 2_500, False)]
            if self._options.fleet and not is_slow(model):
                fleets.append(FLEET)
            measured.speeds = try_speed(model, plan, fleets)
        print(f"{model}: {time.perf_counter() - began_s:.0f} s", flush=True)
        return measured


def is_slow(model: Model) -> bool:
    """Whether a detector is one of Python objects, which gets a smaller plan unless --full is given."""
    return model.name.startswith(registry.RIVER)


def figure(value: float, places: int = 1) -> str:
    """A figure with so many places; a dash for none."""
    return f"{value:.{places}f}" if math.isfinite(value) else "–"


def summary(measured: Sequence[Measured]) -> str:
    """A row a detector: what matters of every section."""
    heads = ("detector", "NAB", "crossed", "found / false", "VUS-PR", "F1 a set", "F1 one threshold",
             "worst calm ≥ 50", "≥ 75", "warm-up", "delay rows", "events/s", "bytes")
    rows = []
    for one in measured:
        nab, labelled, warm = one.nab, one.labelled, one.warm_up
        row = [str(one.model)]
        row += [figure(nab.strength.score), figure(nab.strength.crossed),
                f"{nab.strength.found:.0f} / {nab.strength.false_alarms:.0f}"] if nab else ["–"] * 3
        row += [figure(labelled.vus_mean, 3), figure(labelled.strength.mean("f1"), 3),
                f"{labelled.strength.pooled.f1:.3f} / {labelled.strength.even_f1:.3f}"] if labelled else ["–"] * 3
        row += [figure(worst(one, 50.0), 2), figure(worst(one, 75.0), 2)]
        row += [figure(warm.ratio) if warm else "–",
                figure(labelled.delay_rows) if labelled else "–"]
        row += [short(one.speeds[0].rate), str(one.speeds[0].detector_bytes)] if one.speeds else ["–"] * 2
        rows.append(row)
    return table(heads, rows)


def worst(one: Measured, level: float) -> float:
    """Findings of *level* or more per 10,000 points of the kind of calm series that has most."""
    at = LEVELS.index(level)
    return max((trial.later[at] for trial in one.calm.values()), default=math.nan)


def nab_table(measured: Sequence[Measured]) -> str:
    """NAB by the strength of findings and by novelty."""
    heads = ("detector", "by", "standard", "±", "crossed", "low FP", "low FN", "threshold", "found", "false alarms",
             f"false at {MANY} found", "delay rows", "alignments")
    rows = []
    for one in measured:
        for by, f in (("E", one.nab.strength), ("F", one.nab.novelty)) if one.nab else ():
            limit = digits(f.threshold) + (f" (score {score_of_strength(f.threshold):.0f})" if by == "E" else "")
            rows.append([str(one.model), by, figure(f.score), figure(f.deviation), figure(f.crossed), figure(f.low_fp),
                         figure(f.low_fn), limit, f"{f.found:.1f} of {f.of:.0f}", figure(f.false_alarms),
                         figure(f.false_many), figure(f.delay_rows), str(one.plan.alignments)])
    return table(heads, rows)


def labelled_table(measured: Sequence[Measured]) -> str:
    """Every set, their mean, and everything with one threshold."""
    heads = ("detector", "set", "events", "VUS-PR", "F1, E > 0", "F1, E ≥ 0.35", "scorer's F1", "threshold", "found",
             "false alarms", "fa@r50", "F1, F ≥ 0.35", "scorer's of F", "fa@r50 of F")
    rows = []
    for one in measured:
        if one.labelled is None:
            continue
        name, e, f = str(one.model), one.labelled.strength, one.labelled.novelty
        for of, mine in [*e.sets.items(), ("all, pooled", e.pooled)]:
            other = f.sets.get(of, f.pooled)
            rows.append([
                name, of, str(mine.events), figure(one.labelled.vus.get(of, math.nan), 3), figure(mine.f1, 3),
                figure(mine.finding_f1, 3), figure(mine.scorer_f1, 3), digits(mine.threshold), str(mine.found),
                str(mine.false_alarms), figure(mine.at_half), figure(other.finding_f1, 3), figure(other.scorer_f1, 3),
                figure(other.at_half)])
        rows.append([
            name, "mean of sets", "–", figure(one.labelled.vus_mean, 3), figure(e.mean("f1"), 3),
            figure(e.mean("finding_f1"), 3), figure(e.mean("scorer_f1"), 3), "each its own", "–", "–",
            figure(e.mean("at_half")), figure(f.mean("finding_f1"), 3), figure(f.mean("scorer_f1"), 3),
            figure(f.mean("at_half"))])
        rows.append([
            name, "mean, one threshold", "–", "–", figure(e.even_f1, 3), figure(e.even_findings, 3), "–",
            digits(e.even_threshold), "–", "–", "–", figure(f.even_findings, 3), "–", "–"])
    return table(heads, rows)


def warm_up_table(measured: Sequence[Measured]) -> str:
    """False findings at first and later; what damping costs where it can be left out."""
    heads = ("detector", "corpus", f"first {FIRST_ROWS} rows", "later", "ratio", "events there", "found",
             "found undamped", "lost")
    rows = []
    for one in measured:
        parts = [("NAB", one.nab.warm_up)] if one.nab else []
        parts += [("labelled", one.labelled.warm_up)] if one.labelled else []
        parts += [("both", one.warm_up)] if one.warm_up else []
        for name, warm in parts:
            bare = one.undamped if name == "both" else None
            lost = 1.0 - warm.early_found / bare.early_found if bare and bare.early_found else math.nan
            rows.append([str(one.model), name, figure(warm.early_rate, 2), figure(warm.later_rate, 2),
                         figure(warm.ratio, 2), figure(warm.early_events), figure(warm.early_found),
                         figure(bare.early_found) if bare else "–", f"{100 * lost:.0f} %" if lost == lost else "–"])
    return table(heads, rows)


def delay_table(measured: Sequence[Measured]) -> str:
    """From the beginning of an event to its first finding."""
    heads = ("detector", "set", "events", "found", "rows", "seconds", "at once")
    rows = []
    for one in measured:
        delays = one.labelled.delay if one.labelled else {}
        for name, seen in [*delays.items(), *([("NAB", one.nab.delay)] if one.nab else [])]:
            rows.append([str(one.model), name, str(seen.events), str(seen.found), figure(seen.rows),
                         figure(seen.seconds, 0), f"{100 * seen.at_once:.0f} %" if seen.found else "–"])
    return table(heads, rows)


def calm_table(measured: Sequence[Measured]) -> str:
    """Every kind of calm series."""
    heads = ("detector", "kind", *(f"≥ {level:.0f}" for level in LEVELS), "first: ≥ 50", "≥ 75", "points")
    rows = []
    for one in measured:
        for kind, trial in one.calm.items():
            rows.append([
                str(one.model), kind, *(figure(rate, 2) for rate in trial.later),
                *(figure(trial.early[LEVELS.index(level)], 2) for level in (50.0, 75.0)),
                short(one.plan.series * one.plan.rows)])
    return table(heads, rows)


def speed_table(measured: Sequence[Measured]) -> str:
    """Processor time and memory."""
    heads = ("detector", "series", "order", "events/s", "readings before", "bytes a series", "of the alert stage")
    return table(heads, [
        [str(one.model), f"{speed.series:,}", speed.order, short(speed.rate), short(speed.seen),
         f"{speed.detector_bytes:,}", str(speed.alert_bytes)]
        for one in measured for speed in one.speeds])


def ablation_table(whole: Measured, variants: Sequence[Measured]) -> str:
    """What each component gives: the whole detector, and the difference that its absence makes."""
    heads = ("", "NAB", "false alarms", "VUS-PR", "F1 a set", "F1 one threshold", "mean, one threshold",
             "worst calm ≥ 50", "≥ 75", "warm-up")
    places = (1, 1, 3, 3, 3, 3, 2, 2, 2)

    def figures(one: Measured) -> list[float]:
        nab, labelled, warm = one.nab, one.labelled, one.warm_up
        return [
            nab.strength.score if nab else math.nan, nab.strength.false_alarms if nab else math.nan,
            labelled.vus_mean if labelled else math.nan, labelled.strength.mean("f1") if labelled else math.nan,
            labelled.strength.pooled.f1 if labelled else math.nan, labelled.strength.even_f1 if labelled else math.nan,
            worst(one, 50.0), worst(one, 75.0), warm.ratio if warm else math.nan]

    base = figures(whole)
    rows = [[str(whole.model), *(figure(value, p) for value, p in zip(base, places, strict=True))]]
    for one in variants:
        changes = [mine - value for mine, value in zip(figures(one), base, strict=True)]
        rows.append([str(one.model), *(f"{value:+.{p}f}" if math.isfinite(value) else "–"
                                       for value, p in zip(changes, places, strict=True))])
    return table(heads, rows)


def sections(measured: Sequence[Measured], wants: frozenset[str]) -> list[str]:
    """Every table under its head."""
    parts = ["## Together", summary(measured)]
    if "nab" in wants:
        parts += ["## NAB", nab_table(measured)]
    if "labelled" in wants:
        parts += ["## Labelled series", labelled_table(measured)]
    if wants & {"nab", "labelled"}:
        parts += ["## Warm-up", f"False findings of {FINDING:.0f} or more per 10,000 rows.", warm_up_table(measured),
                  "## Delay", f"Until the first finding of {FINDING:.0f} or more.", delay_table(measured)]
    if "calm" in wants:
        parts += ["## Calm series", f"Findings per 10,000 points after the first {FIRST_ROWS}.", calm_table(measured)]
    if "speed" in wants:
        parts += ["## Speed", speed_table(measured)]
    return parts


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller plan, nothing of river's: under a minute")
    parser.add_argument("--full", action="store_true", help="the whole plan for river's detectors too: hours")
    parser.add_argument("--only", type=_listed, default=SECTIONS, metavar="LIST", help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--detectors", type=lambda text: text.split(","), metavar="LIST",
                        help="names of models (default: rhythm if there is one, ewma, and unless --quick river's)")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON",
                        help='by detector: {"rhythm": {"without": ["drift"]}}')
    parser.add_argument("--ablate", action="store_true", help="also each detector without each of its components")
    parser.add_argument("--damping", default="settling", help="the component that damps findings at first")
    parser.add_argument("--fleet", action="store_true", help="also the speed of 500,000 series in random order")
    parser.add_argument("--alignments", type=int, help="of NAB (default 16; 4 if --quick)")
    parser.add_argument("--series", type=int, help="calm series of each kind (default 200; 20 if --quick)")
    parser.add_argument("--rows", type=int, help="of each of them (default 20,000; 10,000 if --quick)")
    parser.add_argument("--seed", type=int, default=1, help="of the calm series")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the report")
    options = parser.parse_args(given)
    chosen = {"alignments": options.alignments, "series": options.series, "rows": options.rows}
    options.plan = replace(QUICK if options.quick else FULL, **{k: v for k, v in chosen.items() if v is not None})
    return options


def _listed(text: str) -> tuple[str, ...]:
    parts = tuple(text.split(","))
    if unknown := set(parts) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: expected some of {','.join(SECTIONS)}")
    return parts


def models(options: argparse.Namespace) -> list[Model]:
    """The detectors to run."""
    known = [name for name in ("rhythm", "ewma") if name in registry.names()]
    names = options.detectors or known + ([] if options.quick else list(RIVER))
    made = []
    for name in names:
        model, given = RIVER.get(name, Model(name)), options.parameters.get(name)
        made.append(model if given is None else replace(
            model, parameters={**model.parameters, **given}, label=f"{model} {json.dumps(given)}"))
    return made


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print, write what was asked for."""
    options = arguments(given)
    facts = machine.facts(Path(__file__).resolve().parent)
    print(listed(facts), flush=True)
    run, chosen = Run(options), models(options)
    plans = {str(model): SLOW if is_slow(model) and not options.full else options.plan for model in chosen}
    measured = [run.measure(model, plans[str(model)]) for model in chosen]
    command = shlex.join(["python", "benchmarks/detection.py", *(sys.argv[1:] if given is None else given)])
    said = {**facts, "river": version("river"), "command": command,
            **{f"plan of {name}": plan.text() for name, plan in plans.items()}}
    parts = [f"# Detection\n\n{listed(said)}", *sections(measured, frozenset(options.only))]
    for model in chosen if options.ablate else ():
        if model.components:
            smaller = replace(plans[str(model)], alignments=min(ABLATION_ALIGNMENTS, options.plan.alignments),
                              series=min(ABLATION_SERIES, options.plan.series))
            whole = run.measure(model, smaller, ablation=True)
            variants = [run.measure(model.without(name), smaller, ablation=True) for name in model.components]
            parts += [f"## {model} without one component", smaller.text(), ablation_table(whole, variants)]
    text = "\n\n".join(parts) + "\n"
    print(f"\n{text}")
    if options.markdown:
        options.markdown.parent.mkdir(parents=True, exist_ok=True)
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
