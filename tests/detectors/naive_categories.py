"""Messages to categories once more, slow and obvious: every message against every category, nothing remembered."""
from __future__ import annotations

import re
from itertools import product

from offbeat_detectors.buckets.categories import weight_of


def words_of(text: str) -> list[str]:
    words = re.findall(r"\w+(?:(?:[-./@]|:(?=[0-9a-fA-F]{2}\b))\w+)*", text[:1000])
    return [word for word in words if not re.search(r"\d", word) and weight_of(word)][:100]


def weight(words: list[str]) -> int:
    return sum(weight_of(word) for word in words)


def common_weight(a: list[str], b: list[str]) -> int:
    best = dict.fromkeys(product(range(len(a) + 1), range(len(b) + 1)), 0)
    for i, j in product(range(1, len(a) + 1), range(1, len(b) + 1)):
        best[i, j] = max(best[i - 1, j], best[i, j - 1])
        if a[i - 1] == b[j - 1]:
            best[i, j] = max(best[i, j], best[i - 1, j - 1] + weight_of(a[i - 1]))
    return best[len(a), len(b)]


def is_within(part: list[str], whole: list[str]) -> bool:
    """Whether *part* is what is left of *whole* if some words are left out."""
    rest = iter(whole)
    return all(word in rest for word in part)


class Categories:
    """It is told which words a category kept, for there may be several of one weight, and checks them."""

    def __init__(self, categories_max: int) -> None:
        self.words: list[list[str]] = []
        self.heaviest: list[int] = []
        self.categories_max = categories_max

    def place_of(self, text: str) -> tuple[int, int]:
        """The category, from 1, and the weight that its words have from now on."""
        mine = words_of(text)
        for i, (words, heaviest) in enumerate(zip(self.words, self.heaviest, strict=True)):
            common = common_weight(words, mine)
            if (not mine) == (not words) and 10 * common >= 7 * max(weight(mine), heaviest):
                self.heaviest[i] = max(heaviest, weight(mine))
                return i + 1, common
        if len(self.words) == self.categories_max:
            return self.categories_max + 1, 0
        self.words.append(mine)
        self.heaviest.append(weight(mine))
        return len(self.words), weight(mine)

    def keep(self, category: int, kept: list[str], text: str) -> None:
        """*kept* is what the category has now: it must be in what it had and in the message."""
        assert is_within(kept, self.words[category - 1])
        assert is_within(kept, words_of(text))
        self.words[category - 1] = kept
