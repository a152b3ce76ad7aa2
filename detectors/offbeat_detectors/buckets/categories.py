"""Messages to categories: those that one line of a program wrote, each with its own names and numbers, become one.

A message is cut into words; what has a digit, or is a hexadecimal number, is a variable and no word. A category is the
words that all of its members have in common, in order. A message belongs to the first category with which it has at
least SAME_PER_10 tenths of its weight in common, and of that of every member so far; words that tell much weigh more
(``log_words``).

So it is decided once and for all: a category's words only become fewer and its heaviest member only heavier, hence who
was refused is refused for ever; and who is in has all that is left of its words, which is enough for whoever is the
heaviest. What is remembered of messages seen before therefore changes nothing but the speed.

Ideas: P. He et al., "Drain", 2017; R. Vaarandi, "A data clustering algorithm for mining patterns from event logs"
(SLCT), 2003; M. Du, F. Li, "Spell", 2016 (longest common subsequence). Source of the form: Prelert Engine API, 9.5.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress
from typing import Literal

import numpy as np
import re2
from numpy.typing import NDArray

from offbeat_detectors.buckets.log_words import PARTICLES, TELLING, TRADE
from offbeat_detectors.buckets.texts import restore_texts, save_texts
from offbeat_detectors.contract import State
from offbeat_detectors.kernel import kernel

MESSAGE_CHARS = 1000
"""Only so much of a message is looked at, and so long is an example at most."""
WORDS_MAX = 100
"""Only so many words of a message are looked at."""

SAME_PER_10 = 7
"""Of 10 parts of weight, how many two messages of a category have in common."""
_WEIGHTS = ((TELLING, 6), (TRADE, 3), (PARTICLES, 1))
_WEIGHT_NAME = 1

MESSAGES_KNOWN, WORDS_KNOWN = 10_000, 20_000
"""So many messages, and words, are remembered with what they came to, before the memory is begun anew."""

STATUS_MESSAGES_MIN = 100
MANY, MOSTLY_RARE, DOMINANT = 0.5, 0.9, 0.9
FREQUENT = 0.01

# Addresses, paths, host names and times are one word.
_WORD = re.compile(r"\w+(?:(?:[-./@]|:(?=[0-9a-fA-F]{2}\b))\w+)*")
_DIGIT = re.compile(r"\d")
_HEX = re.compile(r"[a-fA-F:]+")
_LINE_BREAK = re.compile(r"[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CategoryDefinition:
    """What a person is told of a category.

    id        from 1
    terms     the words that all members have, in order, with a space between
    regex     matches every member from its first character to its last; needs nothing that not every dialect has
    examples  distinct members, sorted, cut to MESSAGE_CHARS characters
    matches   how many messages belong to it
    """

    id: int
    terms: str
    regex: str
    examples: tuple[str, ...]
    matches: int


@dataclass(frozen=True, slots=True)
class CategorizerStatus:
    """Whether the categories are of use: "warn" if one of three things says that the messages are not of this kind.

    reasons   why; empty if "ok", and before STATUS_MESSAGES_MIN messages. "too many categories": more than MANY of the
              number of messages, or more than there may be; "most are rare": more than MOSTLY_RARE of the categories
              have one member; "one is dominant": one has more than DOMINANT of all messages
    messages  categorized so far           categories  there are, without the one for the rest
    rare      categories of one message    frequent    with more than FREQUENT of the messages
    beyond    messages that came when no further category might be made
    """

    status: Literal["ok", "warn"]
    reasons: tuple[str, ...]
    messages: int
    categories: int
    rare: int
    frequent: int
    beyond: int


@dataclass(slots=True)
class _Category:
    """What is kept of a category.

    words     what all members have in common       weight  of these words
    heaviest  weight of the words of a member       broken  whether a member has a line break
    examples  in the order in which they came
    """

    words: _Words
    weight: int
    heaviest: int
    broken: bool = False
    matches: int = 0
    examples: list[str] = field(default_factory=list)


def filter_of(text: str) -> re2._Regexp:
    """The regular expression *text*. Raises ValueError for what RE2 cannot read, which knows no look-around.

    What categories there are must not depend on the clock, so nothing can be given up that takes too long: RE2 takes a
    time in proportion to the message, whatever the expression.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        said = error.args[0] if error.args else b"it cannot be read"
        raise ValueError(said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)) from None


class Categorizer:
    """Categories in the order in which their first member came; a message is looked up if it came before.

    examples_max    examples kept of a category, 0 or more: the first distinct ones
    categories_max  further messages like none before belong to one more category, of id categories_max + 1
    filters         regular expressions; what one matches counts as a space. Raises ValueError as ``filter_of``

    Memory: at most categories_max × (1 + examples_max) messages, and MESSAGES_KNOWN, each of MESSAGE_CHARS characters.
    """

    def __init__(self, examples_max: int = 4, categories_max: int = 2_000, filters: Sequence[str] = ()) -> None:
        if examples_max < 0:
            raise ValueError(f"examples_max is {examples_max}: expected 0 or more")
        if categories_max < 1:
            raise ValueError(f"categories_max is {categories_max}: expected 1 or more")
        self.examples_max, self.categories_max = examples_max, categories_max
        self._filters = []
        for number, text in enumerate(filters, 1):
            try:
                self._filters.append(filter_of(text))
            except ValueError as error:
                raise ValueError(f"filter {number}, {text!r}, is no regular expression: {error}") from error
        self._categories: list[_Category] = []
        self._rest = _Category((), 0, 0)
        self._with: dict[str, list[int]] = {}  # word → places of the categories that have, or had, it
        self._known: dict[str, int] = {}
        self._known_alike: dict[tuple[int, _Words], int] = {}

    def add(self, messages: Sequence[str]) -> NDArray[np.int32]:
        """The category of each message, (n,), from 1; each is learned before the next is looked at."""
        ids = np.empty(len(messages), np.int32)
        for i, message in enumerate(messages):
            text = message[:MESSAGE_CHARS]
            place = self._known.get(text)
            if place is None:
                place = self._place_of(text)
            ids[i] = place + 1
            self._at(place).matches += 1
            if len(message) > MESSAGE_CHARS and _LINE_BREAK.search(message, MESSAGE_CHARS):
                self._at(place).broken = True
        return ids

    def definition(self, category: int) -> CategoryDefinition:
        """What is known of the category with this id. Raises KeyError for one that has no member."""
        rest = category == self.categories_max + 1 and self._rest.matches > 0
        if not (rest or 1 <= category <= len(self._categories)):
            raise KeyError(category)
        found = self._at(category - 1)
        # Of what a word may be made of, only the full stop has a meaning in a regular expression.
        # A member may begin and end with anything, and between two of its words there is at least one character.
        any_char = r"[\s\S]" if found.broken else "."
        regex = f"{any_char}+?".join(word.replace(".", r"\.") for word in found.words)
        regex = f"{any_char}*?{regex}{any_char}*" if found.words else f"{any_char}*"
        return CategoryDefinition(category, " ".join(found.words), regex, tuple(sorted(found.examples)), found.matches)

    @property
    def ids(self) -> range:
        """The ids of the categories there are, without the one for the rest."""
        return range(1, len(self._categories) + 1)

    def status(self) -> CategorizerStatus:
        """Whether the categories are of use."""
        matches = [category.matches for category in self._categories]
        messages, count, beyond = sum(matches) + self._rest.matches, len(matches), self._rest.matches
        rare = sum(each == 1 for each in matches)
        reasons = []
        if messages >= STATUS_MESSAGES_MIN:
            if beyond or count > MANY * messages:
                reasons.append("too many categories")
            if rare > MOSTLY_RARE * count:
                reasons.append("most are rare")
            if max(matches) > DOMINANT * messages:
                reasons.append("one is dominant")
        frequent = sum(each > FREQUENT * messages for each in matches)
        return CategorizerStatus("warn" if reasons else "ok", tuple(reasons), messages, count, rare, frequent, beyond)

    def save(self) -> State:
        """A copy of all that was learned; not of the parameters."""
        all_of = [*self._categories, self._rest]
        numbers = [(len(c.words), c.heaviest, c.broken, c.matches, len(c.examples)) for c in all_of]
        words, examples = (w for c in all_of for w in c.words), (e for c in all_of for e in c.examples)
        return {"number": np.array(numbers, np.int64)} | save_texts("word", words) | save_texts("example", examples)

    def restore(self, state: State) -> None:
        """Go on from what ``save`` gave, of one with the same parameters.

        Raises KeyError for a missing array, ValueError for more categories than there may be.
        """
        numbers = state["number"].tolist()
        if len(numbers) > self.categories_max + 1:
            raise ValueError(
                f"state 'number' is of {len(numbers) - 1} categories: expected at most {self.categories_max}")
        words, examples = iter(restore_texts("word", state)), iter(restore_texts("example", state))
        self._categories, self._with, self._known, self._known_alike = [], {}, {}, {}
        for words_count, heaviest, broken, matches, examples_count in numbers:
            own = tuple(next(words) for _ in range(words_count))
            own_examples = [next(examples) for _ in range(examples_count)]
            self._append(_Category(own, sum(map(weight_of, own)), heaviest, bool(broken), matches, own_examples))
        self._rest = self._categories.pop()

    def _at(self, place: int) -> _Category:
        return self._categories[place] if place < len(self._categories) else self._rest

    def _append(self, category: _Category) -> None:
        for word in dict.fromkeys(category.words):
            self._with.setdefault(word, []).append(len(self._categories))
        self._categories.append(category)

    def _place_of(self, text: str) -> int:
        """The place of a text that is not among those known; it becomes an example while there is room."""
        words = self._words_of(text)
        weight = sum(map(weight_of, words))
        # What is in no category has nothing in common with any: but for its weight, it might as well be another name.
        alike = (weight, tuple([word for word in words if word in self._with]))
        place = self._known_alike.get(alike)
        if place is None:
            place = self._taken_by(words, weight)
            if place is None:
                place = len(self._categories)
                self._append(_Category(words, weight, weight))
            else:
                if len(self._known_alike) >= MESSAGES_KNOWN:
                    self._known_alike.clear()
                self._known_alike[alike] = place
        category = self._at(place)
        if len(category.examples) < self.examples_max and text not in category.examples:
            category.examples.append(text)
        if not category.broken and _LINE_BREAK.search(text):
            category.broken = True
        if len(self._known) >= MESSAGES_KNOWN:
            self._known.clear()
        self._known[text] = place
        return place

    def _words_of(self, text: str) -> _Words:
        if self._filters:  # they work on UTF-8, which has no half of a pair
            text = text.encode("utf-8", "replace").decode("utf-8")
        for each in self._filters:
            # A space, so that what stood before and behind does not become one word; an empty match is nothing.
            text = each.sub(lambda found: " " if found[0] else "", text)
        words = []
        for word in _WORD.findall(text):
            if (word.isalpha() or not _DIGIT.search(word)) and weight_of(word):
                words.append(word)
        return tuple(words[:WORDS_MAX])

    def _taken_by(self, words: _Words, weight: int) -> int | None:
        """The first category that takes these words, which may become fewer by it.

        If none does: that for the rest, if there may be no further one, else None.
        """
        for place in self._candidates(words, weight):
            category = self._categories[place]
            needed = SAME_PER_10 * max(weight, category.heaviest)
            if 10 * min(category.weight, weight) < needed:
                continue
            common = in_common(category.words, words)
            common_weight = sum(map(weight_of, common))
            if 10 * common_weight >= needed:
                category.words, category.weight = common, common_weight
                category.heaviest = max(weight, category.heaviest)
                return place
        return self.categories_max if len(self._categories) == self.categories_max else None

    def _candidates(self, words: _Words, weight: int) -> list[int]:
        """The places, in order, of all categories that might take these words, and few others.

        Who takes them has so much of their weight that it has one of any words that weigh more than the rest: of those
        that the fewest categories have. Source: S. Chaudhuri et al., "A primitive operator for similarity joins", 2006
        (prefix filter).
        """
        if not words:
            return [place for place, category in enumerate(self._categories) if not category.heaviest][:1]
        some: set[int] = set()
        to_cover = (10 - SAME_PER_10) * weight
        counts = Counter(words)
        for word in sorted(counts, key=lambda word: (len(self._with.get(word, ())), word)):
            some.update(self._with.get(word, ()))
            to_cover -= 10 * counts[word] * weight_of(word)
            if to_cover < 0:
                break
        return sorted(some)


@lru_cache(WORDS_KNOWN)
def weight_of(word: str) -> int:
    """How much a word without a digit tells of a message: 0 if it is a hexadecimal number, and so no word."""
    lower = word.lower()
    for some, weight in _WEIGHTS:
        if lower in some:
            return weight
    return 0 if _HEX.fullmatch(word) else _WEIGHT_NAME


def in_common(a: _Words, b: _Words) -> _Words:
    """The heaviest sequence of words that both have in this order; of several, that which takes from *a* first.

    Source: R. Wagner, M. Fischer, "The string-to-string correction problem", 1974, with weights.
    """
    first, last = 0, min(len(a), len(b))
    while first < last and a[first] == b[first]:
        first += 1
    behind = 0
    while behind < last - first and a[-1 - behind] == b[-1 - behind]:
        behind += 1
    code = {word: i for i, word in enumerate(a)}
    mine = a[first : len(a) - behind]
    codes = np.array([code[word] for word in mine], np.int64)
    theirs = np.array([code.get(word, -1) for word in b[first : len(b) - behind]], np.int64)
    weights = np.array([weight_of(word) for word in mine], np.int64)
    kept = np.zeros(len(mine), np.bool_)
    keep_common(codes, theirs, weights, kept)
    return a[:first] + tuple(compress(mine, kept.tolist())) + a[len(a) - behind :]


@kernel
def keep_common(
    a: NDArray[np.int64], b: NDArray[np.int64], weight: NDArray[np.int64], kept: NDArray[np.bool_],
) -> None:
    """Mark in *kept* (n,) which of the n words of *a*, of these weights, are those of ``in_common``."""
    best = np.zeros((a.size + 1, b.size + 1), np.int64)  # [i, j]: weight in common of a[i:] and b[j:]
    for i in range(a.size - 1, -1, -1):
        for j in range(b.size - 1, -1, -1):
            if a[i] == b[j]:
                best[i, j] = best[i + 1, j + 1] + weight[i]
            else:
                best[i, j] = max(best[i + 1, j], best[i, j + 1])
    i = j = 0
    while i < a.size and j < b.size:
        if a[i] == b[j]:
            kept[i] = True
            i += 1
            j += 1
        elif best[i + 1, j] >= best[i, j + 1]:
            i += 1
        else:
            j += 1
