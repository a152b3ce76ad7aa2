"""Checks from Python files in a folder. The only place here that reads a disk."""
from __future__ import annotations

import inspect
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

PACKAGE = "offbeat_checks_folder"
FILES_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Broken:
    """A plug-in that cannot be used. *where* is its file or entry point, *line* the line of the file, 0 if none is."""

    where: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Folder:
    """What a folder holds: checks by name, and the files that are none."""

    checks: Mapping[str, Any]
    broken: tuple[Broken, ...]


def read(folder: Path | None) -> Folder:
    """The checks of all files ``*.py`` of the folder, but those that begin with ``_`` or ``.``.

    A check is what a file itself defines under a name without ``_`` in front: a function of ``(data, parameters)``,
    or a class with ``run``. It is named as the file is, or ``file.name`` if there are several. A file is run again
    when it has changed. A file that cannot be run is told of as broken; the others are as they are.
    """
    if folder is None:
        return Folder({}, ())
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".py" and path.name[0] not in "._")
    except OSError as error:
        return Folder({}, (Broken(str(folder), 0, f"the folder cannot be read: {error.strerror}"),))
    checks: dict[str, Any] = {}
    broken = []
    for path in paths[:FILES_MAX]:
        found = _of_file(path)
        if isinstance(found, Broken):
            broken.append(found)
        else:
            checks |= found
    if len(paths) > FILES_MAX:
        broken.append(Broken(str(folder), 0, f"{len(paths)} files are too many: the first {FILES_MAX} are read"))
    return Folder(checks, tuple(broken))


def is_function(found: object) -> bool:
    """Whether it is a function of ``(data, parameters)``."""
    return inspect.isfunction(found) and list(inspect.signature(found).parameters) == ["data", "parameters"]


def is_class(found: object) -> bool:
    """Whether it is a class with ``run``."""
    return inspect.isclass(found) and callable(getattr(found, "run", None))


def _of_file(path: Path) -> Mapping[str, Any] | Broken:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path.stem):
        return Broken(str(path), 0, "expected a file name of letters, digits, _ and -")
    try:
        stat = path.stat()
        return _run(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        return Broken(str(path), 0, f"the file cannot be read: {error.strerror}")


@lru_cache(maxsize=FILES_MAX)
def _run(path: Path, changed_ns: int, size: int) -> Mapping[str, Any] | Broken:
    """The checks of a file as it was then. Raises OSError.

    No bytecode is kept: a file changed twice within a second would be run as it was before.
    """
    source = path.read_bytes()
    module = ModuleType(f"{PACKAGE}.{path.stem}")
    module.__file__ = str(path)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module  # dataclasses look for it there
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        if before is None:
            del sys.modules[module.__name__]
        else:
            sys.modules[module.__name__] = before
        said = error.msg if isinstance(error, SyntaxError) else error  # the rest of its text is the place again
        return Broken(str(path), _line(error, str(path)), f"{type(error).__name__}: {said}")
    own = {name: found for name, found in vars(module).items() if not name.startswith("_")
           and getattr(found, "__module__", None) == module.__name__ and (is_function(found) or is_class(found))}
    if not own:
        return Broken(str(path), 0, "it defines no check: expected a function of (data, parameters), "
                                    "or a class with run(data)")
    if len(own) == 1:
        return dict(zip([path.stem], own.values(), strict=True))
    return {f"{path.stem}.{name}": found for name, found in own.items()}


def _line(error: BaseException, file: str) -> int:
    """The line of this file at which it went wrong."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno or 0
    return next((frame.lineno or 0 for frame in reversed(traceback.extract_tb(error.__traceback__))
                 if frame.filename == file), 0)
