"""Transforms: which are right, in which order they run, what each makes of a record."""
from __future__ import annotations

import itertools
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbeat.wire.records.effects import domain_split, geo_unhash
from offbeat.wire.records.errors import BadRegex, SlowRegex, TooManySlowValues, TransformError
from offbeat.wire.records.java_regex import VALUE_S, compiled
from offbeat.wire.records.plan import SLOW_MAX, Plan
from offbeat.wire.records.transforms import Condition, Transform, check, check_all, in_order
from tests.wire.records.uploads import read


def transform(name: str, inputs: str = "a", argument: str | None = None, outputs: str = "") -> Transform:
    return Transform(name, tuple(inputs.split()), () if argument is None else (argument,), tuple(outputs.split()))


WRONG = [
    (10201, transform("upper")), (10201, transform("")), (10201, transform("Concat", "a b")),
    (10202, transform("concat")), (10202, transform("lowercase", "a b")), (10202, transform("trim", "")),
    (10212, Transform("lowercase", ("",))), (10212, Transform("concat", ("a", ""))),
    (10206, transform("extract")), (10206, transform("split")), (10206, transform("trim", "a", "x")),
    (10206, Transform("concat", ("a", "b"), ("-", "+"))), (10206, Transform("exclude", ("a",), ("x",))),
    (10211, transform("lowercase", outputs="x y")), (10211, transform("domain_split", outputs="x y z")),
    (10211, transform("exclude", outputs="x")), (10213, Transform("trim", ("a",), (), ("",))),
    (10213, Transform("split", ("a",), (",",), ("x", ""))),
    (10214, transform("extract", "a", "(")), (10214, transform("extract", "a", "x")),
    (10214, transform("extract", "a", "(x)(y)")), (10214, transform("split", "a", "[")),
    (10208, transform("exclude")), (10208, Transform("exclude", ("a",), condition=Condition("none"))),
    (10209, Transform("exclude", ("a",), condition=Condition("like", "x"))),
    (10210, Transform("exclude", ("a",), condition=Condition("gt", "x"))),
    (10210, Transform("exclude", ("a",), condition=Condition("eq"))),
    (10210, Transform("exclude", ("a",), condition=Condition("match", "*"))),
]


@pytest.mark.parametrize(("code", "wrong"), WRONG)
def test_a_transform_that_is_wrong_is_refused_with_its_code(code: int, wrong: Transform) -> None:
    with pytest.raises(TransformError) as refused:
        check(wrong)
    assert refused.value.code == code


@pytest.mark.parametrize(("code", "transforms"), [
    (10205, [transform("trim"), transform("trim", "b")]),
    (10205, [transform("split", "a", ",", "x x")]),
    (10204, [transform("trim", "trim")]),
    (10204, [transform("lowercase", "c", outputs="d"), transform("uppercase", "d", outputs="c")]),
    (10203, [transform("trim"), transform("lowercase", "trim")]),
    (10203, [transform("split", "a", ",", "x y")]),
])
def test_transforms_that_do_not_go_together_are_refused(code: int, transforms: list[Transform]) -> None:
    with pytest.raises(TransformError) as refused:
        check_all(transforms, {"a", "time"})
    assert refused.value.code == code
    if code == 10203:
        check_all(transforms, None)


def test_one_output_that_is_used_is_enough() -> None:
    check_all([transform("split", "a", ",", "x time"), transform("domain_split"),
               transform("concat", "hrd a", outputs="b"),
               Transform("exclude", ("a",), condition=Condition("eq", "1"))], {"b", "time"})


def test_each_transform_runs_behind_those_that_make_its_inputs() -> None:
    chain = [transform("lowercase", "a", outputs="b"), transform("trim", "b", outputs="c"),
             transform("concat", "b c", outputs="d"), transform("uppercase", "d", outputs="e")]
    for order in itertools.permutations(chain):
        assert in_order(order) == chain
    apart = [transform("uppercase", "x"), transform("lowercase", "y"), transform("trim", "z")]
    assert in_order(apart) == apart


def made(value: str, one: Transform, *more: Transform) -> tuple[str | None, ...]:
    """What *one* makes of a record whose field ``a`` is *value* and ``b`` is ``B``."""
    found = read(f'{{"time":1,"a":{value},"b":"B"}}', one.made, [one, *more], format="JSON")
    ((_, texts),) = found.rows
    return (*texts, found.counts["failed_transform_count"]) if found.counts["failed_transform_count"] else texts


@pytest.mark.parametrize(("one", "value", "texts"), [
    (transform("concat", "a b"), '"A"', ("AB",)), (transform("concat", "b a b", "-"), '"A"', ("B-A-B",)),
    (transform("concat", "a b", ":"), "null", (":B",)),
    (transform("extract", "a", r"(\w+)@(\w+)", "x y"), '"to me@home.org"', ("me", "home")),
    (transform("extract", "a", "(x)?(.)", "x y"), '"yx"', (None, "y")),
    (transform("extract", "a", "(q)", "x"), '"A"', (None, 1)),
    (transform("split", "a", ",", "x y z"), '"1,2"', ("1", "2", None)),
    (transform("split", "a", ",", "x y"), '"1,2,3"', ("1", "2")),
    (transform("split", "a", "(,)", "x y"), '"1,2"', ("1", "2")),
    (transform("split", "a", "", "x y"), '"12"', ("1", "2")),
    (transform("split", "a", ",", "x y"), '",2"', (None, "2")),
    (transform("lowercase"), '"ÀB"', ("àb",)), (transform("uppercase"), '"àb"', ("ÀB",)),
    (transform("trim"), '" x\\t"', ("x",)),
    (transform("geo_unhash"), '"ezs42"', ("42.60498046875,-5.60302734375",)),
    (transform("geo_unhash"), '"ail"', (None, 1)),
    (transform("domain_split"), '"www.example.co.uk"', ("www", "example.co.uk")),
    (transform("domain_split", outputs="sub"), '"www.example.com"', ("www",)),
    (transform("lowercase"), "null", (None,)), (transform("trim"), "12.50", ("12.50",)),
])
def test_what_a_transform_makes(one: Transform, value: str, texts: tuple[str | int | None, ...]) -> None:
    assert made(value, one) == texts


@pytest.mark.parametrize(("host", "parts"), [
    ("www.example.com", ("www", "example.com")), ("a.b.example.co.uk", ("a.b", "example.co.uk")),
    ("example.com", ("", "example.com")), ("com", ("", "com")), ("co.uk", ("", "co.uk")), ("", ("", "")),
    ("WWW.Example.Com.", ("WWW", "Example.Com")), ("192.168.62.9", ("", "192.168.62.9")), ("[::1]", ("", "[::1]")),
    ("localhost", ("", "localhost")), ("printer.office.local", ("printer", "office.local")),
    ("www.食狮.公司.cn", ("www", "食狮.公司.cn")), ("x.xn--85x722f.xn--55qx5d.cn", ("x", "xn--85x722f.xn--55qx5d.cn")),
    ("..", ("", "")), ("a..com", ("", "a..com")),
])
def test_a_host_is_split_where_its_registered_domain_begins(host: str, parts: tuple[str, str]) -> None:
    assert domain_split(host) == parts


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), characters=st.integers(1, 12))
def test_a_geohash_names_a_cell_that_holds_the_place(latitude: float, longitude: float, characters: int) -> None:
    geohash, low, high = "", [-180.0, -90.0], [180.0, 90.0]
    for place in range(characters):
        value = 0
        for bit in range(5):
            axis = (5 * place + bit) % 2
            middle = (low[axis] + high[axis]) / 2
            above = (longitude, latitude)[axis] >= middle
            (low if above else high)[axis] = middle
            value = 2 * value + above
        geohash += "0123456789bcdefghjkmnpqrstuvwxyz"[value]
    found = geo_unhash(geohash.upper())
    assert found is not None
    assert [float(part) for part in found[0].split(",")] == [(low[i] + high[i]) / 2 for i in (1, 0)]


@pytest.mark.parametrize(("operator", "value", "left"), [
    ("eq", "5", ["4", "6", "x", None]), ("gt", "5", ["4", "5.0", "x", None]), ("gte", " 5 ", ["4", "x", None]),
    ("lt", "5e0", ["5.0", "6", "x", None]), ("lte", "5", ["6", "x", None]), ("match", "[4-6]", ["5.0", "x", None]),
    ("match", ".*", []), ("match", "x|", ["4", "5.0", "6"]),
])
def test_exclude_drops_what_meets_its_condition(operator: str, value: str, left: list[str | None]) -> None:
    exclude = Transform("exclude", ("a",), condition=Condition(operator, value))
    found = read("time,a,b\n1,4,\n1,5.0,\n1,6,\n1,x,\n1,,\n", ("a",), [exclude])
    assert [texts[0] for _, texts in found.rows] == left
    assert found.counts["excluded_count"] == 5 - len(left)


def test_exclude_drops_a_record_if_one_of_its_inputs_meets_the_condition_even_a_made_one() -> None:
    exclude = Transform("exclude", ("a", "uppercase"), condition=Condition("match", "X"))
    found = read("time,a,b\n1,X,y\n2,y,x\n3,y,y\n", ("a",), [exclude, transform("uppercase", "b")])
    assert [time_ms for time_ms, _ in found.rows] == [3000]


def test_transforms_make_the_fields_of_single_lines_the_time_too() -> None:
    one = transform("extract", "raw", r"^(\S+) \[(.*?)\] (.*)", "host time text")
    found = read('h1 [01/Oct/2014:02:00:00 +0200] "GET /"\r\nno line\nh2 [01/Oct/2014:02:00:01 +0200] x',
                 ("host", "text"), [one], format="SINGLE_LINE", time_format="dd/MMM/yyyy:HH:mm:ss X")
    assert found.rows == [(1_412_121_600_000, ("h1", '"GET /"')), (1_412_121_601_000, ("h2", "x"))]
    assert (found.counts["invalid_date_count"], found.counts["failed_transform_count"]) == (1, 1)


@pytest.mark.parametrize(("java", "matched", "not_matched"), [
    (r"(?<year>\d+)-\k<year>", "12-12", "12-13"), (r"\Qa.b\E+", "a.bb", "axb"), (r"\Q[", "[", ""),
    (r"\p{Alpha}+", "aZ", "é"),
    (r"[\p{Digit}x]+", "1x", "y"), (r"\P{Space}", "x", " "), (r"\h\v", "\u2003\u2028", "x\n"), (r"\H\V", "ab", " b"),
    (r"\R", "\r\n", "\n\r"), (r"\x{1F600}\x41\u0042\0101", "😀ABA", "😀ABB"), (r"\cA\e\t", "\x01\x1b\t", "A"),
    (r"a.b", "a\tb", "a\u2028b"), (r"(?s)a.b", "a\nb", "ab"), (r"(?i)ab", "aB", "é"), (r"a(?i:b)", "aB", "AB"),
    (r"\d+", "12", "٣"), (r"\w+", "a_1", "é"), (r"a++b|(?>x*)y", "xxy", "xx"), (r"(?=a)\w(?<!b)(?!c)", "a", "b"),
    (r"a{2,3}", "aaa", "a"), (r"[^a&~|]", "b", "&"), (r"[a\]\-]+", "a]-", "b"), (r"(a)\11", "aa1", "a1"),
    (r"\{\}", "{}", "{"),
    (r"^a$", "a", "b"), (r"\Aa\z", "a", "a\n"), (r"(?:a|b)*?c", "abc", "d"), (r"[\Qa-c\E]", "-", "b"),
])
def test_a_regular_expression_of_java_means_here_what_it_means_there(java: str, matched: str, not_matched: str) -> None:
    regex = compiled(java)
    assert regex.fullmatch(matched)
    assert not regex.fullmatch(not_matched)


SLOW = "^(a|aa)+$"
"""Of n times "a" and another character it tries as many ways as the n-th Fibonacci number."""


def endless(number: int) -> str:
    return "a" * (60 + number) + "!"


@pytest.mark.parametrize("expression", [SLOW, "(a+)+$", "(a|a?)+b", r"(?=(a|aa)+$)a"])
def test_no_expression_takes_long_over_a_value(expression: str) -> None:
    regex, begun = compiled(expression), time.process_time()
    try:
        assert regex.search(endless(0)) is None
    except SlowRegex as e:
        assert str(e) == f"the regular expression {expression!r} takes longer than 0.25 s over a value"
    assert time.process_time() - begun < 10 * VALUE_S


def test_a_value_that_takes_too_long_is_a_transform_that_failed_and_excludes_nothing() -> None:
    body = "".join(f'{{"time":{i},"a":"{text}"}}' for i, text in enumerate(("aa", endless(0), "b", endless(0))))
    extract = Transform("extract", ("a",), (f"({SLOW})",), ("x", "y"))
    found = read(body, ("x",), [extract], format="JSON")
    assert [texts for _, texts in found.rows] == [("aa",), (None,), (None,), (None,)]
    assert found.counts["failed_transform_count"] == 3  # one has no match
    exclude = Transform("exclude", ("a",), condition=Condition("match", SLOW))
    found = read(body, ("a",), [exclude], format="JSON")
    assert [texts for _, texts in found.rows] == [(endless(0),), ("b",), (endless(0),)]
    assert (found.counts["failed_transform_count"], found.counts["excluded_count"]) == (2, 1)


def test_an_upload_with_too_many_of_them_is_refused() -> None:
    values = [endless(i) for i in range(SLOW_MAX + 1)]
    exclude = Transform("exclude", ("a",), condition=Condition("match", SLOW))
    rows = [f'{{"time":{i},"a":"{value}"}}' for i, value in enumerate(values)]
    refused = read("".join(rows), ("a",), [exclude], format="JSON")
    assert (refused.refusal, refused.rows) == (TooManySlowValues, [])
    with pytest.raises(TooManySlowValues, match=r"takes longer than 0.25 s over a value, so it did over 8 before"):
        Plan([exclude]).run({"a": [*values]}, len(values))


def test_other_threads_go_on_meanwhile() -> None:
    def search() -> None:
        with pytest.raises(SlowRegex):
            compiled(SLOW).search(endless(0))

    slow = threading.Thread(target=search)
    slow.start()
    begun = time.thread_time()
    while slow.is_alive():
        pass
    assert time.thread_time() - begun > VALUE_S / 10


@pytest.mark.parametrize("java", ["((((a{50}){50}){50}){50})", "(a{1,400}){1,400}", r"\d{100001}"])
def test_an_expression_that_stands_for_too_much_is_refused(java: str) -> None:
    with pytest.raises(BadRegex, match="it stands for more than 100000 characters"):
        compiled(java)


def test_the_end_may_stand_before_a_last_line_break() -> None:
    for text in ("a", "a\n", "a\r\n", "a\u2028"):
        assert compiled(r"a\Z").search(text)
    assert not compiled(r"a\Z").search("a\n\n")


@pytest.mark.parametrize("java", [
    "(", ")", "*a", "a{", "{2}", "a{,2}", "a{x}", "[a", "[]", "[a[b]]", "[a&&b]", r"\p{L}", r"\p{IsGreek}",
    r"[\P{Alpha}]", r"\G",
    r"\X", r"\N{DASH}", r"\y", "a\\", "(?x)a", "(?d)a", "a(?i)b", "(?i)a(?m)b", "(?-i)a", "(?P<a>x)", "(?#a)",
    "(?(1)a)",
    "(?)", r"\k", r"\x{110000}", r"\xg", r"[\b]", r"[\R]", "(?<a>x)(?<a>y)", r"(?<=a+)b", "[z-a]", r"\2(a)"])
def test_a_regular_expression_that_cannot_mean_the_same_is_refused(java: str) -> None:
    with pytest.raises(BadRegex):
        compiled(java)
