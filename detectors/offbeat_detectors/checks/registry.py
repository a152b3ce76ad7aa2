"""From a kind to a check: built in, an entry point, a class by its path, or a file of a folder."""
from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from offbeat_detectors.checks import folder as folders
from offbeat_detectors.checks.anomaly import Anomaly
from offbeat_detectors.checks.contract import Answer, Check, Needs, Parameter
from offbeat_detectors.checks.curve import Curve
from offbeat_detectors.checks.disagreement import Disagreement
from offbeat_detectors.checks.folder import Broken
from offbeat_detectors.checks.gap import Gap
from offbeat_detectors.checks.parameters import BadParameters, UnknownCheck, checked
from offbeat_detectors.checks.quality import Quality
from offbeat_detectors.checks.range import Range
from offbeat_detectors.checks.rate import Rate
from offbeat_detectors.checks.readings import Readings
from offbeat_detectors.checks.stuck import Stuck

GROUP = "offbeat.checks"
BUILT_IN: Mapping[str, type[Any]] = {
    "range": Range, "rate": Rate, "stuck": Stuck, "gap": Gap, "disagreement": Disagreement, "curve": Curve,
    "anomaly": Anomaly, "quality": Quality,
}
ALIASES: Mapping[str, str] = {"agreement": "disagreement", "flat": "stuck", "stale": "gap"}
"""Other words for built-in checks."""


@dataclass(frozen=True, slots=True)
class KindInfo:
    """What there is to know of a kind before a check of it is made.

    parameters  None: it does not declare them, and takes any
    origin      "built-in", "plug-in" (an entry point, or a class by its path) or "folder"
    """

    kind: str
    about: str
    parameters: tuple[Parameter, ...] | None
    columns_min: int
    columns_max: int
    origin: str
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class Adapted:
    """A function, or an object that does not say what it needs, as a Check. *made* is what a person wrote."""

    needs: Needs
    run: Callable[[Readings], Answer]
    made: Any


def kinds(folder: Path | None = None) -> tuple[KindInfo, ...]:
    """All kinds that have a plain name, by name: built in, of the group ``offbeat.checks``, of the folder."""
    return tuple(sorted((_info(kind, found, origin) for kind, (found, origin) in _known(folder)[0].items()),
                        key=lambda info: info.kind))


def broken(folder: Path | None = None) -> tuple[Broken, ...]:
    """The plug-ins that cannot be used, and why: files of the folder, entry points, names that are taken."""
    return _known(folder)[1]


def create(
    kind: str, parameters: Mapping[str, Any], folder: Path | None = None, *, modules: Collection[str] | None = None,
) -> Check:
    """The check *kind* with these parameters.

    kind     a name of ``kinds()``, an alias, or ``package.module:Class`` (or a function)
    modules  those that a kind may name by their path; None: any. To name one runs its code

    Raises UnknownCheck if the kind leads nowhere, BadParameters if the check does not take the parameters.
    """
    found = _found(kind, folder, modules)
    declared = _declared(found)
    try:
        given = dict(parameters) if declared is None else checked(parameters, declared)
        if inspect.isfunction(found):
            return Adapted(getattr(found, "needs", Needs()), lambda data: found(data, given), found)
        check = found(given)
    except BadParameters as error:
        raise BadParameters(f"{kind}: {error.message}", parameter=error.parameter, hint=error.hint) from error
    except Exception as error:  # a constructor of a plug-in: whatever it does, the check is refused
        raise BadParameters(f"{kind}: {type(error).__name__}: {error}" if not isinstance(error, ValueError) else
                            f"{kind}: {error}", hint=_hint(declared)) from error
    if isinstance(getattr(check, "needs", None), Needs):
        made: Check = check
        return made
    return Adapted(Needs(), check.run, check)


def _known(folder: Path | None) -> tuple[dict[str, tuple[Any, str]], tuple[Broken, ...]]:
    """Each kind with what makes it and where it is from; and what is broken. Who comes first has the name."""
    known = {kind: (found, "built-in") for kind, found in BUILT_IN.items()}
    of_folder = folders.read(folder)
    wrong = list(of_folder.broken)
    for point in sorted(entry_points(group=GROUP)):
        if point.name in BUILT_IN and point.value == _path(BUILT_IN[point.name]):
            continue
        where = f"entry point {point.name} = {point.value}"
        if point.name in known or point.name in ALIASES:
            wrong.append(Broken(where, 0, f"there is a check {point.name} already"))
            continue
        try:
            known[point.name] = (_import(point.name, point.value), "plug-in")
        except UnknownCheck as error:
            wrong.append(Broken(where, 0, error.message))
    for kind, found in of_folder.checks.items():
        try:
            file = inspect.getfile(found)
            if kind in known or kind in ALIASES:
                raise UnknownCheck(f"there is a check {kind} already: rename the file")
            _declared(found)
            known[kind] = (found, "folder")
        except UnknownCheck as error:
            wrong.append(Broken(file, found.__code__.co_firstlineno if inspect.isfunction(found) else 0, error.message))
    return known, tuple(wrong)


def _found(kind: str, folder: Path | None, modules: Collection[str] | None) -> Any:
    kind = ALIASES.get(kind, kind)
    if kind in BUILT_IN:
        return BUILT_IN[kind]
    module, colon, _ = kind.partition(":")
    if colon:
        if modules is not None and module not in modules:
            raise UnknownCheck(f"the module {module} may not be named", hint=f"one of {', '.join(sorted(modules))}"
                               if modules else "no module may be named by its path")
        return _import(kind, kind)
    known, wrong = _known(folder)
    if kind in known:
        return known[kind][0]
    for each in wrong:
        if Path(each.where).stem == kind.partition(".")[0]:
            place = f"{each.where}, line {each.line}" if each.line else each.where
            raise UnknownCheck(f"the check {kind!r} is broken: {each.message} ({place})", hint="mend the file")
    near = difflib.get_close_matches(kind, [*known, *ALIASES], 1)
    hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(sorted(known))}, or package.module:Class"
    raise UnknownCheck(f"there is no check {kind!r}", hint=hint)


def _import(kind: str, path: str) -> Any:
    """A class or a function that is a check. What does not look like one is never called: a request may name it."""
    try:
        found: Any = EntryPoint(kind, path, GROUP).load()
    except Exception as error:  # its module runs: it may raise anything
        hint = "package.module:Class must be importable where the daemon runs"
        raise UnknownCheck(f"the check {kind!r} cannot be imported: {type(error).__name__}: {error}",
                           hint=hint) from error
    if not (folders.is_function(found) or folders.is_class(found)):
        hint = "name a class with run(data), made as cls(parameters), or a function of (data, parameters)"
        raise UnknownCheck(f"{kind!r} is no check", hint=hint)
    _declared(found)
    return found


def _declared(found: Any) -> tuple[Parameter, ...] | None:
    """The parameters that it declares, None if it does not. Raises UnknownCheck if they are something else."""
    declared = getattr(found, "parameters", None)
    if declared is None:
        return None
    if isinstance(declared, list | tuple) and all(isinstance(each, Parameter) for each in declared):
        return tuple(declared)
    raise UnknownCheck(f"parameters of {found.__name__} are no tuple of Parameter",
                       hint="import Parameter from offbeat_detectors.checks.contract")


def _info(kind: str, found: Any, origin: str) -> KindInfo:
    needs = getattr(found, "needs", None)
    needs = needs if isinstance(needs, Needs) else Needs()  # of a class it may be a property
    about = getattr(found, "about", None) or (inspect.getdoc(found) or "").partition("\n")[0]
    return KindInfo(kind, str(about), _declared(found), needs.columns_min, needs.columns_max, origin,
                    tuple(other for other, of in ALIASES.items() if of == kind))


def _path(found: type[Any]) -> str:
    return f"{found.__module__}:{found.__qualname__}"


def _hint(declared: tuple[Parameter, ...] | None) -> str:
    return f"it takes {', '.join(each.name for each in declared)}" if declared else ""
