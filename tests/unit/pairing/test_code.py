"""kvassfs.pairing.code and words"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest

from kvassfs.pairing.code import LARGEST_NUMBER, Code, make_code, parse_code
from kvassfs.pairing.errors import InvalidCode
from kvassfs.pairing.words import WORDS

CODE = Code(7, ("purple", "lamp"))


def distance(one: str, other: str) -> int:
    """Return how many letters are to be changed, added or left out to get from one word to another."""
    above = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, other_letter in enumerate(other, 1):
            line.append(min(above[column] + 1, line[-1] + 1, above[column - 1] + (letter != other_letter)))
        above = line
    return above[-1]


def test_a_word_is_worth_a_byte() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256


def test_words_are_short_and_of_plain_letters() -> None:
    assert [word for word in WORDS if not (4 <= len(word) <= 7 and word.isascii() and word.islower())] == []


def test_three_letters_tell_a_word() -> None:
    assert len({word[:3] for word in WORDS}) == len(WORDS)


def test_no_slip_of_one_letter_makes_another_word() -> None:
    assert [pair for pair in combinations(WORDS, 2) if distance(*pair) < 2] == []


def test_a_code_is_the_number_and_two_words_that_are_chosen() -> None:
    chosen = iter(["purple", "lamp"])

    def choose(words: Sequence[str]) -> str:
        assert words == WORDS
        return next(chosen)

    assert make_code(7, choose) == CODE
    assert str(CODE) == "7-purple-lamp"


def test_what_is_made_is_understood() -> None:
    for number in (1, LARGEST_NUMBER):
        code = make_code(number)
        assert parse_code(str(code)) == code


@pytest.mark.parametrize(
    "text", ["7-purple-lamp", "7-Purple-LAMP", " 7 purple lamp\n", "7_purple_lamp", "7, purple, lamp", "07-purple-lamp"]
)
def test_a_code_may_be_typed_in_several_ways(text: str) -> None:
    assert parse_code(text) == CODE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "this is none"),
        ("7-purple", "this is none"),
        ("7-purple-lamp-lamp", "this is none"),
        ("-7-purple-lamp", "this is none"),
        ("0-purple-lamp", "its number is 1 to 99"),
        ("100-purple-lamp", "its number is 1 to 99"),
        ("٧-purple-lamp", "its number is 1 to 99"),
        ("x-purple-lamp", "its number is 1 to 99"),
        ("7-purpel-lamp", "'purpel' is none of its words; is it purple?"),
        ("7-purple-qqqqqq", "'qqqqqq' is none of its words"),
    ],
)
def test_what_is_no_code_is_said_before_it_costs_the_try(text: str, reason: str) -> None:
    with pytest.raises(InvalidCode) as raised:
        parse_code(text)
    assert str(raised.value) == f"a code is a number and two words, as in 7-purple-lamp: {reason}"
