"""The command line of a benchmark that consists of several trials, each a module."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import checkout  # noqa: F401
from measured import Failed, environment, say

from tests.support.processes import NotStarted
from tests.support.waiting import Overdue


def main(description: str | None, trials: Mapping[str, ModuleType], directory: str) -> None:
    """Run the one of ``trials`` that the command line names, and print its table.

    Each has ``arguments(parser)``, which describes its options, and ``main(options)``, which returns the table;
    ``directory`` is the help of ``--directory``.
    """
    options = parser(description, trials, directory).parse_args()
    say(environment())
    try:
        print(trials[options.trial].main(options))
    except (Failed, NotStarted, Overdue, ValueError) as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")


def parser(description: str | None, trials: Mapping[str, ModuleType], directory: str) -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--directory", type=Path, help=directory)
    subparsers = new.add_subparsers(dest="trial", required=True, metavar="TRIAL")
    for name, module in trials.items():
        module.arguments(subparsers.add_parser(name, help=module.__doc__, description=module.__doc__))
    return new
