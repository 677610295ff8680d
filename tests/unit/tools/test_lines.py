"""kvassfs.tools.lines"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from kvassfs.tools.lines import LONGEST, Line, find_lines
from kvassfs.tools.patterns import EXTENDED, compile_pattern


def find(value: bytes, pattern: str, *, size: int = 1 << 18, invert: bool = False) -> list[Line]:
    chunks = (value[start : start + size] for start in range(0, len(value), size))
    return list(find_lines(chunks, compile_pattern(pattern, kind=EXTENDED), invert=invert))


TEXT = "one\ntwo\n\nthree é\ntwo".encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("two", [Line(2, b"two"), Line(5, b"two")]),
        ("^$", [Line(3, b"")]),
        ("é$", [Line(4, "three é".encode())]),
        ("e", [Line(1, b"one"), Line(4, "three é".encode())]),
        ("four", []),
    ],
)
def test_lines_are_found_however_the_value_is_cut(size: int, pattern: str, found: list[Line]) -> None:
    assert find(TEXT, pattern, size=size) == found


@pytest.mark.parametrize("size", [1, 3, 100])
def test_those_that_do_not_match_are_the_others(size: int) -> None:
    assert [line.number for line in find(TEXT, "t", size=size, invert=True)] == [1, 3]
    assert find(TEXT + b"\n", "", invert=True) == []


def test_nothing_is_in_an_empty_value() -> None:
    assert find(b"", "") == find(b"", "x", invert=True) == []


def test_behind_a_nul_nothing_is_text_and_it_ends_a_line() -> None:
    assert find(b"x\na\0b\na\n", "a|x", size=2) == [Line(1, b"x"), Line(2, None), Line(4, None)]
    assert find(b"a\n\0", "a") == [Line(1, None)]
    assert find(b"\0", "^$") == [Line(1, None)]


def test_a_line_that_is_no_utf_8_is_no_text_and_the_others_are() -> None:
    assert find(b"x\xff\nx\n", "x") == [Line(1, None), Line(2, b"x")]


LONG = b"begin" + b"." * (2 * LONGEST) + b"middle" + b"." * (2 * LONGEST) + b"end"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("^begin", True),
        ("middle", True),
        ("end$", True),
        ("^middle", False),
        ("middle$", False),
        (r"\.$", False),
        (r"^\.", False),
        (r"end\>", True),
        ("other", False),
        ("m[^.]*e", True),
    ],
)
@pytest.mark.parametrize("size", [1 << 18, 1 << 16, 300_007])
def test_a_line_too_long_to_be_held_is_searched_in_pieces(pattern: str, found: bool, size: int) -> None:
    value = b"first\n" + LONG + b"\nlast\n"
    assert find(value, pattern, size=size) == ([Line(2, None)] if found else [])
    assert [line.number for line in find(value, pattern, size=size, invert=True)] == ([1, 3] if found else [1, 2, 3])
    assert [line.number for line in find(value, "last", size=size)] == [3]
    assert find(LONG, pattern, size=size) == ([Line(1, None)] if found else [])


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("before", range(LONGEST - 8, LONGEST + 12, 3))
def test_what_lies_where_a_long_line_is_cut_is_found(before: int, end: bytes) -> None:
    value = b"." * before + b"needle" + b"." * (1 << 15) + end
    assert find(value, r"\bneedle\b", size=1 << 14) == [Line(1, None)]
    assert find(value, "needle", size=1 << 14) == [Line(1, None)]


def test_little_is_in_memory_at_a_time() -> None:
    def tell(value: bytes, times: int) -> Iterator[bytes]:
        for _ in range(times):
            yield value

    tracemalloc.start()
    try:
        for value in (b"x" * (1 << 18), b"y\n" * (1 << 17), bytes(1 << 18)):
            assert list(find_lines(tell(value, 100), compile_pattern("needle"))) == []
        assert tracemalloc.get_traced_memory()[1] < 8 * LONGEST
    finally:
        tracemalloc.stop()
