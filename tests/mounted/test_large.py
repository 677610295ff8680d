"""A large value through the mount and the command line: contrib/bench/large.py at a size for every day."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "contrib" / "bench" / "large.py"
MEBIBYTES = 64
BLOCK = 256 * 1024
TWO_BLOCKS = 2 * BLOCK + 64 * 1024
"""What a small change may cost: the block that it changes, one more, and the lists."""


@pytest.fixture(scope="module", params=["mfusepy", "fusepy"])
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the program found; it fails by itself where bytes read are not those written."""
    command = [sys.executable, PROGRAM, "--json", "--size", str(MEBIBYTES), "--binding", request.param]
    directory = tmp_path_factory.mktemp("large")
    done = subprocess.run(
        [*command, "--directory", directory], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_process_keeps_its_memory_bounded(figures: Any) -> None:
    assert figures["memory"].keys() == {"mount", "kvass get", "kvass set"}
    assert max(figures["memory"].values()) < 150


def test_a_small_change_costs_two_blocks_of_disk(figures: Any) -> None:
    changes = figures["change_growth"]
    assert len(changes) == 10
    assert sum(changes) < len(changes) * TWO_BLOCKS


def test_ten_revisions_stay_readable(figures: Any) -> None:
    assert figures["revisions"] == 10
