"""Where whole records end: read in pieces that end there, bytes give the records that they give read at once."""
from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.feeds.batch import Form, cursor_of, cursor_text
from offbeat.feeds.boundaries import Place, as_body, whole
from offbeat.uploads import Records, joined
from offbeat.wire.records.description import DataDescription, UploadFormat

WANTED = ("a", "b")
CELLS = st.text(st.sampled_from('xyé"\n, {}[]\\'), max_size=6)


def delimited(cells: list[tuple[str, str]]) -> bytes:
    def quoted(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'
    return "".join(["time,a,b\n", *(f"{i},{quoted(a)},{quoted(b)}\n" for i, (a, b) in enumerate(cells))]).encode()


def objects(cells: list[tuple[str, str]], how: str) -> bytes:
    values = [{"time": i, "a": a, "b": b, "more": {"c": [1, {"d": a}]}} for i, (a, b) in enumerate(cells)]
    texts = [json.dumps(value, indent=1 if how == "spread" else None) for value in values]
    if how == "arrays":
        return (json.dumps(values[:2]) + json.dumps(values[2:], indent=1) + "\n").encode()
    return "".join(text + ("" if how == "joined" else "\n") for text in texts).encode()


def rows(records: Records) -> list[tuple[int, ...]]:
    columns = [[list(texts)[code] if code >= 0 else None for code in codes]
               for texts, codes in zip(records.texts, records.codes.tolist(), strict=True)]
    return list(zip(records.time_ms.tolist(), *columns, strict=True))  # type: ignore[arg-type]


def by_pieces(form: Form, body: bytes, cuts: list[int]) -> list[Records]:
    """What is read where at each cut all that is whole by then is taken."""
    place, at, found = Place(), 0, []
    for cut in sorted({*cuts, len(body)}):
        end, after = whole(form.description, place, body[at:cut])
        if end:
            block = as_body(form.description, place, body[at : at + end], after)
            found.append(form.records_of(block)[0])
            place, at = Place(place.header or after.header, after.lines, after.in_array), at + end
    assert at == len(body), "all of it ends with a record"
    return found


@pytest.mark.parametrize("how", ["delimited", "lines", "joined", "spread", "arrays"])
@settings(deadline=None, max_examples=60)
@given(cells=st.lists(st.tuples(CELLS, CELLS), min_size=3, max_size=8), cuts=st.lists(st.integers(0, 900), max_size=9))
def test_pieces_that_end_with_records_give_what_the_whole_gives(
    how: str, cells: list[tuple[str, str]], cuts: list[int]
) -> None:
    form_of: UploadFormat = "DELIMITED" if how == "delimited" else "JSON"
    form = Form(DataDescription(form_of, field_delimiter=","), (), WANTED)
    body = delimited(cells) if how == "delimited" else objects(cells, how)
    expected = form.records_of(body)[0]
    found = by_pieces(form, body, [cut for cut in cuts if cut < len(body)])
    assert rows(joined(found)) == rows(expected)
    assert expected.size == len(cells)


def test_a_quote_that_is_never_closed_is_one_bad_record_and_holds_up_nothing() -> None:
    description = DataDescription(field_delimiter=",")
    place, lines = Place(b"time,a,b\n"), b'1,"open,2\n' + b"2,x,y\n" * 40_000
    assert whole(description, place, lines[:1000])[0] == 0, "it may be closed yet"
    end, _ = whole(description, place, lines)
    assert end == len(lines)
    records, counts = Form(description, (), WANTED).records_of(place.header + lines)
    assert (records.size, counts["invalid_date"]) == (40_000, 1)


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = {"files": {"17": ["naïve.csv", 5, 0, 4, 1 << 31, ""]}}
    assert cursor_of(cursor_text(cursor)) == cursor
    assert cursor_of("") == {}
