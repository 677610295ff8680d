"""kvassfs.text"""

from __future__ import annotations

import pytest

from kvassfs.text import is_utf8


@pytest.mark.parametrize(
    ("head", "whole", "expected"),
    [
        (b"", True, True),
        (b"plain\n", True, True),
        ("é 猫".encode(), True, True),
        ("é".encode()[:1], False, True),
        ("é".encode()[:1], True, False),
        (b"caf\xe9 au lait", False, False),
        (b"a\0b", False, False),
        (b"\x1b[31m", True, True),
    ],
)
def test_text_is_utf_8_without_nul(head: bytes, whole: bool, expected: bool) -> None:
    assert is_utf8(head, whole=whole) is expected
