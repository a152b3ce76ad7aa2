"""From a model's name to a detector: an entry point, a model of river's, or a class by its path."""
from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from offbeat_detectors.contract import Detector
from offbeat_detectors.ewma import Ewma

GROUP = "offbeat.detectors"
BUILT_IN: Mapping[str, type[Any]] = {"ewma": Ewma}
RIVER = "river:"
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
           anything that passes ``checks``

    Raises UnknownDetector if the name leads nowhere, BadParameters if the detector refuses its parameters.
    """
    if model.startswith(RIVER):
        from offbeat_detectors.river_adapter import RiverDetector, UnknownModel  # river is heavy

        try:
            return RiverDetector(capacity, model.removeprefix(RIVER), **cast("dict[str, Any]", dict(parameters)))
        except UnknownModel as error:
            hint = "name a model as river does: river:anomaly.HalfSpaceTrees"
            raise UnknownDetector(str(error), hint=hint) from error
        except (TypeError, ValueError) as error:
            hint = "parameters are those of river's class; in a pipeline, Class.parameter"
            raise BadParameters(f"{model}: {error}", hint=hint) from error
    cls = _class_of(model)
    try:
        detector: Detector = cls(capacity, **parameters)
    except (TypeError, ValueError) as error:
        raise BadParameters(f"{model}: {error}", hint=_takes(cls)) from error
    return detector


def _class_of(model: str) -> Any:
    for point in entry_points(group=GROUP):
        if point.name == model:
            return _import(model, point.value)
    if model in BUILT_IN:
        return BUILT_IN[model]
    if ":" in model:
        return _import(model, model)
    hint = f"one of {', '.join(names())}, river:<model>, or package.module:Class"
    raise UnknownDetector(f"there is no detector {model!r}", hint=hint)


def _import(model: str, path: str) -> Any:
    module, _, attribute = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "package.module:Class must be importable where the daemon runs"
        raise UnknownDetector(f"the detector {model!r} cannot be imported: {error}", hint=hint) from error
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
