"""How the whole suite runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support import searches

searches.set_defaults()

# A shell has its background jobs ignore SIGINT, and nohup SIGHUP; so would all that the tests start and end by them.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# What commands say once in a while, they say each time where nothing remembers when that was.
os.environ["XDG_CACHE_HOME"] = os.devnull
os.environ.pop("XDG_RUNTIME_DIR", None)

UNMEASURED = ("tests/property/", "tests/hostile/test_fuzz.py")
"""Tests that do the same thousands of times: measuring which lines they reach would more than double their time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave such tests out of the coverage; unit tests reach what they reach."""
    for item in items:
        if item.nodeid.startswith(UNMEASURED):
            item.add_marker(pytest.mark.no_cover)


ROOT = Path(__file__).parents[1]

_before = pytest.StashKey[set[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what lies in the checkout."""
    session.config.stash[_before] = {path.name for path in ROOT.iterdir()}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail where a test has left a file in the checkout, which a commit would take along."""
    before = session.config.stash[_before]
    left = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - before
    if left and not hasattr(session.config, "workerinput"):
        print(f"\na test has left in the checkout: {', '.join(sorted(left))}")  # noqa: T201
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
