"""kvassfs_cli.words: lines are split, and words written, as shells do"""

from __future__ import annotations

import subprocess

import pytest

from kvassfs_cli import words


@pytest.mark.parametrize(
    ("line", "parts", "quote"),
    [
        ("kvass get ", ["kvass", "get", ""], ""),
        ("kvass  get\tk", ["kvass", "get", "k"], ""),
        (r"a\ b\\c\'d", [r"a b\c'd"], ""),
        (r"'a\' b", ["a\\", "b"], ""),
        (r"'a\b", [r"a\b"], "'"),
        (r'"a\"\$\x', [r'a"$\x'], '"'),
        ('"a b"c\'d', ["a bcd"], "'"),
        ('"a\\', ["a\\"], '"'),
        ("a\\", ["a"], ""),
        ('""', [""], ""),
        (r"a$'\n\'\x41\101\u00e9\U0001F431\q'b", ["a\n'AAé🐱qb"], ""),
        (r"$'\303\251", ["é"], "$'"),
        (r"$'\ud800\Uffffffff", ["\ufffd\ufffd"], "$'"),
    ],
)
def test_a_line_is_split_as_a_shell_does(line: str, parts: list[str], quote: str) -> None:
    assert words.split_line(line)[:2] == (parts, quote)


TEXTS = [
    "plain/x",
    "two words",
    "it's",
    'a"b',
    'end"',
    "back\\slash",
    "$HOME `x` !",
    "!",
    "*?[a]{b,c}~#",
    "(|;<>&)",
    "é猫",
    "line\nbreak",
    "\ttab\x07\x1b\x7f1",
    "no\xa0break\u200b\U000e0001",
    "quote'\n\\",
]


@pytest.mark.parametrize("quote", ["", "'", '"', "$'"])
@pytest.mark.parametrize("text", TEXTS)
def test_what_bash_is_given_is_read_as_one_word(text: str, quote: str) -> None:
    written = quote + words.quote_for_bash(text, quote)
    if quote and not (written.endswith(quote) and len(written) > 1 and quote != "$'"):  # as bash does
        written += quote[-1]
    assert words.split_line(written)[:2] == ([text], "")
    done = subprocess.run(["bash", "-c", f"printf %s {written}"], capture_output=True, check=True, text=True)
    assert done.stdout == text


@pytest.mark.parametrize(
    ("line", "parts", "quote"),
    [
        ("kvass get k", ["kvass", "get", "k"], ""),
        (r"'it\'s\a'", [r"it's\a"], ""),
        (r"'a\\", ["a\\"], "'"),
        (r'"\$\"\a', [r'$"\a'], '"'),
        (r"a\nb\x41\101\u00e9\e", ["a\nbAAé\x1b"], ""),
        (r"two\ words", ["two words"], ""),
    ],
)
def test_a_line_is_split_as_fish_does(line: str, parts: list[str], quote: str) -> None:
    assert words.split_fish_line(line)[:2] == (parts, quote)


@pytest.mark.parametrize(
    ("line", "tilde"),
    [
        ("get ~", True),
        ("get ~/a b", False),
        ("get ~/a", True),
        ("~/", True),
        ("get a~/", False),
        (r"get \~/", False),
        ("get '~/", False),
        ("get ''~/", False),
        ("get ~user/", False),
        ("get --png=~/", False),
    ],
)
def test_a_word_begins_with_the_home_directory(line: str, tilde: bool) -> None:
    assert words.split_line(line).tilde == tilde
    assert words.split_fish_line(line).tilde == tilde
