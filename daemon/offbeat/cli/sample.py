"""Settings as text, made from config.py: sample file, table of the docs, settings in force. None is named here."""
from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from offbeat.config import KINDS, SECTIONS, SINKS, Config

SAMPLE_HEAD = """\
# The settings of Offbeat, each with its default. Remove the # before a setting to change it.
# `offbeat check-config FILE` says whether a file is good.
# Settings marked "reload" follow a SIGHUP; the others need a restart.
"""


def sample_toml() -> str:
    """A config file that names every setting with its reason, unit and range, commented out at its default."""
    parts = [SAMPLE_HEAD]
    for section, holder in SECTIONS.items():
        parts.append(f"\n# {_first_line(holder)}\n[{section}]\n")
        for f in fields(holder):
            parts.append(
                "\n" + textwrap.fill(_sentence(f), width=118, initial_indent="# ", subsequent_indent="# ") + "\n"
            )
            parts.append(f"#{f.name} = {toml_value(_default(f))}\n")
    return "".join(parts)


def settings_table() -> str:
    """The settings as Markdown: one heading and one table a section."""
    return "\n".join(
        f"## `[{section}]`\n\n{_first_line(holder)}\n\n{_rows(f'{section}.', holder)}"
        for section, holder in SECTIONS.items()
    )


def sinks_table() -> str:
    """The settings of the sinks of alerts, which stand in tables named by their users: one table a type."""
    return "\n".join(
        f'## `[alerts.sinks.NAME]` with `type = "{kind}"`\n\n{_first_line(holder)}\n\n{_rows("", holder)}'
        for kind, holder in SINKS.items()
    )


def _rows(prefix: str, holder: Any) -> str:
    rows = ["| setting | default | unit | range | reload | why |", "|---|---|---|---|---|---|"]
    for f in fields(holder):
        cells = (
            f"`{prefix}{f.name}`",
            f"`{toml_value(_default(f))}`",
            f.metadata["unit"],
            _range(f),
            "yes" if f.metadata["reload"] else "",
            f.metadata["why"],
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def effective_toml(config: Config) -> str:
    """*config* as a TOML file; reading it again gives an equal Config."""
    return "\n".join("".join(_section_lines(name, getattr(config, name))) for name in SECTIONS)


def _section_lines(name: str, section: Any) -> Iterator[str]:
    yield f"[{name}]\n"
    for f in fields(section):
        yield f"{f.name} = {toml_value(getattr(section, f.name))}\n"


def toml_value(value: Any) -> str:
    """*value* (text, number, boolean, list, table of them) as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):  # TOML's escapes are JSON's, but it also wants DEL escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        inner = ", ".join(f"{toml_value(str(k))} = {toml_value(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"a setting of type {type(value).__name__} has no form in TOML")


def _sentence(f: Field[Any]) -> str:
    facts = [
        fact
        for fact in (f.metadata["unit"] or KINDS[str(f.type)], _range(f), "reload" if f.metadata["reload"] else "")
        if fact
    ]
    return f"{f.metadata['why']} ({'; '.join(facts)})"


def _range(f: Field[Any]) -> str:
    low, high = f.metadata["low"], f.metadata["high"]
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else ""


def _default(f: Field[Any]) -> Any:
    return f.default_factory() if f.default_factory is not MISSING else f.default


def _first_line(holder: Any) -> str:
    return str(holder.__doc__).strip().splitlines()[0]
