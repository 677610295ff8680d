"""The patterns of grep(1), as regular expressions of Python. Pure functions.

What is made matches no newline, so that text can be searched without being split into lines first.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from ..errors import KvassError

BASIC: Final = "basic"
EXTENDED: Final = "extended"
FIXED: Final = "fixed"


class InvalidPattern(KvassError):
    """A pattern that means nothing."""

    exit_code = 2

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(f"invalid pattern {pattern!r}: {reason}")
        self.pattern = pattern
        self.reason = reason


class Pattern(NamedTuple):
    """What is searched for in text whose lines end with newlines.

    ``looks_ahead``: whether it matches at a place depends on what follows.
    """

    expressions: tuple[re.Pattern[str], ...]
    looks_ahead: bool

    def matches(self, text: str, start: int = 0) -> bool:
        """Return whether something from ``start`` on matches."""
        return any(expression.search(text, start) for expression in self.expressions)

    def matches_before_end(self, text: str, start: int) -> bool:
        """Return likewise, where ``text`` goes on: what is yet to come may decide about a match at its end."""
        found = (expression.search(text, start) for expression in self.expressions)
        return any(match and (not self.looks_ahead or match.end() < len(text)) for match in found)


_CLASSES: Final = {
    "alpha": r"^\W\d_",
    "digit": "0-9",
    "alnum": r"^\W_",
    "space": r" \t\r\f\v",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
    "cntrl": r"\x00-\x09\x0b-\x1f\x7f",
    "print": r" -~\xa0-\U0010ffff",
    "graph": r"!-~\xa1-\U0010ffff",
}
"""The classes in a bracket expression: what stands in a set, or with ``^`` in one that is inverted."""

_CASED_UNTIL: Final = 0x20000
"""There are no letters with a case from here on."""

_ESCAPES: Final = {
    "w": r"\w",
    "W": r"[^\w\n]",
    "s": r"[^\S\n]",
    "S": r"\S",
    "b": r"\b",
    "B": r"\B",
    "<": r"\b(?=\w)",
    ">": r"\b(?<=\w)",
}

_LOOKS_AHEAD: Final = ("$", r"\b", r"\B", "(?=")

_INTERVAL: Final = re.compile(r"(\d*)(,?)(\d*)(\\?)\}")
_BRACKET_NAME: Final = re.compile(r"\[([:.=])(.+?)\1\]", re.DOTALL)


def compile_pattern(pattern: str, *, kind: str = BASIC, ignore_case: bool = False) -> Pattern:
    """Return what finds ``pattern``, each of whose lines is one alternative.

    Raises:
        InvalidPattern
    """
    flags = re.MULTILINE | (re.IGNORECASE if ignore_case else 0)
    sources = [
        re.escape(line) if kind == FIXED else translate(line, extended=kind == EXTENDED) for line in pattern.split("\n")
    ]
    try:
        expressions = tuple(re.compile(source, flags) for source in sources)
    except (re.error, OverflowError) as error:
        raise InvalidPattern(pattern, str(error)) from error
    return Pattern(expressions, kind != FIXED and any(sign in source for source in sources for sign in _LOOKS_AHEAD))


def translate(pattern: str, *, extended: bool) -> str:
    """Return the expression of Python for one of POSIX, with what GNU adds to it.

    Raises:
        InvalidPattern
    """
    return _Translation(pattern, extended=extended).run()


class _Translation:
    """One pattern on its way; ``_done`` has the expressions of what was read."""

    def __init__(self, pattern: str, *, extended: bool) -> None:
        self._pattern = pattern
        self._extended = extended
        self._at = 0
        self._done: list[str] = []
        self._depth = 0
        self._begins = True
        """Whether nothing stands before, in this alternative, that could be repeated."""

    def run(self) -> str:
        """Return the expression."""
        while self._at < len(self._pattern):
            self._take(self._next())
        if self._depth:
            raise self._error("a ( without its )")
        return "".join(self._done)

    def _error(self, reason: str) -> InvalidPattern:
        return InvalidPattern(self._pattern, reason)

    def _next(self) -> str:
        """Return what comes next: a character, or one behind a backslash."""
        sign = self._pattern[self._at]
        self._at += 1
        if sign != "\\":
            return sign
        if self._at == len(self._pattern):
            raise self._error("a backslash at the end; write two for one")
        self._at += 1
        return sign + self._pattern[self._at - 1]

    def _take(self, item: str) -> None:
        operator = self._operator(item)
        if operator == "|":
            self._put("|", begins=True)
        elif operator == "(":
            self._depth += 1
            self._put("(", begins=True)
        elif operator == ")" and (self._depth or not self._extended):
            self._close()
        elif operator in {"*", "+", "?", "{"} and not self._begins:
            self._repeat(operator)
        elif item == "^" and (self._extended or self._done[-1:] in ([], ["("], ["|"])):
            self._done.append("^")
        elif item == "$" and (self._extended or self._ends()):
            self._done.append("$")
        else:
            self._put(self._atom(item), begins=False)

    def _operator(self, item: str) -> str:
        """Return the operator that ``item`` is; extended patterns write it plainly, basic ones with a backslash."""
        if item == "*":
            return "*"
        if self._extended:
            return item if item in {"|", "(", ")", "+", "?", "{"} else ""
        return item[1] if item in {r"\|", r"\(", r"\)", r"\+", r"\?", r"\{"} else ""

    def _put(self, expression: str, *, begins: bool) -> None:
        self._done.append(expression)
        self._begins = begins

    def _close(self) -> None:
        if not self._depth:
            raise self._error("a ) without its (")
        self._depth -= 1
        self._put(")", begins=False)

    def _ends(self) -> bool:
        """Return whether a basic pattern, or a part of it, ends here, so that ``$`` is an anchor."""
        return self._pattern[self._at : self._at + 2] in {"", r"\)", r"\|"}

    def _repeat(self, operator: str) -> None:
        """Repeat what stands before, which may be repeated already."""
        quantifier = operator if operator != "{" else self._interval()
        if not quantifier:
            self._put(r"\{", begins=False)
            return
        if self._done[-1] in {"*", "+", "?"} or self._done[-1].startswith("{"):
            self._done.insert(self._start_of_last(), "(?:")
            self._done.append(")")
        self._done.append(quantifier)

    def _start_of_last(self) -> int:
        """Return where what the last repetition repeats begins among what is done."""
        at = len(self._done) - 2
        depth = 0
        while True:
            depth += (self._done[at] == ")") - (self._done[at] in {"(", "(?:"})
            if not depth:
                return at
            at -= 1

    def _interval(self) -> str:
        """Return the interval behind a ``{``, nothing where there is none and it is a character."""
        found = _INTERVAL.match(self._pattern, self._at)
        if found is None or bool(found[4]) is self._extended or not (found[1] or found[2]):
            if self._extended:
                return ""
            raise self._error(r"a \{ without numbers and a \}")
        low, comma, high = found[1] or "0", found[2], found[3]
        if not comma and high:
            raise self._error("an interval that is none")
        if comma and high and int(low) > int(high):
            raise self._error("an interval whose end comes first")
        self._at = found.end()
        return f"{{{low}{comma}{high}}}"

    def _atom(self, item: str) -> str:
        if item == ".":
            return "."
        if item == "[":
            return self._bracket()
        if not item.startswith("\\"):
            return re.escape(item)
        sign = item[1]
        if sign in _ESCAPES:
            return f"(?:{_ESCAPES[sign]})"
        if sign in "123456789":
            return f"(?:\\{sign})"
        if sign.isalnum():
            raise self._error(f"\\{sign} means nothing here")
        return re.escape(sign)

    def _bracket(self) -> str:
        """Return the expression of a bracket expression, whose ``[`` was read."""
        inverted = self._pattern.startswith("^", self._at)
        self._at += inverted
        sets, others = self._members()
        alternatives = [f"[{''.join(sets)}]"] if sets else []
        alternatives += [f"[{each}]" for each in others]
        if inverted:
            return f"(?:(?!{'|'.join(alternatives)})[^\\n])"
        return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"

    def _members(self) -> tuple[list[str], list[str]]:
        """Read up to the ``]``; return what stands in one set, and the classes that need one of their own."""
        sets: list[str] = []
        others: list[str] = []
        first = True
        while first or not self._pattern.startswith("]", self._at):
            first = False
            if self._at >= len(self._pattern):
                raise self._error("a [ without its ]")
            named = _BRACKET_NAME.match(self._pattern, self._at)
            if named is not None and named[1] == ":":
                self._at = named.end()
                members = self._find_class(named[2])
                (others if members.startswith("^") else sets).append(members)
            else:
                sets.append(self._range())
        self._at += 1
        return sets, others

    def _find_class(self, name: str) -> str:
        if name in {"upper", "lower"}:
            return _find_cased(name)
        if name not in _CLASSES:
            raise self._error(f"no class [:{name}:]")
        return _CLASSES[name]

    def _range(self) -> str:
        low = self._member()
        if not self._pattern.startswith("-", self._at) or self._pattern.startswith("-]", self._at):
            return re.escape(low)
        self._at += 1
        if self._at >= len(self._pattern):
            raise self._error("a [ without its ]")
        high = self._member()
        if low > high:
            raise self._error(f"a range whose end comes first: {low}-{high}")
        return f"{re.escape(low)}-{re.escape(high)}"

    def _member(self) -> str:
        """Read one character, which may be written as ``[.x.]`` or ``[=x=]``."""
        named = _BRACKET_NAME.match(self._pattern, self._at)
        if named is not None and len(named[2]) == 1:
            self._at = named.end()
            return named[2]
        self._at += 1
        return self._pattern[self._at - 1]


@cache
def _find_cased(name: str) -> str:
    """Return the letters that are ``upper`` or ``lower``, as they stand in a set."""
    is_one = str.isupper if name == "upper" else str.islower
    return "".join(filter(is_one, map(chr, range(_CASED_UNTIL))))
