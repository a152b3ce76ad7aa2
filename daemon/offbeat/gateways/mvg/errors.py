"""What the gateway says when it refuses, in the forms of the MVG protocol. Pure.

Source: MVG wire protocol, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from offbeat.errors import Refused

Place = tuple[str | int, ...]
REASONS = {413: "Request Entity Too Large", 422: "Unprocessable Entity"}
"""Reason phrases that clients show and that newer versions of Python call otherwise."""


class MvgError(Refused):
    """A refusal with a detail of its own: a text, or a list of offences."""

    code = "mvg"

    def __init__(self, status: int, detail: str | list[dict[str, Any]]) -> None:
        super().__init__(detail if isinstance(detail, str) else f"{len(detail)} offences")
        self.status, self.detail = status, detail


class NoSource(MvgError):
    """Nobody has created that source, or it is somebody else's."""

    def __init__(self, id: str) -> None:
        super().__init__(404, f"Source ID: {id} does not exist!")


class NoAnalysis(MvgError):
    """There is no such analysis, or it is somebody else's."""

    def __init__(self, id: str) -> None:
        super().__init__(404, f"Request with ID {id} does not exist")


class Offences:
    """What is wrong with a request, collected in the style of pydantic 1."""

    def __init__(self) -> None:
        self._all: list[dict[str, Any]] = []

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, at: Sequence[str | int], type: str, message: str, **context: Any) -> None:
        """One offence; *at* begins with body, query or path."""
        offence = {"loc": list(at), "msg": message, "type": type}
        self._all.append({**offence, "ctx": context} if context else offence)

    def missing(self, at: Place) -> None:
        """A member that must be there."""
        self.add(at, "value_error.missing", "field required")

    def not_an_integer(self, at: Place) -> None:
        """Something else where an integer must be."""
        self.add(at, "type_error.integer", "value is not a valid integer")

    def not_a_number(self, at: Place) -> None:
        """Something else where a finite number must be."""
        self.add(at, "type_error.float", "value is not a valid float")

    def below(self, at: Place, limit: int) -> None:
        """A number below *limit*."""
        self.add(at, "value_error.number.not_ge", f"ensure this value is greater than or equal to {limit}",
                 limit_value=limit)

    def not_positive(self, at: Place) -> None:
        """A number that is not above 0."""
        self.add(at, "value_error.number.not_gt", "ensure this value is greater than 0.0", limit_value=0.0)

    def above(self, at: Place, limit: float) -> None:
        """A number above *limit*."""
        self.add(at, "value_error.number.not_le", f"ensure this value is less than or equal to {limit}",
                 limit_value=limit)

    def wrong(self, at: Place, message: str) -> None:
        """A value that its type allows and its meaning does not."""
        self.add(at, "value_error", message)

    def settle(self) -> None:
        """Raise MvgError 422 if anything was added."""
        if self._all:
            raise MvgError(422, self._all)


def invalid(at: Place, message: str) -> MvgError:
    """The refusal of one value that its type allows and its meaning does not."""
    return MvgError(422, [{"loc": list(at), "msg": message, "type": "value_error"}])


def document_of(refused: Refused) -> Mapping[str, Any]:
    """The error document of the protocol."""
    if isinstance(refused, MvgError):
        return {"detail": refused.detail}
    if refused.status == 401:
        return {"detail": "Unauthorized"}
    return {"detail": f"{refused.message}; {refused.hint}" if refused.hint else refused.message}
