"""What a setting is: a field of a frozen dataclass that says why it is there and what it may be."""
from __future__ import annotations

from dataclasses import field
from typing import Any


def setting(default: Any, why: str, *, unit: str = "", low: float | None = None, high: float | None = None,
            reload: bool = False) -> Any:
    """One setting of a section: *reload* says that SIGHUP applies it without a restart."""
    metadata = {"unit": unit, "why": why, "low": low, "high": high, "reload": reload}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)
