"""Conditional and range requests: requests and what RFC 9110 has them answered with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvassfs.server.conditions import Decision, Validators, decide

SIZE = 100
MODIFIED = 784_111_777  # Sun, 06 Nov 1994 08:49:37 GMT, the example of section 5.6.7

THEN = "Sun, 06 Nov 1994 08:49:37 GMT"
THEN_850 = "Sunday, 06-Nov-94 08:49:37 GMT"
BEFORE = "Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = "Sun, 06 Nov 1994 08:49:38 GMT"

VALIDATORS = Validators("tag", MODIFIED, True)

WHOLE = Decision(200, 0, SIZE)
FAILED = Decision(412, 0, 0)
KNOWN = Decision(304, 0, 0)
UNSATISFIABLE = Decision(416, 0, 0)


def part(start: int, stop: int) -> Decision:
    return Decision(206, start, stop)


TABLE = [
    ("", WHOLE),
    # 13.1.1: If-Match compares strongly
    ('If-Match: "tag"', WHOLE),
    ('If-Match: "other", "tag"', WHOLE),
    ("If-Match: *", WHOLE),
    ('If-Match: "other"', FAILED),
    ('If-Match: W/"tag"', FAILED),
    ('If-Match: "other" | Range: bytes=0-9', FAILED),
    ('If-Match: "tag" | If-None-Match: "tag"', KNOWN),
    # 13.1.4: If-Unmodified-Since, ignored beside If-Match or where it is no date
    (f"If-Unmodified-Since: {THEN}", WHOLE),
    (f"If-Unmodified-Since: {AFTER}", WHOLE),
    (f"If-Unmodified-Since: {BEFORE}", FAILED),
    (f'If-Unmodified-Since: {BEFORE} | If-Match: "tag"', WHOLE),
    ("If-Unmodified-Since: yesterday", WHOLE),
    # 13.1.2: If-None-Match compares weakly
    ('If-None-Match: "tag"', KNOWN),
    ('If-None-Match: W/"tag"', KNOWN),
    ('If-None-Match: "other","tag"', KNOWN),
    ("If-None-Match: *", KNOWN),
    ('If-None-Match: "other"', WHOLE),
    ("If-None-Match: tag", WHOLE),
    ('If-None-Match: "tag" | Range: bytes=0-9', KNOWN),
    # 13.1.3: If-Modified-Since, ignored beside If-None-Match or where it is no date
    (f"If-Modified-Since: {THEN}", KNOWN),
    (f"If-Modified-Since: {THEN_850}", KNOWN),
    (f"If-Modified-Since: {AFTER}", KNOWN),
    (f"If-Modified-Since: {BEFORE}", WHOLE),
    (f'If-Modified-Since: {THEN} | If-None-Match: "other"', WHOLE),
    ("If-Modified-Since: 99 Foo 9999", WHOLE),
    ("If-Modified-Since: ", WHOLE),
    # 14.1.2: byte ranges
    ("Range: bytes=0-0", part(0, 1)),
    ("Range: bytes=0-", part(0, SIZE)),
    ("Range: bytes=10-19", part(10, 20)),
    ("Range: bytes=99-", part(99, SIZE)),
    ("Range: bytes=90-1000", part(90, SIZE)),
    ("Range: bytes=0-999999999999999999", part(0, SIZE)),
    ("Range: bytes=-1", part(99, SIZE)),
    ("Range: bytes=-100", part(0, SIZE)),
    ("Range: bytes=-1000", part(0, SIZE)),
    ("Range: BYTES = 5-6", WHOLE),
    ("Range: BYTES=5-6", part(5, 7)),
    # 15.5.17: none of it is there
    ("Range: bytes=100-", UNSATISFIABLE),
    ("Range: bytes=100-200", UNSATISFIABLE),
    ("Range: bytes=-0", UNSATISFIABLE),
    # 14.2: what is no valid range, another unit or more than one is ignored
    ("Range: bytes=2-1", WHOLE),
    ("Range: bytes=", WHOLE),
    ("Range: bytes=-", WHOLE),
    ("Range: bytes=a-b", WHOLE),
    ("Range: bytes=1", WHOLE),
    ("Range: lines=0-9", WHOLE),
    ("Range: bytes=0-9,20-29", WHOLE),
    ("Range: bytes=0-9999999999999999999999", WHOLE),
    # 13.1.5: If-Range compares strongly
    ('Range: bytes=0-9 | If-Range: "tag"', part(0, 10)),
    ('Range: bytes=0-9 | If-Range: "other"', WHOLE),
    ('Range: bytes=0-9 | If-Range: W/"tag"', WHOLE),
    (f"Range: bytes=0-9 | If-Range: {THEN}", part(0, 10)),
    (f"Range: bytes=0-9 | If-Range: {BEFORE}", WHOLE),
    (f"Range: bytes=0-9 | If-Range: {AFTER}", WHOLE),
    ("Range: bytes=0-9 | If-Range: nonsense", WHOLE),
    ('Range: bytes=0-9 | If-Range: xx"tag"', WHOLE),
    ('Range: bytes=0-9 | If-Range: "tag", "other"', WHOLE),
    ('Range: bytes=100- | If-Range: "other"', WHOLE),
    ('If-Range: "tag"', WHOLE),
]


def headers(text: str) -> dict[str, str]:
    lines = [line.strip().partition(":") for line in text.split(" | ") if line]
    return {name.lower(): value.strip() for name, _, value in lines}


@pytest.mark.parametrize(("request_headers", "decision"), TABLE)
def test_a_get_is_answered_as_the_standard_says(request_headers: str, decision: Decision) -> None:
    assert decide(headers(request_headers), VALIDATORS, SIZE, ranges=True) == decision


@pytest.mark.parametrize(("request_headers", "decision"), TABLE)
def test_a_head_is_answered_the_same_but_for_ranges(request_headers: str, decision: Decision) -> None:
    expected = WHOLE if decision.status in {206, 416} else decision
    assert decide(headers(request_headers), VALIDATORS, SIZE, ranges=False) == expected


def test_a_date_is_no_condition_for_a_range_where_two_versions_may_share_it() -> None:
    undated = VALIDATORS._replace(dated=False)
    assert decide(headers(f"Range: bytes=0-9 | If-Range: {THEN}"), undated, SIZE, ranges=True) == WHOLE
    assert decide(headers('Range: bytes=0-9 | If-Range: "tag"'), undated, SIZE, ranges=True) == part(0, 10)


@pytest.mark.parametrize("wanted", ["bytes=0-", "bytes=0-0", "bytes=-1"])
def test_of_nothing_there_is_no_part_but_the_whole(wanted: str) -> None:
    assert decide({"range": wanted}, VALIDATORS, 0, ranges=True) == Decision(200, 0, 0)


@given(
    st.dictionaries(
        st.sampled_from(["range", "if-range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]),
        st.text(st.characters(max_codepoint=255), max_size=40) | st.from_regex(r"\Abytes=[0-9]*-[0-9]*\Z"),
    ),
    st.integers(0, 1000),
)
def test_whatever_is_asked_the_answer_lies_within_the_value(fields: dict[str, str], size: int) -> None:
    status, start, stop = decide(fields, VALIDATORS, size, ranges=True)
    assert status in {200, 206, 304, 412, 416}
    assert 0 <= start <= stop <= size
    assert (status == 206) <= (start < stop)
    assert (status == 200) <= ((start, stop) == (0, size))
