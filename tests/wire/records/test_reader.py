"""An upload as records: the same however it is cut, counted in full, refused where too much of it is bad."""
from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat.wire.records import DataDescription, Reader, Records
from offbeat.wire.records.delimited import Delimited
from offbeat.wire.records.errors import FieldsMissing, MalformedJson, TooManyBadDates, TooManyBadRecords, UploadRefused
from offbeat.wire.records.reader import PIECE_BYTES_MAX
from offbeat.wire.records.rows import RECORD_CHARACTERS_MAX, ROWS_MAX
from offbeat.wire.records.transforms import Condition, Transform
from tests.wire.records.uploads import COUNTS, Told, read, told

FAREQUOTE = Path(__file__).parents[3].parent / "shared" / "data" / "farequote.csv"
CUTS = st.lists(st.floats(0, 1), max_size=12)
"""Places to cut at, as shares of a body."""
SIGNS = st.text(st.sampled_from('ab1,"\n\r{}[]: \\é😀\ttnul.'), max_size=12)
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | SIGNS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6)


@st.composite
def delimited_bodies(draw: st.DrawFn) -> str:
    """Rows as the csv module writes them, with lines between that nobody meant."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=draw(st.sampled_from(["\n", "\r\n"])))
    writer.writerow(draw(st.permutations(["time", "a", "b", "c"])))
    for _ in range(draw(st.integers(0, 8))):
        if draw(st.integers(0, 4)) == 0:
            out.write(draw(SIGNS) + draw(st.sampled_from(["", "\n"])))
        else:
            writer.writerow([draw(st.sampled_from(["0", "17", "x"])), *draw(st.lists(SIGNS, max_size=4))])
    return out.getvalue()


@st.composite
def json_bodies(draw: st.DrawFn) -> str:
    """Objects in any arrangement, sometimes with something between that is no JSON."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        objects = [json.dumps({"time": draw(st.integers(0, 9)), **some}, ensure_ascii=draw(st.booleans()))
                   for some in draw(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=4))]
        arrangement = draw(st.sampled_from(["lines", "array", "behind", "mixed", "any"]))
        if arrangement == "any":
            parts.append(draw(SIGNS))
        elif arrangement == "mixed":
            objects += draw(st.lists(st.sampled_from(["1234", "-1.5e3", '"x\\\\"', '"\\""', "true", "null",
            "[[]]"]), max_size=3))
            parts.append("[" + ",".join(draw(st.permutations(objects))) + "]")
        elif arrangement == "array":
            parts.append("[" + draw(st.sampled_from([",", ", ", ",\n"])).join(objects) + "]")
        else:
            parts += objects
    return draw(st.sampled_from(["\n", "", " "])).join(parts) + draw(st.sampled_from(["", "\n"]))


BODIES = st.one_of(
    st.tuples(st.just("DELIMITED"), delimited_bodies()), st.tuples(st.just("JSON"), json_bodies()),
    st.tuples(st.just("SINGLE_LINE"), st.text(st.sampled_from("0é ,\r\n"), max_size=40)),
    st.tuples(st.just("ELASTICSEARCH"), json_bodies()))


def of_format(format: str, body: bytes, cuts: list[int]) -> Told:
    transforms = [] if format != "SINGLE_LINE" else [
        Transform("split", ("raw",), (",",), ("time", "a")), Transform("concat", ("a", "raw"), ("-",), ("b",))]
    return read(body, ("a", "b"), transforms, cuts=cuts, format=format)


@given(body=delimited_bodies())
def test_rows_that_are_alike_are_what_the_csv_module_makes_of_them(body: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        together = read(body)
        monkeypatch.setattr(Delimited, "_regular", lambda self, text: None)
        assert read(body) == together


@given(rows=st.lists(st.lists(SIGNS, min_size=2, max_size=2), max_size=9), delimiter=st.sampled_from(",; \t|^]\\-é"))
def test_rows_are_what_the_csv_module_was_given(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerows([["time", "a", "b"], *(["1", *row] for row in rows)])
    found = read(out.getvalue(), field_delimiter=delimiter)
    assert found.rows == [(1000, tuple(text or None for text in row)) for row in rows]


@settings(max_examples=250)
@given(of=BODIES, cuts=CUTS)
def test_where_the_bytes_are_cut_changes_nothing(of: tuple[str, str], cuts: list[float]) -> None:
    format, body = of[0], of[1].encode()
    whole = of_format(format, body, [])
    in_two = [[place] for place in range(1, len(body), 1 + len(body) // 40)]
    for places in (list(range(len(body))), [int(cut * len(body)) for cut in cuts], *in_two):
        other = of_format(format, body, places)
        if whole.refusal is not None:  # how many bytes had come by then is a matter of the blocks
            whole.counts["input_bytes"] = other.counts["input_bytes"] = 0
        assert other == whole


def farequote_bodies() -> dict[str, tuple[str, bytes]]:
    """The same rows in each form that a body can have."""
    text = FAREQUOTE.read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    lines = [json.dumps({**row, "responsetime": None}).replace("null", row["responsetime"]) for row in rows]
    quoted = io.StringIO()
    writer = csv.writer(quoted, delimiter=" ", quoting=csv.QUOTE_ALL)
    writer.writerow(rows[0])
    writer.writerows(row.values() for row in rows)
    hits = [{"hits": {"hits": [{"_source": row} for row in rows[start : start + 5000]]}}
            for start in range(0, len(rows), 5000)]
    return {
        "csv": ("DELIMITED", text.encode()), "quoted": ("DELIMITED", quoted.getvalue().encode()),
        "lines": ("JSON", "\n".join(lines).encode()), "array": ("JSON", ("[" + ", ".join(lines) + "]").encode()),
        "arrays": ("JSON", "".join(f"[{line}]" for line in lines).encode()),
        "indented": ("JSON", json.dumps(rows, indent=1).encode()), "behind": ("JSON", "".join(lines).encode()),
        "search": ("ELASTICSEARCH", "".join(map(json.dumps, hits)).encode())}


def test_farequote_is_the_same_in_every_form() -> None:
    if not FAREQUOTE.exists():
        pytest.skip("the data of other rooms is not here")
    found: dict[str, Told] = {}
    for name, (format, body) in farequote_bodies().items():
        description = DataDescription(
            format, "time", "yyyy-MM-dd'T'HH:mm:ssX", " " if name == "quoted" else ",")  # type: ignore[arg-type]
        block = PIECE_BYTES_MAX + 12_345
        reader = Reader(description, (), ("airline", "responsetime"))
        found[name] = told(reader, [body[i : i + block] for i in range(0, len(body), block)])
        assert found[name].counts.pop("input_bytes") == len(body)
        assert found[name] == found["csv"], name
    assert len(found["csv"].rows) == 86_275
    assert found["csv"].rows[0] == (1_449_446_400_000, ("AAL", "132.2046"))
    assert found["csv"].rows[-1] == (1_449_878_396_000, ("AWE", "1111119.6438"))
    assert found["csv"].counts["field_count"] == 4 * 86_275


def test_every_record_and_field_is_counted_once() -> None:
    body = "time,a,b,c\n1,x,,q\nnever,x,y,q\n2,x\n\n3,x,y,q,more\n(4 rows)\n"
    found = read(body, ("a", "b"))
    assert found.rows == [(1000, ("x", None)), (2000, ("x", None)), (3000, ("x", "y"))]
    assert found.missing == [1, 1, 0]
    assert found.counts == dict(zip(COUNTS, (len(body), 5, 4 + 4 + 2 + 4 + 1, 2, 0, 0, 0), strict=True))


@pytest.mark.parametrize("body", ["", "time,a,b\n", "time,a,b", "\n\n", "\ufefftime,a,b\r\n"])
def test_an_upload_of_no_rows_is_a_success(body: str) -> None:
    found = read(body)
    assert (found.rows, found.refusal, found.counts["input_bytes"]) == ([], None, len(body.encode()))


@pytest.mark.parametrize("body", ["", "[]", " [ ]\n[]", "\n"])
def test_json_without_objects_is_a_success(body: str) -> None:
    found = read(body, format="JSON")
    assert (found.rows, found.refusal, found.counts["record_count"]) == ([], None, 0)


def test_a_header_without_a_field_that_is_needed_is_refused() -> None:
    made = [Transform("lowercase", ("A",), (), ("a",)), Transform("concat", ("day", "hour"), ("T",), ("time",))]
    assert read("time,a\n1,x\n").refusal is FieldsMissing
    assert read("Time,a,b\n1,x,y\n").refusal is FieldsMissing
    assert read("A,b,day,hour\nX,y,1,2\n", transforms=made).refusal is None
    assert read("A,b,day\nX,y,1\n", transforms=made).refusal is FieldsMissing
    assert read('"time,a,b\n1,x,y\n').refusal is FieldsMissing


@pytest.mark.parametrize(("bad", "good", "refused"), [(99, 0, False), (100, 0, True), (25, 75, False), (26, 74, True)])
def test_more_than_a_quarter_of_bad_dates_is_too_many_once_there_are_a_hundred_records(
    bad: int, good: int, refused: bool,
) -> None:
    found = read("time,a,b\n" + "never,x,y\n" * bad + "1,x,y\n" * good)
    assert found.refusal is (TooManyBadDates if refused else None)
    assert (len(found.rows), found.counts["invalid_date_count"]) == (good, bad)


def test_records_before_a_refusal_are_delivered_and_none_behind_it() -> None:
    body = "time,a,b\n" + "1,x,y\n" * 300 + "never,x,y\n" * 300 + "2,x,y\n"
    for cuts in ((), range(0, len(body), 97)):
        found = read(body, cuts=cuts)
        assert found.refusal is TooManyBadDates
        assert [time_ms for time_ms, _ in found.rows] == [1000] * 300
        assert found.counts["record_count"] == 401  # 101 of 401 is the first share over a quarter


def test_too_many_records_that_cannot_be_read_are_told_apart_from_bad_dates() -> None:
    found = read("[" + '{"time":1,"a":"x"},' * 80 + "1," * 19 + "2]", format="JSON")
    assert (found.refusal, len(found.rows), found.counts["bad_record_count"]) == (None, 80, 20)
    found = read("[" + '{"time":1,"a":"x"},' * 70 + "1," * 29 + "2]", format="JSON")
    assert (found.refusal, found.counts["invalid_date_count"]) == (TooManyBadRecords, 30)


def test_excluded_records_are_no_bad_dates_and_their_failed_transforms_do_not_count() -> None:
    transforms = [Transform("exclude", ("a",), condition=Condition("match", "x.*|")),
                  Transform("extract", ("b",), (r"(\d+)",), ("number",))]
    found = read('time,a,b\nnever,x1,y\n1,y,z7\n2,y,z\n"3', ("a", "number"), transforms)
    assert found.rows == [(1000, ("y", "7")), (2000, ("y", None))]
    assert (found.counts["excluded_count"], found.counts["invalid_date_count"]) == (1, 1)
    assert found.counts["bad_record_count"] == 1  # it has no field that could meet the condition
    assert found.counts["failed_transform_count"] == 1


def test_an_unclosed_quote_spoils_its_own_line_alone() -> None:
    found = read('time,a,b\n1,"x\nx",y\n2,x"x",y\n3,"x,y\n4,x,y\n')
    assert found.rows == [(1000, ("x\nx", "y")), (2000, ('x"x"', "y")), (4000, ("x", "y"))]
    assert found.counts["bad_record_count"] == 1


def test_a_return_in_the_middle_of_a_line_spoils_that_line_alone() -> None:
    found = read("time,a,b\r\n1,x,y\r\n2,x\ry,y\r\n3,\"x\ry\",y\r\n")
    assert found.rows == [(1000, ("x", "y")), (3000, ("x\ry", "y"))]
    assert found.counts["bad_record_count"] == 1


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_that_is_too_long_is_a_bad_record(quote: str) -> None:
    for length, bad in ((RECORD_CHARACTERS_MAX - 3, 0), (RECORD_CHARACTERS_MAX - 2, 1), (10**6, 1)):
        length -= 2 * len(quote)
        body = f"time,a,b\n1,{quote}{'x' * length}{quote},\n2,x,y\n"
        for cuts in ((), range(0, len(body), 50_000)):
            found = read(body, cuts=cuts)
            assert (found.counts["bad_record_count"], found.rows[-1]) == (bad, (2000, ("x", "y"))), length
            assert len(found.rows) == 2 - bad


@pytest.mark.parametrize("block", [10**7, 50_000])
def test_a_line_that_is_too_long_is_a_bad_record(block: int) -> None:
    one = Transform("split", ("raw",), (" ",), ("time", "a"))
    for length, bad in ((RECORD_CHARACTERS_MAX, 0), (RECORD_CHARACTERS_MAX + 1, 1), (10**6, 1)):
        body = "1 x\n2 " + "x" * (length - 2) + "\n3 x"
        found = read(body, ("a",), [one], cuts=range(0, len(body), block), format="SINGLE_LINE")
        assert (found.counts["bad_record_count"], found.rows[-1]) == (bad, (3000, ("x",)))
        assert len(found.rows) == 3 - bad


def test_rows_as_wide_as_the_header_together_and_not_each_are_read_row_by_row() -> None:
    behind_header = (9,)
    found = read("time,a,b\n1\n2,x\n", cuts=behind_header)
    assert found.rows == [(1000, (None, None)), (2000, ("x", None))]
    found = read("time\n1\n\n2\n", (), cuts=(5,))
    assert ([time_ms for time_ms, _ in found.rows], found.counts["record_count"]) == ([1000, 2000], 2)


def test_a_large_block_comes_as_reads_of_bounded_size() -> None:
    body = "time,a,b\n" + "1,,\n" * 70_000
    sizes = [read.records.size for read in Reader(DataDescription(field_delimiter=","), (), ("a",)).feed(body.encode())]
    assert sum(sizes) == 70_000
    assert max(sizes) == ROWS_MAX


def test_a_value_that_never_ends_is_refused_before_it_fills_memory() -> None:
    reader = Reader(DataDescription("JSON"), (), ("a",))
    list(reader.feed(b'{"time":1,"b":{},"a":"'))
    with pytest.raises(MalformedJson):
        for _ in range(20):
            list(reader.feed(b"x" * 2**19))
    with pytest.raises(UploadRefused):
        list(Reader(DataDescription("JSON"), (), ("a",)).feed(b'{"a":"' + b"x" * 2**23 + b'"}'))


def test_numbers_are_read_from_the_texts_and_what_is_none_is_nan() -> None:
    texts = ["1", " 2.5 ", "1e3", "-.5", "7.", "", "x", "1_0", "٣", "nan", "inf", "1e999", "0x10"]
    body = "\n".join(json.dumps({"time": i, "a": text}) for i, text in enumerate(texts))
    (records,) = [some.records for some in Reader(DataDescription("JSON"), (), ("a",)).feed(body.encode() + b"\n")]
    nan = np.nan
    expected = [1, 2.5, 1000, -0.5, 7, *[nan] * 8]
    np.testing.assert_array_equal(records.numbers("a"), expected)
    plain = records.keep(np.arange(13) < 4)
    assert isinstance(plain, Records)
    np.testing.assert_array_equal(plain.numbers("a"), expected[:4])
    assert plain.size == 4


def test_an_underscore_between_digits_makes_no_number() -> None:
    (records,) = [some.records for some in Reader(DataDescription("JSON"), (), ("a",)).feed(b'{"time":1,"a":"1_0"}\n')]
    assert np.isnan(records.numbers("a")).all()


def test_half_of_a_surrogate_pair_becomes_a_question_mark() -> None:
    found = read('{"time":1,"a":"x\\ud800y","b":"\\ud83d\\ude00"}', format="JSON")
    assert found.rows == [(1000, ("x?y", "😀"))]


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    assert read(b"time,a,b\n1,\xff,\xc3\xa9\n").rows == [(1000, ("\ufffd", "é"))]
