"""Conditional and range requests: RFC 9110, sections 13 and 14, for one representation. Pure.

The header fields are read here because no library that the hub has anyway reads them for a body which is no file,
and because those that do (werkzeug) refuse a suffix longer than the value, and match ``If-Range`` with a weak tag.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

_TAGS = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
LONGEST_TAGS: Final = 4096
"""Characters of a list of tags that are looked at; clients send one tag, mostly."""

_RANGE = re.compile(r"bytes=[ \t]*(?:([0-9]{1,18})-([0-9]{1,18})?|-([0-9]{1,18}))[ \t]*", re.IGNORECASE)


class Validators(NamedTuple):
    """What distinguishes the versions of a representation.

    ``tag`` is a strong entity tag without quotes, ``modified`` the second of the last change since the epoch.
    ``dated``: within that second there was no other version.
    """

    tag: str
    modified: int
    dated: bool


class Decision(NamedTuple):
    """The status of a response, and which bytes to send: from ``start`` to ``stop``."""

    status: int
    start: int
    stop: int


def decide(headers: Mapping[str, str], validators: Validators, size: int, *, ranges: bool) -> Decision:
    """Return how to respond to a GET or HEAD for a representation of ``size`` bytes, in the order of section 13.2.2.

    ``headers`` have names in lower case. ``ranges``: the method is one with ranges, which only GET is.
    """
    if not _preconditions_hold(headers, validators):
        return Decision(412, 0, 0)
    if _client_has_it(headers, validators):
        return Decision(304, 0, 0)
    if ranges and size and "range" in headers and _range_applies(headers.get("if-range"), validators):
        return _apply_range(headers["range"], size)
    return Decision(200, 0, size)


def _preconditions_hold(headers: Mapping[str, str], validators: Validators) -> bool:
    if (wanted := headers.get("if-match")) is not None:
        return wanted.strip() == "*" or (False, validators.tag) in _parse_tags(wanted)
    moment = _parse_date(headers.get("if-unmodified-since"))
    return moment is None or validators.modified <= moment


def _client_has_it(headers: Mapping[str, str], validators: Validators) -> bool:
    """Return True if the client has this version already."""
    if (known := headers.get("if-none-match")) is not None:
        return known.strip() == "*" or validators.tag in {tag for _, tag in _parse_tags(known)}
    moment = _parse_date(headers.get("if-modified-since"))
    return moment is not None and validators.modified <= moment


def _range_applies(condition: str | None, validators: Validators) -> bool:
    """Return True if a range is for this version; the comparison is strong."""
    if condition is None:
        return True
    if '"' in condition:
        return condition.strip() == f'"{validators.tag}"'
    return validators.dated and _parse_date(condition) == validators.modified


def _apply_range(text: str, size: int) -> Decision:
    """Return the decision about a range; several in one, other units and invalid ones are ignored (14.2)."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return Decision(200, 0, size)
    first, last, suffix = (None if part is None else int(part) for part in found.groups())
    if first is None:
        assert suffix is not None
        return Decision(206, max(size - suffix, 0), size) if suffix else Decision(416, 0, 0)
    if last is not None and last < first:
        return Decision(200, 0, size)
    if first >= size:
        return Decision(416, 0, 0)
    return Decision(206, first, size if last is None else min(last + 1, size))


def _parse_tags(text: str) -> list[tuple[bool, str]]:
    """Return the entity tags in a header field, each after True if it is weak."""
    return [(bool(weak), tag) for weak, tag in _TAGS.findall(text[:LONGEST_TAGS])]


def _parse_date(text: str | None) -> int | None:
    """Return the second of an HTTP date since the epoch; ``None`` for an invalid one."""
    if text is None:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return _to_second(moment)


def _to_second(moment: datetime) -> int:
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
