"""Where compiled kernels are kept between runs: a file for each kernel and types of arguments. Never stale.

Numba's own cache looks at the file that a kernel stands in, and keeps the old machine code when a kernel that it calls,
or a constant of another file, changes; and two processes that fill it at once can mix up its entries. Here the name of
a file says all that its content depends on, and it appears whole or not at all.
"""
from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any
from uuid import uuid4

import llvmlite
import llvmlite.binding as ll
import numba
import numpy as np
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature
from numba.extending import _Intrinsic
from numba.misc.appdirs import AppDirs

SUFFIX, MARK = ".kernel", ".complete"
DIGEST_BYTES = 32
HERE = Path(__file__).resolve().parent
OURS = ("offbeat.", "offbeat_detectors.")
"""Packages whose code is looked into; others have a version."""


class KernelCache(_Cache):  # type: ignore[misc]
    """What numba asks for the machine code of one kernel, and gives what it compiled. Never fails: then it compiles."""

    def __init__(self, kernel: Dispatcher) -> None:
        self._kernel = kernel
        self._enabled = True

    @property
    def cache_path(self) -> str | None:
        """The directory, None if there is none."""
        return str(found) if (found := directory()) else None

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The kernel for the types *sig*, None if it is not there, damaged, or made from other code."""
        arguments, _ = normalize_signature(sig)
        path = self._path(arguments, target_context.codegen())
        if path is None or not self._enabled:
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[DIGEST_BYTES:]).digest() != content[:DIGEST_BYTES]:
            return None
        outside, reduced = pickle.loads(content[DIGEST_BYTES:])
        _provide(outside, target_context)
        result = CompileResult._rebuild(target_context, *reduced)
        return result if result.signature.args == tuple(arguments) else None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Keep *data* for the types *sig*, in the place of what older code made for them."""
        arguments, _ = normalize_signature(sig)
        path = self._path(arguments, data.codegen)
        if path is None or not self._enabled or data.library.has_dynamic_globals:
            return
        outside = [each.name for each in data.library._final_module.functions if each.is_declaration]
        # Without the listing for people, which takes long to write.
        content = dumps((outside, data._replace(type_annotation="")._reduce()))
        unfinished = path.with_name(f"{uuid4().hex}.tmp")
        try:
            unfinished.write_bytes(hashlib.sha256(content).digest() + content)
            unfinished.replace(path)
            for older in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*{SUFFIX}"):
                if older != path:
                    older.unlink(missing_ok=True)
        except OSError:  # no room: the next start compiles again
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _path(self, arguments: Any, codegen: Any) -> Path | None:
        if (kept := directory()) is None:
            return None
        types = _digest(repr((tuple(arguments), codegen.magic_tuple(), _options(self._kernel))))[:16]
        function = self._kernel.py_func
        return kept / f"{function.__module__}.{function.__qualname__}-{types}-{stamp(self._kernel)}{SUFFIX}"

    def enable(self) -> None:
        """Keep and find machine code."""
        self._enabled = True

    def disable(self) -> None:
        """Compile anew."""
        self._enabled = False

    def flush(self) -> None:
        """Forget nothing: a file whose name still says what it was made from is still right."""


@cache
def directory() -> Path | None:
    """Where machine code is kept: NUMBA_CACHE_DIR, else beside the source, else in the user's cache.

    The first that can be written; where none can, the first that is there to be read; None if there is neither.
    """
    place = f"offbeat-{_digest(str(HERE))[:12]}"  # two installations do not share one
    if config.CACHE_DIR:
        candidates = [Path(config.CACHE_DIR) / place]
    else:
        candidates = [HERE / "__pycache__", Path(AppDirs(appname="offbeat", appauthor=False).user_cache_dir) / place]
    return next(filter(writable, candidates), None) or next(filter(Path.is_dir, candidates), None)


def writable(candidate: Path) -> bool:
    """Whether a file can be made in *candidate*, which is made if it is not there."""
    probe = candidate / f"{uuid4().hex}.tmp"
    try:
        candidate.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True


def is_marked(kernels: Iterable[Dispatcher]) -> bool:
    """Whether ``mark`` was called since *kernels*, or what they call, last changed."""
    return (kept := directory()) is not None and _mark_of(kernels, kept).exists()


def mark(kernels: Iterable[Dispatcher]) -> None:
    """Note that nothing of *kernels* is left to compile."""
    if (kept := directory()) is not None:
        with contextlib.suppress(OSError):
            for older in kept.glob(f"*{MARK}"):
                older.unlink(missing_ok=True)
            _mark_of(kernels, kept).touch()


def _mark_of(kernels: Iterable[Dispatcher], kept: Path) -> Path:
    return kept / f"{_digest(repr([stamp(each) for each in kernels]))[:32]}{MARK}"


def _provide(outside: list[str], target_context: Any) -> None:
    """Have what machine code calls *outside* of itself at hand.

    Most calls numba's own run time at most. What else numba could compile, it need not know for that: it takes as long
    as all of our kernels together.
    """
    rtsys.initialize(target_context)
    at_hand = target_context.codegen()._engine.is_symbol_defined
    if not all(name.startswith("llvm.") or at_hand(name) or ll.address_of_symbol(name) for name in outside):
        target_context.refresh()


def stamp(kernel: Dispatcher) -> str:
    """A digest of all that the machine code of *kernel* is made from, but for the types of its arguments.

    Its code, the constants that it names and its options, and the same of whatever it calls, at any depth.
    """
    found: dict[str, str] = {}
    waiting: list[Any] = [kernel]
    while waiting:
        name, digest, callees = _own(waiting.pop())
        if name not in found:
            found[name] = digest
            waiting += callees
    return _digest(repr((_environment(), sorted(found.items()))))[:32]


@cache
def _environment() -> tuple[object, ...]:
    """What compiles, and how it is told to."""
    return (numba.__version__, llvmlite.__version__, np.__version__, sys.version_info[:2], config.OPT,
            config.LOOP_VECTORIZE, config.SLP_VECTORIZE, config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT)


@cache
def _own(callable: Any) -> tuple[str, str, tuple[Any, ...]]:
    """Name of *callable*, a digest of what it holds itself, and what it calls."""
    function, options = callable, ""
    if isinstance(callable, Dispatcher):
        function, options = callable.py_func, _options(callable)
    elif isinstance(callable, _Intrinsic):
        function = callable._defn
    callees: list[Any] = []
    names: set[str] = set()
    code = list(_code(function.__code__, names))
    held = [function.__defaults__, *(cell.cell_contents for cell in function.__closure__ or ())]
    named = [(name, function.__globals__[name]) for name in sorted(names) if name in function.__globals__]
    parts = [options, code, [_value(value, names, callees) for value in held],
             [(name, _value(value, names, callees)) for name, value in named]]
    return f"{function.__module__}.{function.__qualname__}", _digest(repr(parts)), tuple(callees)


def _options(kernel: Dispatcher) -> str:
    return repr(sorted(kernel.targetoptions.items()))


def _code(code: CodeType, names: set[str]) -> Iterator[object]:
    """Instructions and constants of *code* and of the functions in it; the names that they use are added to *names*."""
    names.update(code.co_names)
    yield from (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code(constant, names)
        else:
            yield sorted(map(repr, constant)) if isinstance(constant, frozenset) else repr(constant)


def _value(value: Any, names: set[str], callees: list[Any]) -> object:
    """What a kernel that uses *names* may know of a global *value*; what can be called joins *callees*."""
    if isinstance(value, Dispatcher | _Intrinsic) or (isinstance(value, FunctionType) and _ours(value.__module__)):
        callees.append(value)
        return "called"
    if isinstance(value, ModuleType):
        if not _ours(value.__name__):
            return value.__name__
        return [(name, _value(getattr(value, name), names, callees)) for name in sorted(names) if hasattr(value, name)]
    if isinstance(value, np.ndarray):
        return (repr(value.dtype), value.shape, value.strides, value.tobytes())
    if isinstance(value, tuple | list):
        return (type(value).__qualname__, [_value(each, names, callees) for each in value])
    if isinstance(value, type | FunctionType):
        return (value.__module__, value.__qualname__, getattr(value, "_fields", ()))
    return repr(value)


def _ours(module: str) -> bool:
    return module.startswith(OURS)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
