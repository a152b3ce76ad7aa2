"""What one setting is: its declaration, and how a value of the file becomes one. No setting here."""
from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import Field, field, fields
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from offbeat.errors import BadConfig


def setting(default: Any, why: str, *, unit: str = "", low: float | None = None, high: float | None = None,
            reload: bool = False) -> Any:
    """One setting of a section: *reload* says that SIGHUP applies it without a restart."""
    metadata = {"unit": unit, "why": why, "low": low, "high": high, "reload": reload}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check(section: str, holder: Any) -> None:
    for f in fields(holder):
        value, low, high = getattr(holder, f.name), f.metadata["low"], f.metadata["high"]
        if low is not None and value < low:
            raise BadConfig(
                f"{section}.{f.name} is {value!r}: it must be at least {low}", where={"setting": f"{section}.{f.name}"})
        if high is not None and value > high:
            raise BadConfig(
                f"{section}.{f.name} is {value!r}: it must be at most {high}", where={"setting": f"{section}.{f.name}"})


def known_zone(name: str) -> bool:
    """Whether *name* is a time zone that this machine has the rules of; UTC needs none."""
    if name == "UTC":
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory, as Europe, is an OSError
        return False
    return True


def coerced(name: str, f: Field[Any], value: Any) -> Any:
    """*value* of the file as the type of setting *f*; an integer may stand for a float, a list for a tuple."""
    kind = str(f.type)
    good: bool
    if kind == "float":
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        value = float(value) if good else value
    elif kind == "int":
        good = isinstance(value, int) and not isinstance(value, bool)
    elif kind == "str":
        good = isinstance(value, str)
    elif kind.startswith("tuple"):
        good = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
        value = tuple(value) if good else value
    else:
        good = isinstance(value, dict)
    if not good:
        raise BadConfig(f"{name} is {value!r}: expected {KINDS.get(kind, kind)}", where={"setting": name})
    return value


KINDS = {
    "float": "a number", "int": "a whole number", "str": "a text", "tuple[str, ...]": "a list of texts",
    "dict[str, Any]": "a table",
}


def unknown(name: str, known: list[str], prefix: str = "") -> BadConfig:
    near = meant(name, known)
    hint = f"did you mean {prefix}{near}?" if near else f"known here: {', '.join(known)}"
    return BadConfig(f"{prefix}{name} is not a setting", hint=hint, where={"setting": f"{prefix}{name}"})


OTHER_WORDS = {"detector": "model", "detector_modules": "model_modules"}
"""What a name is also called, by its users and by earlier builds: never taken for it, only hinted at."""


def meant(name: str, known: Iterable[str]) -> str | None:
    """Which of the *known* names somebody who wrote *name* had in mind: by another word for it, or by its letters."""
    names = list(known)
    if OTHER_WORDS.get(name) in names:
        return OTHER_WORDS[name]
    near = difflib.get_close_matches(name, names, n=1)
    return near[0] if near else None
