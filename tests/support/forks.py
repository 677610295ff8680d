"""Fork a process that is to die."""

from __future__ import annotations

import os

import pytest
from coverage import Coverage


def fork_unmeasured() -> int:
    """Fork without having coverage begin anew in the child, where it takes far longer than what a test does there.

    What it finds there is lost anyhow: the child dies.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Coverage, "current", lambda: None)
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        return os.fork()
