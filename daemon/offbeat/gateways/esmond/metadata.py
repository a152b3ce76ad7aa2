"""A metadata record: what a registration must say, when two are the same, how one is shown. Pure.

Source: esmond measurement archive, sections 7 and 8.
"""
from __future__ import annotations

import hashlib
from typing import Any

import orjson

from offbeat.errors import BadRequest
from offbeat.gateways.esmond.addresses import canonical
from offbeat.gateways.esmond.catalogue import EVENT_TYPES, IN_URLS, SUMMARIES
from offbeat.gateways.esmond.errors import shown, wrong
from offbeat.gateways.esmond.values import integer
from offbeat.store.esmond import BASE, EventRow, Record, Registration

ADDRESSES = ("source", "destination", "measurement-agent")
POINTS, ELEMENT = "point-to-point", "network-element"
FIELDS = {
    POINTS: ("source", "destination", "tool-name", "measurement-agent", "input-source", "input-destination"),
    ELEMENT: ("source", "tool-name", "measurement-agent", "input-source"),
}
"""The fields of each kind of subject."""
OWN = frozenset((
    "uri", "url", "metadata-key", "subject-type", "event-types", "metadata-count-total", "metadata-next-page",
    "metadata-previous-page",
))
"""Members that no parameter may take the place of."""
CHARACTERS_MAX = 128
SUMMARIES_MAX = 1_000
"""Of one record: each write to an event type writes to every window of it."""
SPAN_MAX_S = 2**40
SOURCE_PART_BYTES = 60
KEY_CHARACTERS = 12
"""So much of the key is in the name of a source; of records that share all else in it, no two share that."""


def registration(document: object) -> Registration:
    """The record that *document* asks for. Raises BadRequest."""
    if not isinstance(document, dict):
        raise wrong("the body", document, "an object")
    if "metadata-key" in document:
        raise BadRequest("metadata-key is given: expected none, the archive gives it; nothing was stored")
    subject_type = document.get("subject-type")
    if not isinstance(subject_type, str) or subject_type not in FIELDS:
        raise wrong("subject-type", subject_type, f"{POINTS} or {ELEMENT}")
    if "event-types" not in document:
        raise BadRequest("event-types is missing; nothing was stored")
    events = _event_types(document["event-types"])
    fields = FIELDS[subject_type]
    subject = {name: _subject_field(document, name) for name in fields}
    free: dict[str, str] = {}
    body: dict[str, str] = {}
    for name, value in document.items():
        _short(f"the name {shown(name)}", name)
        if name in subject:
            body[name] = subject[name]
        elif value is not None and _dashed(name) not in OWN and _dashed(name) not in subject:
            free[name] = body[_dashed(name)] = _text(value)
    digest = _digest(subject_type, subject, free, events)
    key = digest.hex()[:32]
    return Registration(
        key, digest, source_name(subject, key), subject_type, body, tuple(subject.items()),
        tuple((_dashed(name), value) for name, value in free.items()), events,
    )


def _subject_field(document: dict[str, Any], name: str) -> str:
    if name not in document:
        raise BadRequest(f"{name} is missing; nothing was stored")
    value = document[name]
    if name in ADDRESSES:
        return canonical(value, name)
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return _short(name, value)


def _short(where: str, text: str) -> str:
    if len(text) > CHARACTERS_MAX:
        raise wrong(where, text, f"at most {CHARACTERS_MAX} characters")
    return text


def _event_types(given: object) -> tuple[tuple[str, tuple[tuple[str, int], ...]], ...]:
    """Event types by name, each once with all its summaries. Raises BadRequest."""
    if given is not None and not isinstance(given, list):
        raise wrong("event-types", given, "a list")
    found: dict[str, set[tuple[str, int]]] = {}
    for i, one in enumerate(given or ()):
        where = f"event-types[{i}]"
        if not isinstance(one, dict) or "event-type" not in one:
            raise wrong(where, one, "an object with event-type")
        name = known(one["event-type"], f"{where}.event-type")
        summaries = one.get("summaries")
        if summaries is not None and not isinstance(summaries, list):
            raise wrong(f"{where}.summaries", summaries, "a list")
        for j, summary in enumerate(summaries or ()):
            found.setdefault(name, set()).update(_summary(name, summary, f"{where}.summaries[{j}]"))
        found.setdefault(name, set())
    if sum(len(summaries) + 1 for summaries in found.values()) > SUMMARIES_MAX:
        raise BadRequest(f"event-types has more than {SUMMARIES_MAX} event types and summaries; nothing was stored")
    return tuple((name, tuple(sorted(found[name]))) for name in sorted(found))


def _summary(event_type: str, summary: object, where: str) -> list[tuple[str, int]]:
    if not isinstance(summary, dict):
        raise wrong(where, summary, "an object with summary-type and summary-window")
    kind = summary.get("summary-type")
    if kind == BASE:
        return []
    if kind not in IN_URLS:
        raise wrong(f"{where}.summary-type", kind, ", ".join(IN_URLS))
    allowed = SUMMARIES[EVENT_TYPES[event_type]]
    if kind not in allowed:
        raise wrong(f"{where}.summary-type", kind, f"{' or '.join(allowed) or 'no summary'} of {event_type}")
    span_s = integer(summary.get("summary-window"), f"{where}.summary-window")
    if not 0 <= span_s <= SPAN_MAX_S:
        raise wrong(f"{where}.summary-window", span_s, f"0 to {SPAN_MAX_S}")
    return [(kind, span_s)]


def known(event_type: object, where: str) -> str:
    """*event_type* if there is such a one. Raises BadRequest."""
    if not isinstance(event_type, str) or event_type not in EVENT_TYPES:
        raise wrong(where, event_type, "a known event type")
    return event_type


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _text(value: object) -> str:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else str(value)


def _digest(
    subject_type: str, subject: dict[str, str], free: dict[str, str],
    events: tuple[tuple[str, tuple[tuple[str, int], ...]], ...],
) -> bytes:
    """What two records have in common just if they are the same: texts without regard to case, in no order."""
    texts = [sorted((name.casefold(), value.casefold()) for name, value in part.items()) for part in (subject, free)]
    return hashlib.sha256(orjson.dumps([subject_type, *texts, events])).digest()


def source_name(subject: dict[str, str], key: str) -> str:
    """The name under which the numbers of a record are followed: from where to where, by which tool; one a record."""
    ends = [_cut(subject[name]) for name in ("input-source", "input-destination") if name in subject]
    return f"{'→'.join(ends)} {_cut(subject['tool-name'])} {key[:KEY_CHARACTERS]}"


def _cut(text: str) -> str:
    return text.encode()[:SOURCE_PART_BYTES].decode(errors="ignore")


def shown_record(record: Record, root: str, origin: str) -> dict[str, Any]:
    """The metadata object. root: the path of the archive, as /esmond/perfsonar/archive/; origin: scheme and host."""
    uri = f"{root}{record.key}/"
    return {
        "url": f"{origin}{uri}", "uri": uri, "metadata-key": record.key, "subject-type": record.subject_type,
        **record.body,
        "event-types": [shown_event(event, uri) for event in record.events.values()],
    }


def shown_event(event: EventRow, uri: str) -> dict[str, Any]:
    """The object of an event type, of a record at *uri*."""
    return {
        "event-type": event.event_type,
        "time-updated": event.updated_s,
        "base-uri": f"{uri}{event.event_type}/base",
        "summaries": shown_summaries(event, uri),
    }


def shown_summaries(event: EventRow, uri: str, kind: str | None = None) -> list[dict[str, Any]]:
    """The objects of its summaries, of one type if *kind* says which."""
    return [
        {
            "summary-type": summary_type,
            "summary-window": str(span_s),
            "time-updated": event.updated_s,
            "uri": f"{uri}{event.event_type}/{IN_URLS[summary_type]}/{span_s}",
        }
        for summary_type, span_s in event.summaries
        if kind in (None, summary_type)
    ]
