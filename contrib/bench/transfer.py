"""Measure `kvass import` of a tree of many files, and `kvass export` of it again; both trees must be the same.

See README.md here. The exit status is 0 whatever the figures are, and 1 where the trees differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

import checkout  # noqa: F401
from measured import MB, Failed, Ran, environment, met, must, say, temporary_room
from report import aligned

from tests.support.devices import Room
from tests.support.trees import make_tree, read_tree

WANTED_SECONDS = 10.0
"""For 10,000 files both ways."""

FILES = 10_000

FORMS = ("directory", "tar", "tar.zst", "zip", "json")


def transfer(room: Room, number: int, source: Path, form: str) -> tuple[Ran, Ran]:
    """Import a tree into a new store and export it again in a form, out of which it is written to compare it."""
    device = room.device(f"{form}-{number}")
    taken = must(device, "import", str(source))
    target = room.path / f"{form}-{number}.out"
    given = must(device, "export", "--format", form, str(target))
    if form != "directory":
        again = room.device(f"{form}-{number}-again")
        must(again, "import", "--format", form, str(target))
        target = room.path / f"{form}-{number}.tree"
        must(again, "export", "--format", "directory", str(target))
    if read_tree(target) != read_tree(source):
        raise Failed(f"what was exported as {form} is not what was imported")
    return taken, given


def measure(room: Room, files: int, rounds: int) -> list[tuple[str, ...]]:
    """Return the lines of the table."""
    source = room.path / "source"
    size = make_tree(source, files)
    say(f"{files} files, {size / MB:.1f} MB; {environment()}")
    lines: list[tuple[str, ...]] = [("form", "import s", "export s", "both s", "CPU s", "MB at most", "wanted")]
    for form in FORMS:
        pairs = [transfer(room, number, source, form) for number in range(rounds)]
        both = median(taken.seconds + given.seconds for taken, given in pairs)
        wanted = WANTED_SECONDS * files / FILES
        lines.append(
            (
                form,
                f"{median(taken.seconds for taken, _ in pairs):.2f}",
                f"{median(given.seconds for _, given in pairs):.2f}",
                f"{both:.2f}",
                f"{median(taken.cpu + given.cpu for taken, given in pairs):.2f}",
                f"{max(ran.memory for pair in pairs for ran in pair) / MB:.0f}",
                f"< {wanted:g} s: {met(both < wanted)}",
            )
        )
    return lines


def main() -> int:
    """Parse the options, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, help="where to work (default: where temporary files go)")
    options = parser.parse_args()
    try:
        with temporary_room(options.directory) as room:
            print(aligned(measure(room, options.files, options.rounds)))
    except Failed as failure:
        say(str(failure))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
