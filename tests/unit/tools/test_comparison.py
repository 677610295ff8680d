"""kvassfs.tools.comparison"""

from __future__ import annotations

import hashlib

import pytest

from kvassfs.tools.comparison import LARGEST_TEXT, compare, is_text, summarise


def differ(old: bytes, new: bytes) -> list[bytes]:
    return list(compare(summarise("old", len(old), [old]), summarise("new", len(new), [new])))


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (b"", b"", []),
        (b"a\n", b"a\n", []),
        (b"", b"a\n", [b"@@ -0,0 +1 @@\n", b"+a\n"]),
        (b"a", b"a\n", [b"@@ -1 +1 @@\n", b"-a\n\\ No newline at end of file\n", b"+a\n"]),
        (b"a\rb\n", b"a\r\n", [b"@@ -1 +1 @@\n", b"-a\rb\n", b"+a\r\n"]),
        ("ä\x0c\u2028\n".encode(), "ö\n".encode(), [b"@@ -1 +1 @@\n", "-ä\x0c\u2028\n".encode(), "+ö\n".encode()]),
    ],
)
def test_texts_differ_by_lines(old: bytes, new: bytes, lines: list[bytes]) -> None:
    assert differ(old, new)[2:] == lines


def test_other_values_differ_by_size_and_hash() -> None:
    digest = hashlib.sha256(b"\xff").hexdigest()
    assert differ(b"\xff", b"a")[0] == f"-old: 1 bytes, SHA-256 {digest}\n".encode()


def test_of_large_values_little_is_in_memory() -> None:
    piece = b"x" * 1024
    side = summarise("large", LARGEST_TEXT + 1024, (piece for _ in range(3)))
    assert side.value is None
    assert side.digest == hashlib.sha256(piece * 3).hexdigest()


@pytest.mark.parametrize(
    ("value", "expected"), [(b"", True), ("ä".encode(), True), (b"\xff", False), (b"a\0", False), (None, False)]
)
def test_text_is_utf8_without_nul(value: bytes | None, expected: bool) -> None:
    assert is_text(value) is expected
