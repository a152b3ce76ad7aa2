"""Curves as PNG. Needs matplotlib, of the dependency group ``bench``."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

SIZE_INCHES, DOTS_PER_INCH = (6.4, 4.0), 100


def curve(path: Path, title: str, across: str, lines: Mapping[str, Mapping[int, Sequence[float]]]) -> None:
    """One panel a line, over the same x; each is named by its y, and has the median of its values and their range."""
    figure = Figure(figsize=(SIZE_INCHES[0], SIZE_INCHES[1] * (0.4 + 0.6 * len(lines))), layout="constrained")
    panels = figure.subplots(len(lines), 1, sharex=True, squeeze=False)[:, 0]
    figure.suptitle(title)
    for panel, (name, points) in zip(panels, lines.items(), strict=True):
        at = list(points)
        middle = [sorted(values)[len(values) // 2] for values in points.values()]
        panel.plot(at, middle, marker="o")
        panel.fill_between(at, [min(v) for v in points.values()], [max(v) for v in points.values()], alpha=0.2)
        panel.set_xscale("log")
        panel.set_ylim(bottom=0.0)
        panel.set_ylabel(name)
        panel.grid(visible=True, alpha=0.3)
    panels[-1].set_xticks(at, [f"{x:,}" for x in at])
    panels[-1].minorticks_off()
    panels[-1].set_xlabel(across)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
