"""Messages to categories: planted templates are found again, and members match what is said of them."""
from __future__ import annotations

import re
import time
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offbeat_detectors.buckets import categories
from offbeat_detectors.buckets.categories import MESSAGE_CHARS, WORDS_MAX, Categorizer, in_common, weight_of
from offbeat_detectors.buckets.texts import restore_texts, save_texts
from tests.detectors import naive_categories as naive
from tests.detectors.planted_logs import TEMPLATES, planted, some_templates

WORDS = "Node node failed started to in of connection alice bob öl x.y a-b/c @ : 17 10.0.0.1 dead/beef beef"
ODD = ["\n", "\r", "\u2028", "", "𝒳", "\ud800", ".*", "(", "\\d", "aa:bb:cc:dd:ee:ff", "fe80::db:1"]
PIECE = st.one_of(st.sampled_from(WORDS.split()), st.text(max_size=8), st.sampled_from(ODD))
MESSAGE = st.lists(PIECE, max_size=12).map(" ".join)
MESSAGES = st.lists(MESSAGE, max_size=40)


def ids_of(categorizer: Categorizer, *messages: str) -> list[int]:
    return [int(each) for each in categorizer.add(messages)]


def together(*messages: str) -> bool:
    """Whether these messages come to one category."""
    return len(set(ids_of(Categorizer(), *messages))) == 1


@given(MESSAGES, st.integers(1, 8))
def test_it_agrees_with_its_definition(messages: list[str], categories_max: int) -> None:
    categorizer, twin = Categorizer(categories_max=categories_max), naive.Categories(categories_max)
    for message in messages:
        category = ids_of(categorizer, message)[0]
        expected, weight = twin.place_of(message)
        assert category == expected
        if category <= categories_max:
            kept = categorizer.definition(category).terms.split()
            assert naive.weight(kept) == weight
            twin.keep(category, kept, message)


@settings(max_examples=200)
@given(MESSAGES, st.sampled_from([(), (r"\d+",), ("x*", "[a-m]+o"), (r"\s.",)]), st.integers(0, 5))
def test_the_regex_of_a_category_matches_all_of_every_member_and_example(
    messages: list[str], filters: tuple[str, ...], examples_max: int,
) -> None:
    categorizer = Categorizer(examples_max, 6, filters)
    ids = ids_of(categorizer, *messages)
    for category, message in zip(ids, messages, strict=True):
        assert re.fullmatch(categorizer.definition(category).regex, message)
    for category in set(ids):
        found = categorizer.definition(category)
        members = {message for own, message in zip(ids, messages, strict=True) if own == category}
        assert all(re.fullmatch(found.regex, example) for example in found.examples)
        assert set(found.examples) <= members
        assert len(found.examples) == min(examples_max, len(members))
        assert list(found.examples) == sorted(set(found.examples))
        assert found.matches == ids.count(category)


@given(MESSAGES, st.integers(1, 6), st.data())
def test_batches_memory_and_restarts_change_nothing(
    messages: list[str], categories_max: int, data: st.DataObject,
) -> None:
    straight = Categorizer(categories_max=categories_max)
    expected = ids_of(straight, *messages, *messages)
    other, said = Categorizer(categories_max=categories_max), []
    for message in [*messages, *messages]:
        what = data.draw(st.sampled_from(["go on", "forget", "restart"]))
        if what == "forget":
            other._known.clear()
            other._known_alike.clear()
        if what == "restart":
            state = other.save()
            other = Categorizer(categories_max=categories_max)
            other.restore(state)
        said += ids_of(other, message)
    assert said == expected
    assert [other.definition(i) for i in other.ids] == [straight.definition(i) for i in straight.ids]
    assert other.status() == straight.status()
    for (name, mine), theirs in zip(other.save().items(), straight.save().values(), strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=name)


@pytest.mark.parametrize(
    "templates", [TEMPLATES, some_templates(60, 1), some_templates(200, 2)], ids=["logs", "60", "200"])
def test_planted_templates_are_found_again(templates: tuple[str, ...]) -> None:
    messages, which = planted(6_000, 7, templates)
    ids = ids_of(Categorizer(), *messages)
    pairs = Counter(zip(which, ids, strict=True))
    category_of = {template: max((n, i) for (t, i), n in pairs.items() if t == template)[1] for template in set(which)}
    assert len(set(category_of.values())) == len(category_of), "two templates were merged"
    home = sum(n for (template, category), n in pairs.items() if category_of[template] == category)
    assert home >= 0.95 * len(messages)
    owner = {category: template for template, category in category_of.items()}
    assert all(owner.get(category, template) == template for template, category in pairs)


@pytest.mark.parametrize(("one", "other"), [
    ("Failed password for root from 10.0.0.1 port 22", "Failed password for root from 10.9.8.7 port 4242"),
    ("User alice logged in", "User bob logged in"),
    ("request 3f2504e0-4f89-11d3-9a0c-0305e82c3301 done", "request 9b2504e0-4f89-11d3-9a0c-0305e82c33ff done"),
    ("wrote /data/part-0001/x.db", "wrote /data/part-0002/y.db"),
    ("lease of 00:1b:44:db:3a:b7 expired", "lease of aa:db:cc:dd:ee:ff expired"),
    ("page fault at deadbeef", "page fault at cafe"),
    ("17 5", "4 2 1"),
    ("", "12:30:00"),
])
def test_names_and_numbers_make_no_other_category(one: str, other: str) -> None:
    assert together(one, other)


@pytest.mark.parametrize(("one", "other"), [
    ("Service started", "Service stopped"),
    ("Failed password for root from 10.0.0.1 port 22", "Accepted password for root from 10.0.0.1 port 22"),
    ("Connection to db1 opened", "Connection to db1 closed"),
    ("Node joined cluster", "Node lost connection to cluster"),
    ("", "started"),
])
def test_what_says_something_else_is_another_category(one: str, other: str) -> None:
    assert not together(one, other)


NAMES = ("ga", "go", "gu", "ha", "ho", "hu", "ja", "jo", "ju", "ka", "ko", "ku", "la")


def test_a_member_that_says_more_raises_what_others_must_have_in_common() -> None:
    first, more, another = " ".join(NAMES[:10]), " ".join(NAMES), " ".join((*NAMES[:8], "ma", "mo"))
    assert ids_of(Categorizer(), first, another) == [1, 1]
    assert ids_of(Categorizer(), first, more, another) == [1, 1, 2]


def test_of_two_categories_that_would_take_a_message_the_older_one_does() -> None:
    older, newer = " ".join(NAMES[:10]), " ".join((*NAMES[:6], "ma", "mo", "mu", "na"))
    assert ids_of(Categorizer(), older, newer, " ".join((*NAMES[:8], "ma", "mo"))) == [1, 2, 1]
    assert ids_of(Categorizer(), newer, older, " ".join((*NAMES[:8], "ma", "mo"))) == [1, 2, 1]


def test_ids_are_given_in_the_order_of_arrival_from_1() -> None:
    messages = ["Service started", "Disk full on sda1", "Service started", "Login failed for bob"]
    said = Categorizer().add(messages)
    assert (said.dtype, said.tolist()) == (np.int32, [1, 2, 1, 3])


def test_a_category_says_its_terms_a_regex_and_examples() -> None:
    categorizer = Categorizer(examples_max=2)
    names = ("dave", "bob", "carol")
    categorizer.add([f"User {name} logged in from api.example.org at {n}" for n, name in enumerate(names)])
    found = categorizer.definition(1)
    assert (found.id, found.matches, found.terms) == (1, 3, "User logged in from api.example.org at")
    assert found.regex == r".*?User.+?logged.+?in.+?from.+?api\.example\.org.+?at.*"
    assert found.examples == (
        "User bob logged in from api.example.org at 1", "User dave logged in from api.example.org at 0")


def test_a_category_with_a_line_break_has_a_regex_that_goes_beyond_it() -> None:
    categorizer = Categorizer()
    assert set(ids_of(categorizer, "Service started", "Service started\nat once", "Service\n1 started")) == {1}
    assert categorizer.definition(1).regex == r"[\s\S]*?Service[\s\S]+?started[\s\S]*"


def test_of_a_long_message_the_beginning_counts_and_is_the_example() -> None:
    categorizer, long = Categorizer(), "Service started " + "x" * 2 * MESSAGE_CHARS + "\nend"
    assert ids_of(categorizer, long, long + " of all") == [1, 1]
    found = categorizer.definition(1)
    assert found.examples == (long[:MESSAGE_CHARS],)
    assert re.fullmatch(found.regex, long) and re.fullmatch(found.regex, found.examples[0])


def test_of_very_many_words_the_first_count() -> None:
    many = "yy zz " * WORDS_MAX
    categorizer = Categorizer()
    assert ids_of(categorizer, many, many + "xx ww", "zz " + many) == [1, 1, 1]
    assert len(categorizer.definition(1).terms.split()) <= WORDS_MAX


def test_what_a_filter_matches_does_not_count() -> None:
    messages = ["Service started [thread main]", "Service started [thread garbage collector exiting]"]
    assert ids_of(Categorizer(), *messages) == [1, 2]
    filtered = Categorizer(filters=[r"\[.*?\]"])
    assert ids_of(filtered, *messages) == [1, 1]
    assert filtered.definition(1).terms == "Service started"


def test_no_filter_takes_long_over_a_message() -> None:
    begun = time.process_time()
    assert ids_of(Categorizer(filters=["(a+)+$", "^(a|aa)+$", "(x+x+)+y"]), "a" * 900 + " x" * 40 + "!") == [1]
    assert time.process_time() - begun < 1.0


def test_a_filter_of_letters_beyond_ascii_works() -> None:
    filtered = Categorizer(filters=["größe \\d+", "\U0001f600+"])
    assert ids_of(filtered, "Datei geöffnet größe 12 \U0001f600", "Datei geöffnet") == [1, 1]


@pytest.mark.parametrize("text", ["(?=a)b", r"(a)\1", "(?<!a)b", "a++", "(?>a)"])
def test_a_filter_that_takes_who_knows_how_long_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"filter 1, .* is no regular expression: "):
        Categorizer(filters=[text])


def test_beyond_the_limit_there_is_one_category_for_the_rest_which_is_counted() -> None:
    categorizer = Categorizer(categories_max=2)
    messages = ("Service started", "Disk full", "Login failed", "Cache flushed", "Disk full")
    assert ids_of(categorizer, *messages) == [1, 2, 3, 3, 2]
    rest = categorizer.definition(3)
    assert (rest.terms, rest.regex, rest.matches) == ("", ".*", 2)
    assert rest.examples == ("Cache flushed", "Login failed")
    assert (categorizer.status().beyond, categorizer.status().categories, list(categorizer.ids)) == (2, 2, [1, 2])


@pytest.mark.parametrize("wrong", [0, -1, 2, 100])
def test_a_category_without_a_member_is_none(wrong: int) -> None:
    categorizer = Categorizer(categories_max=99)
    categorizer.add(["Service started"])
    with pytest.raises(KeyError):
        categorizer.definition(wrong)


def test_good_categories_are_ok() -> None:
    categorizer = Categorizer()
    assert categorizer.status().status == "ok"
    categorizer.add(planted(2_000, 3)[0])
    status = categorizer.status()
    assert (status.status, status.reasons, status.messages, status.categories) == ("ok", (), 2_000, len(TEMPLATES))
    assert (status.rare, status.frequent) == (0, len(TEMPLATES))


@pytest.mark.parametrize(("messages", "reasons"), [
    ([template.replace("{", " ").replace("}", " ") for template in some_templates(150, 5)],
     ("too many categories", "most are rare")),
    (["Service started"] * 400 + list(some_templates(20, 6)), ("most are rare", "one is dominant")),
    (["Service started"] * 200, ("one is dominant",)),
])
def test_categories_that_are_of_no_use_are_warned_of(messages: list[str], reasons: tuple[str, ...]) -> None:
    categorizer = Categorizer()
    categorizer.add(messages)
    assert (categorizer.status().status, categorizer.status().reasons) == ("warn", reasons)


def test_more_categories_than_there_may_be_are_warned_of() -> None:
    categorizer = Categorizer(categories_max=2)
    categorizer.add(["Service started", "Service stopped"] * 60 + ["Disk full"])
    assert categorizer.status().reasons == ("too many categories",)


def test_of_few_messages_nothing_is_said() -> None:
    categorizer = Categorizer()
    categorizer.add(["Service started"] * 99)
    assert categorizer.status().status == "ok"


@pytest.mark.parametrize(("parameters", "complaint"), [
    ({"examples_max": -1}, "examples_max is -1"), ({"categories_max": 0}, "categories_max is 0"),
    ({"filters": ["ok", "("]}, r"filter 2, '\(', is no regular expression"),
])
def test_a_bad_parameter_is_refused(parameters: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Categorizer(**parameters)  # type: ignore[arg-type]


def test_a_state_of_more_categories_than_there_may_be_is_refused() -> None:
    categorizer = Categorizer()
    categorizer.add(["Service started", "Disk full"])
    with pytest.raises(ValueError, match="of 2 categories: expected at most 1"):
        Categorizer(categories_max=1).restore(categorizer.save())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(categories, "MESSAGES_KNOWN", 50)
    categorizer, most = Categorizer(categories_max=5), 0
    for message in planted(500, 4, some_templates(30, 4))[0]:
        categorizer.add([message])
        most = max(most, len(categorizer._known), len(categorizer._known_alike))
    assert most == 50
    assert sum(column.nbytes for column in categorizer.save().values()) < 6 * 5 * MESSAGE_CHARS


FEW = st.lists(st.sampled_from(["node", "failed", "to", "yy", "zz"]), max_size=9)


@given(FEW, FEW)
def test_what_two_messages_have_in_common_is_as_heavy_as_can_be(a: list[str], b: list[str]) -> None:
    common = list(in_common(tuple(a), tuple(b)))
    assert naive.is_within(common, a) and naive.is_within(common, b)
    assert naive.weight(common) == naive.common_weight(a, b)


def test_words_tell_more_or_less() -> None:
    assert [weight_of(word) for word in ("Failed", "node", "alice", "the", "deadbeef")] == [6, 3, 1, 1, 0]


@given(st.lists(st.text()))
def test_texts_come_back_from_arrays_of_numbers(texts: list[str]) -> None:
    assert restore_texts("some", save_texts("some", iter(texts))) == texts


def test_thirty_thousand_new_messages_a_second_of_two_hundred_templates() -> None:
    messages = planted(12_000, 8, some_templates(200, 8))[0]
    categorizer = Categorizer()
    categorizer.add(messages[:6_000])
    began = time.process_time()
    categorizer.add(messages[6_000:])
    # A tenth of what it does on a quiet machine: whoever compares each message with each category is slower still.
    assert time.process_time() - began < 6_000 / 5_000
