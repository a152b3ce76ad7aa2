"""What a process is told to compute, as one value that goes through its standard input. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

FEATURES: Mapping[str, str] = {
    "KPIDemo": "1.0.0",
    "RMS": "1.0.0",
    "ModeId": "0.1.1",
    "BlackSheep": "1.0.0",
    "ApplyModel": "0.1.0",
    "LabelPropagation": "0.1.0",
}
"""What can be computed, and the version that clients are told."""
POPULATION = frozenset({"BlackSheep"})
WITH_MODEL = frozenset({"ApplyModel", "LabelPropagation"})
WAVEFORMS_ONLY = frozenset({"KPIDemo", "RMS"})


@dataclass(frozen=True, slots=True)
class Member:
    """A source as it is analysed: its number and the id that its client gave it."""

    number: int
    id: str


@dataclass(frozen=True, slots=True)
class Task:
    """One analysis.

    members     in the order of the request, doubles kept    names   channels or columns that all of them have
    selected    those that are analysed                      params  as the client gave them
    start, end  first and last timestamp of the window       model   whose model counts: tenant and id, empty for none
    """

    path: str
    feature: str
    members: tuple[Member, ...]
    data_class: str
    names: tuple[str, ...]
    selected: tuple[str, ...]
    params: dict[str, Any]
    start: int
    end: int
    tenant: str
    model: str
    now_ms: int

    def as_json(self) -> bytes:
        """One line."""
        return orjson.dumps(asdict(self)) + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Task:
        """What ``as_json`` wrote."""
        document = orjson.loads(line)
        members = tuple(Member(**member) for member in document.pop("members"))
        names, selected = tuple(document.pop("names")), tuple(document.pop("selected"))
        return cls(members=members, names=names, selected=selected, **document)
