r"""Java's regular expressions as Python's, so far as both can mean the same; BadRegex names what cannot.

They are run by the package regex: with certain expressions a value takes longer than the age of the world, and of the
engines that know all of Java's syntax only that one stops when it is told to, and lets other threads run meanwhile.

Translated: named groups, ``\Q…\E``, ``\p{…}`` of ASCII, ``\h``, ``\v``, ``\R``, ``\e``, ``\x{…}``, ``\0…``, ``\z``,
``\Z``, and the dot, which leaves out five kinds of line breaks. Letters, digits and spaces are those of ASCII, as in
Java without flags.
Refused: what Java itself refuses, as ``{`` that repeats nothing; classes within classes and ``&&``; other ``\p``;
``\G``, ``\X``, ``\N``; flags other than i, m and s, or elsewhere than at the start or for a group; and what only Python
has.

Source: Java SE 8, java.util.regex.Pattern; Python 3.11, re.
"""
from __future__ import annotations

import re
from collections.abc import Iterator

import regex

from offbeat.wire.records.errors import BadRegex, SlowRegex

CLASSES = {
    "Lower": "a-z", "Upper": "A-Z", "ASCII": r"\x00-\x7f", "Alpha": "A-Za-z", "Digit": "0-9", "Alnum": "0-9A-Za-z",
    "Punct": r"!-/:-@\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": r" \t", "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9A-Fa-f", "Space": r" \t\n\x0b\f\r",
}
HORIZONTAL = r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
VERTICAL = r"\n\x0b\f\r\x85\u2028\u2029"
CLASS_OF = {"h": HORIZONTAL, "v": VERTICAL}
SAME = set("dDsSwW")
"""Escapes that stand for a class in both languages."""
CONTROL = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f", "a": r"\a", "e": r"\x1b"}
PLACES = {"b": r"\b", "B": r"\B", "A": r"\A", "z": r"\Z", "Z": r"(?=(?:\r\n|[\n\r\x85\u2028\u2029])?\Z)",
          "R": r"(?:\r\n|[\n\x0b\f\r\x85\u2028\u2029])"}
REPEATS = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}")
GROUP = re.compile(r"\(\?(?:<([A-Za-z][A-Za-z0-9]*)>|([imsxudU]*(?:-[imsxudU]+)?)([:)])|(<?[=!]|>))")
NUMBER_OF = {"x": r"([0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,6}\})", "u": r"([0-9A-Fa-f]{4})", "0": r"([0-3]?[0-7]{1,2})"}
LINE_BREAKS = r"[^\n\r\x85\u2028\u2029]"


VALUE_S = 0.25
"""Of processor time: an expression that takes longer over one value is given up."""
SIZE_MAX = 100_000
"""Characters that an expression may stand for: what is repeated a number of times is laid out so often in memory."""


class Pattern:
    """An expression of Java, ready to match. Each method raises SlowRegex if one value takes longer than VALUE_S."""

    def __init__(self, java: str) -> None:
        """Raises BadRegex."""
        self._java = java
        text = Translation(java).whole()
        try:
            re.compile(text, re.ASCII)  # stricter, and its errors are those that are known
            self._pattern = regex.compile(text, regex.ASCII | regex.VERSION0)
        except (re.error, regex.error, OverflowError, RecursionError) as e:
            raise BadRegex(f"the regular expression {java!r} cannot be read: {e}") from None

    @property
    def groups(self) -> int:
        """How many groups it has."""
        return int(self._pattern.groups)

    def search(self, text: str) -> regex.Match[str] | None:
        """The first match."""
        try:
            return self._pattern.search(text, timeout=VALUE_S)
        except TimeoutError:
            raise self._slow() from None

    def fullmatch(self, text: str) -> regex.Match[str] | None:
        """The match of all of *text*."""
        try:
            return self._pattern.fullmatch(text, timeout=VALUE_S)
        except TimeoutError:
            raise self._slow() from None

    def finditer(self, text: str) -> Iterator[regex.Match[str]]:
        """All matches, one after the other."""
        try:
            yield from self._pattern.finditer(text, timeout=VALUE_S)
        except TimeoutError:
            raise self._slow() from None

    def _slow(self) -> SlowRegex:
        return SlowRegex(f"the regular expression {self._java!r} takes longer than {VALUE_S} s over a value")


def compiled(java: str) -> Pattern:
    """The expression *java*. Raises BadRegex."""
    return Pattern(java)


class Translation:
    """One pass over an expression of Java."""

    def __init__(self, java: str) -> None:
        self._java = java
        self._at = 0
        self._out: list[str] = []
        self._sizes, self._last = [0], 0  # of the groups that are open, and of what stood last
        # A dot that may mean any character in a part of the expression is left to Python's own flag.
        self._dot = "." if re.search(r"\(\?[im]*s", java) else LINE_BREAKS

    def whole(self) -> str:
        """The expression of Python."""
        while self._at < len(self._java):
            sign, before = self._java[self._at], self._at
            if sign == "\\":
                self._out.append(self._escape(inside=False))
            elif sign == "[":
                self._out.append(self._class())
            elif sign == "(":
                self._out.append(self._group())
            elif sign == "{":
                found = REPEATS.match(self._java, self._at)
                if found is None:
                    raise self._refusal("{ repeats nothing: write \\{")
                self._take(found[0])
                self._grow(self._last * (max(map(int, re.findall("[0-9]+", found[0]))) - 1))
                continue
            elif sign == ".":
                self._out.append(self._dot)
                self._at += 1
            else:
                self._take(sign)
            self._count(sign, self._at - before)
        return "".join(self._out)

    def _count(self, sign: str, length: int) -> None:
        """How large the expression is, after a part of it that begins with *sign*."""
        if sign == "(":
            self._sizes.append(0)
            return
        self._last = 0
        if sign == ")" and len(self._sizes) > 1:
            length = self._sizes.pop() + 1
        self._grow(length)

    def _grow(self, by: int) -> None:
        self._last += by
        self._sizes[-1] += by
        if sum(self._sizes) > SIZE_MAX:
            raise self._refusal(f"it stands for more than {SIZE_MAX} characters")

    def _take(self, text: str) -> None:
        self._out.append(text)
        self._at += len(text)

    def _refusal(self, why: str) -> BadRegex:
        return BadRegex(f"the regular expression {self._java!r} cannot be read at character {self._at + 1}: {why}")

    def _group(self) -> str:
        if not self._java.startswith("(?", self._at):
            self._at += 1
            return "("
        found = GROUP.match(self._java, self._at)
        if found is None:
            raise self._refusal("this kind of group is not known")
        name, flags, end, look = found.groups()
        if flags is not None:
            if set(flags) - set("ims-"):
                raise self._refusal(f"the flags {flags} are not known: known are i, m and s")
            if end == ")":
                if self._at or "-" in flags or not flags:
                    raise self._refusal("flags stand at the start, or for a group: (?i:…)")
            elif not flags:
                flags = ""
        self._at = found.end()
        if name is not None:
            return f"(?P<{name}>"
        return f"(?{look}" if look is not None else f"(?{flags}{end}"

    def _escape(self, inside: bool) -> str:
        """What the escape here stands for; *inside* brackets or not."""
        self._at += 1
        if self._at == len(self._java):
            raise self._refusal("it ends with a backslash")
        sign = self._java[self._at]
        self._at += 1
        if sign == "Q":
            return self._quoted()
        if sign in "pP":
            return self._property(sign == "P", inside)
        if sign in CLASS_OF:
            return CLASS_OF[sign] if inside else f"[{CLASS_OF[sign]}]"
        if sign in "HV" and not inside:
            return f"[^{CLASS_OF[sign.lower()]}]"
        if sign in SAME:
            return f"\\{sign}"
        if sign in CONTROL:
            return CONTROL[sign]
        if sign in "xu0c":
            return self._code(sign)
        if not inside and sign in PLACES:
            return PLACES[sign]
        if not inside and sign == "k":
            return f"(?P={self._matched(r'<([A-Za-z][A-Za-z0-9]*)>')})"
        if not inside and sign in "123456789":
            return f"(?:\\{sign})"  # a digit behind it is one of the text
        if sign.isascii() and sign.isalnum():
            raise self._refusal(f"\\{sign} is not known")
        return re.escape(sign)

    def _quoted(self) -> str:
        end = self._java.find("\\E", self._at)
        text = self._java[self._at :] if end < 0 else self._java[self._at : end]
        self._at = len(self._java) if end < 0 else end + 2
        return re.escape(text)

    def _property(self, negated: bool, inside: bool) -> str:
        name = self._matched(r"\{(\w+)\}")
        if name not in CLASSES:
            raise self._refusal(f"the property {name} is not known: known are {', '.join(CLASSES)}")
        if not inside:
            return f"[{'^' if negated else ''}{CLASSES[name]}]"
        if negated:
            raise self._refusal("\\P within brackets")
        return CLASSES[name]

    def _code(self, sign: str) -> str:
        """The character whose number follows ``\\x``, ``\\u`` or ``\\0``, or the control character of ``\\c``."""
        if sign == "c":
            return re.escape(chr(ord(self._matched("([@-_])")) ^ 64))
        number = int(self._matched(NUMBER_OF[sign]).strip("{}"), 8 if sign == "0" else 16)
        if number > 0x10FFFF:
            raise self._refusal("there is no such character")
        return re.escape(chr(number))

    def _matched(self, expression: str) -> str:
        found = re.compile(expression, re.ASCII).match(self._java, self._at)
        if found is None:
            raise self._refusal("something else was expected behind the backslash")
        self._at = found.end()
        return found[1]

    def _class(self) -> str:
        """What stands in brackets."""
        out = ["["]
        self._at += 1
        if self._java.startswith("^", self._at):
            out.append("^")
            self._at += 1
        empty = len(out)
        while True:
            sign = self._java[self._at : self._at + 1]
            if not sign:
                raise self._refusal("the brackets are not closed")
            if sign == "]":
                if len(out) == empty:
                    raise self._refusal("the brackets hold nothing")
                self._at += 1
                return "".join([*out, "]"])
            if sign == "[" or self._java.startswith("&&", self._at):
                raise self._refusal("brackets within brackets, and &&, are not known")
            if sign == "\\":
                out.append(self._escape(inside=True))
            else:
                # Two of these in a row are kept by Python for sets of its own.
                out.append(f"\\{sign}" if sign in "&~|" else sign)
                self._at += 1
