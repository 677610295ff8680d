"""What ``kvass`` says on standard error, one line at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

_CONTROL = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"


def escape_controls(text: str) -> str:
    """Return ``text`` with its control characters escaped as in Python."""
    if text.isprintable():  # as most are: re takes long to load
        return text
    import re

    return re.sub(_CONTROL, lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


@contextlib.contextmanager
def explain_interrupt(explain: Callable[[], str]) -> Iterator[None]:
    """``with`` something of which an interrupt says in one line what it leaves, as ``explain`` returns it."""
    try:
        yield
    except KeyboardInterrupt:
        print_notice(f"interrupted: {explain()}")
        raise


def print_notice(*texts: str) -> None:
    """Say each of ``texts`` on standard error, with nothing of other threads between; if nobody can hear it, nothing is lost."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write("".join(f"kvass: {escape_controls(text)}\n" for text in texts))
            sys.stderr.flush()
