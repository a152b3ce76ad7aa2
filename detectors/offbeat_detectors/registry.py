"""From a model's name to a detector: an entry point, a model of river's, or a class by its path."""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from offbeat_detectors.banded import banded
from offbeat_detectors.contract import Detector
from offbeat_detectors.ewma import Ewma
from offbeat_detectors.joint import Joint
from offbeat_detectors.online_clusters import OnlineClusters
from offbeat_detectors.population import Population
from offbeat_detectors.rhythm import Rhythm

GROUP = "offbeat.detectors"
BUILT_IN: Mapping[str, type[Any]] = {"ewma": Ewma, "joint": Joint, "rhythm": Rhythm, "population": Population,
                                       "clusters": OnlineClusters}
RIVER = "river:"
BANDS, ZONE = "experts", "time_zone"
METHODS = ("process", "warmup_left", "save", "restore", "forget")


class ModelError(ValueError):
    """A model that cannot be made. *message* is one sentence for a person, *hint* says what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnknownDetector(ModelError):
    """A name that leads to no detector."""


class BadParameters(ModelError):
    """A known detector that does not take these parameters."""


def names() -> tuple[str, ...]:
    """The models known by a plain name, sorted; beside them go ``river:…`` and ``package.module:Class``."""
    return tuple(sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))


def create(model: str, capacity: int, parameters: Mapping[str, object]) -> Detector:
    """The detector *model* for *capacity* series.

    model  a name of ``names()``; ``river:anomaly.HalfSpaceTrees`` (see river_adapter); or ``package.module:Class`` of
           anything that passes ``conformance``

    A model of river's, and a detector whose class has ``bands = "experts"``, is put into a Banded: where it has no
    typical value and bounds of its own, it has those of the experts. Such a model takes a ``time_zone``.

    Raises UnknownDetector if the name leads nowhere, BadParameters if the detector refuses its parameters.
    """
    own = dict(parameters)
    if model.startswith(RIVER):
        from offbeat_detectors.river_adapter import RiverDetector, UnknownModel  # river is heavy

        try:
            zone = _zone_of(own.pop(ZONE, "UTC"))
            inner = RiverDetector(capacity, model.removeprefix(RIVER), **cast("dict[str, Any]", own))
            return banded(inner, capacity, time_zone=zone)
        except UnknownModel as error:
            hint = "name a model as river does: river:anomaly.HalfSpaceTrees"
            raise UnknownDetector(str(error), hint=hint) from error
        except (TypeError, ValueError) as error:
            hint = "parameters are those of river's class; in a pipeline, Class.parameter"
            raise BadParameters(f"{model}: {error}", hint=hint) from error
    cls = _class_of(model)
    try:
        if not _is_banded(cls):
            detector: Detector = cls(capacity, **own)
            return detector
        zone = _zone_of(own.get(ZONE, "UTC"))
        if not _has(cls, ZONE):
            own.pop(ZONE, None)
        return banded(cls(capacity, **own), capacity, time_zone=zone)
    except (TypeError, ValueError) as error:
        raise BadParameters(f"{model}: {error}", hint=_takes(cls)) from error


def takes(model: str, parameter: str) -> bool:
    """Whether the detector *model* is made with a *parameter* of this name. Raises UnknownDetector.

    A model of river's has the parameters of its own class, which mean what river says: of those it is False.
    """
    if model.startswith(RIVER):
        return parameter == ZONE
    cls = _class_of(model)
    return (parameter == ZONE and _is_banded(cls)) or _has(cls, parameter)


def _has(cls: Any, parameter: str) -> bool:
    try:
        return parameter in inspect.signature(cls).parameters
    except (TypeError, ValueError):  # it does not say
        return False


def _is_banded(cls: Any) -> bool:
    return bool(getattr(cls, "bands", "") == BANDS)


def _zone_of(name: object) -> str:
    if not isinstance(name, str):
        raise ValueError(f"{ZONE} is {name!r}: expected the name of a time zone")
    return name


def _class_of(model: str) -> Any:
    for point in entry_points(group=GROUP):
        if point.name == model:
            return _import(model, point.value)
    if model in BUILT_IN:
        return BUILT_IN[model]
    if ":" in model:
        return _import(model, model)
    hint = f"one of {', '.join(names())}, river:<model>, or package.module:Class"
    raise UnknownDetector(f"there is no model {model!r}", hint=hint)


def _import(model: str, path: str) -> Any:
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "package.module:Class must be importable where the daemon runs"
        raise UnknownDetector(f"the model {model!r} cannot be imported: {error}", hint=hint) from error
    # A name may come from a request: nothing is called that does not at least look like a detector.
    if not inspect.isclass(found) or not all(hasattr(found, method) for method in METHODS):
        hint = f"name a class with {', '.join(METHODS)}, made as cls(capacity, **parameters)"
        raise UnknownDetector(f"{model!r} is no detector", hint=hint)
    return found


def _takes(cls: Any) -> str:
    """Which parameters the class has, as a hint."""
    try:
        taken = [p for p in inspect.signature(cls).parameters.values() if p.kind is p.KEYWORD_ONLY]
    except (TypeError, ValueError):
        return ""
    return "it takes " + (", ".join(f"{p.name} (default {p.default!r})" for p in taken) or "no parameters")
