"""How long hypothesis searches: in every run of the suite a short while, before a release much longer.

KVASS_TESTS=long asks for the long form, which also looks elsewhere each time; the short one is the same each time.
"""

from __future__ import annotations

import os
import sys

from hypothesis import settings

LONG = os.environ.get("KVASS_TESTS") == "long"


def examples(short: int, *, long: int) -> int:
    """Return how many examples a search tries in the form that is asked for."""
    return long if LONG else short


def set_defaults() -> None:
    """Set what holds for every search that says nothing else."""
    settings.register_profile(
        "kvassfs",
        max_examples=examples(50, long=2000),
        derandomize=not LONG,
        database=None,
        deadline=None,
        print_blob=True,
    )
    settings.load_profile("kvassfs")


def tell(line: str) -> None:
    """Print a figure of a search; pytest shows it with ``-s``, and where the test fails."""
    sys.stdout.write(f"{line}\n")
