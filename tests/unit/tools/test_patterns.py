"""kvassfs.tools.patterns: as grep(1) takes them"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from kvassfs.tools.patterns import BASIC, EXTENDED, FIXED, InvalidPattern, compile_pattern

LINES = """\
abc
ABC
a+b
aab
ab
a*b
a(b)
(ab)
a|b
a{1}b
a{1,2
[x]
x-y
x]y
x\\y
x^y
x$y
^x
x$
foo bar
foobar
bar foo
foo_bar baz
-dash
*star
+plus
  two  blanks
\ttab
12 345
0xFfaa
abab
abcabc
éàü
ÉÀÜ
猫咪 cat
straße

.
a.b
"""

BASICS = [
    "abc", "a.b", "a*b", "a\\*b", "a\\+b", "a+b", "a\\?b", "a?b", "a\\{2\\}b", "a\\{2,\\}b", "a\\{0,1\\}b", "a\\{,1\\}b",
    "a{1}b", "a{1,2", "\\(ab\\)\\{2\\}", "(ab)", "\\(ab\\)*c", "a\\|x", "a|b", "^a", "b$", "x^y", "x$y", "^^x", "x\\$$",
    "[abc]b", "[^a]b", "[]x]y", "[^]x]y", "[x-]y", "[a-c]\\+$", "[[:digit:]]", "[[:alpha:]]*[[:digit:]]", "[^[:alnum:]]",
    "[[:upper:]]", "[[:lower:][:digit:]]$", "[[:space:]]foo", "[[:blank:]][[:blank:]]", "[[:punct:]]b", "[[:xdigit:]]\\{4\\}",
    "[[.x.]-z]", "[[=a=]]bc", "\\<foo\\>", "\\bfoo", "foo\\B", "\\w\\W\\w", "\\s\\s", "\\S\\s\\S", "\\(ab\\)\\1", "\\(abc\\)\\1",
    "*star", "\\(*star\\)", "^*star", "\\[x\\]", "x\\\\y", "\\.", ".", "", "^$", "x\\^y", "^\\(foo\\|bar\\) ", "\\(^foo\\)", "\\(foo$\\)",
    "a**b", "a*\\{2\\}b", "\\(a*\\)*b", "-dash", "é", "猫.", "abc\nfoo",
]  # fmt: skip

EXTENDEDS = [
    "a+b", "a\\+b", "a?b", "a{2}b", "a{2,}b", "a{,1}b", "a{0,1}b", "a\\{1\\}b", "a{1,2", "a{x", "(ab){2}", "(ab)+c", "a|x",
    "a\\|b", "^(foo|bar) ", "(^foo|baz$)", "x^y", "x\\^y", "a(b)", "a\\(b\\)", "\\(ab\\)", "[[:digit:]]+ [[:digit:]]+", "(a)(b)\\2", "(ab)\\1",
    "(abc)\\1$", "\\<foo\\>", "()", "a||x", "(|x)y", "a+*b", "(a+)+b", "[^[:space:]]+_", ".{9,}", "[$]", "x\\$", "é+", "a{1}{2}b", "^$",
]  # fmt: skip


def find_with_grep(pattern: str, *options: str) -> list[str]:
    """Return the lines that the system's grep finds."""
    done = subprocess.run(
        ["grep", *options, "-e", pattern],
        input=LINES.encode(),
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        capture_output=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout.decode().splitlines()


def find(pattern: str, kind: str, *, ignore_case: bool = False) -> list[str]:
    compiled = compile_pattern(pattern, kind=kind, ignore_case=ignore_case)
    found = [line for line in LINES.splitlines() if compiled.matches(line)]
    # Where it is searched for in lines at once, it is found in the same.
    assert compiled.matches(LINES.removesuffix("\n")) is bool(found)
    assert all("\n" not in match[0] for expression in compiled.expressions for match in expression.finditer(LINES))
    return found


@pytest.mark.parametrize("pattern", BASICS)
def test_a_basic_pattern_finds_what_grep_finds(pattern: str) -> None:
    assert find(pattern, BASIC) == find_with_grep(pattern)


@pytest.mark.parametrize("pattern", EXTENDEDS)
def test_an_extended_pattern_finds_what_grep_finds(pattern: str) -> None:
    assert find(pattern, EXTENDED) == find_with_grep(pattern, "-E")


@pytest.mark.parametrize("pattern", ["a.b", "a*b", "[x]", "x\\y", "", "(ab)\nx$", "^x"])
def test_a_fixed_pattern_is_what_it_is(pattern: str) -> None:
    assert find(pattern, FIXED) == find_with_grep(pattern, "-F")


@pytest.mark.parametrize("pattern", ["ABC", "abc", "É", "[A-C]\\+$", "FOO\\>", "[[:upper:]]bc", "\\(AB\\)\\1"])
def test_case_can_be_ignored(pattern: str) -> None:
    assert find(pattern, BASIC, ignore_case=True) == find_with_grep(pattern, "-i")


def test_a_range_goes_by_the_numbers_of_the_characters() -> None:
    assert find("^[ê-ü]", BASIC) == []
    assert find("^[à-é]", BASIC) == ["éàü"]


def test_what_is_at_the_end_of_a_piece_may_be_decided_by_what_follows() -> None:
    assert compile_pattern("b$").matches("ab")
    assert not compile_pattern("b$").matches_before_end("ab", 0)
    assert compile_pattern("b").matches_before_end("ab", 0)
    assert compile_pattern("b\\>").matches_before_end("ab c", 0)
    assert not compile_pattern("c").matches_before_end("ab", 0)
    assert compile_pattern("b$", kind=FIXED).matches_before_end("ab$", 0)


@pytest.mark.parametrize(
    ("pattern", "kind", "reason"),
    [
        ("a\\", BASIC, "a backslash at the end; write two for one"),
        ("\\(a", BASIC, "a ( without its )"),
        ("(a", EXTENDED, "a ( without its )"),
        ("a\\)", BASIC, "a ) without its ("),
        ("[a", BASIC, "a [ without its ]"),
        ("[a-", EXTENDED, "a [ without its ]"),
        ("[]", BASIC, "a [ without its ]"),
        ("[z-a]", BASIC, "a range whose end comes first: z-a"),
        ("[[:colour:]]", BASIC, "no class [:colour:]"),
        ("\\d", BASIC, "\\d means nothing here"),
        ("a\\{x\\}", BASIC, "a \\{ without numbers and a \\}"),
        ("a\\{3,2\\}", BASIC, "an interval whose end comes first"),
        ("a{3,2}", EXTENDED, "an interval whose end comes first"),
        ("a\\{2}", BASIC, "a \\{ without numbers and a \\}"),
    ],
)
def test_what_means_nothing_is_refused_with_the_reason(pattern: str, kind: str, reason: str) -> None:
    with pytest.raises(InvalidPattern) as refused:
        compile_pattern(pattern, kind=kind)
    assert str(refused.value) == f"invalid pattern {pattern!r}: {reason}"


@pytest.mark.parametrize("pattern", ["\\(a\\)\\2", "a\\{99999999999\\}"])
def test_what_python_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidPattern, match=f"^invalid pattern {re.escape(repr(pattern))}: "):
        compile_pattern(pattern)
