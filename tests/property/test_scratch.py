"""Scratch names: one expression answers as fnmatchcase does for each pattern and component."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from kvassfs.errors import InvalidConfiguration
from kvassfs.scratch import DEFAULT_PATTERNS, ScratchNames, check_pattern

PATTERNS = st.text("*?[]!-.~#ab\né", max_size=8)
KEYS = st.one_of(st.text("/.~#ab-\né", max_size=12), st.text(max_size=12), st.sampled_from(DEFAULT_PATTERNS))


def is_accepted(pattern: str) -> bool:
    try:
        check_pattern(pattern)
    except InvalidConfiguration:
        return False
    return True


def matches_any(patterns: Sequence[str], key: str) -> bool:
    return any(fnmatchcase(component, pattern) for component in key.split("/") for pattern in patterns)


@given(st.lists(PATTERNS.filter(is_accepted), max_size=5), KEYS)
def test_a_key_is_scratch_if_any_component_matches_any_pattern(patterns: list[str], key: str) -> None:
    assert ScratchNames(patterns).matches(key) == matches_any(patterns, key)


@given(KEYS)
def test_the_default_patterns_mean_what_fnmatch_says(key: str) -> None:
    assert ScratchNames().matches(key) == matches_any(DEFAULT_PATTERNS, key)


@given(PATTERNS.filter(is_accepted), st.text("xyz", max_size=10))
def test_an_accepted_pattern_spares_names_without_its_characters(pattern: str, name: str) -> None:
    assert not fnmatchcase(name, pattern)
