"""Measure sharing by address: a hub as a user runs it, and clients that ask it over real connections.

See README.md here. The exit status is 0 whatever the figures are, and 1 where an answer is wrong: other bytes, a link
that works twice, or one that works after its time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import share_large
import share_race
import share_rate
from devices import environment, say
from server import ServerError

TRIALS = {"rate": share_rate, "large": share_large, "race": share_race}


def main() -> None:
    """Run one trial and print its table."""
    options = parser().parse_args()
    say(environment())
    try:
        print(TRIALS[options.trial].main(options))
    except (ServerError, ValueError) as error:
        sys.exit(f"share.py: {error}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--directory", type=Path, help="where to work, and to keep the stores of `rate` for the next time")
    trials = new.add_subparsers(dest="trial", required=True, metavar="TRIAL")
    for name, module in TRIALS.items():
        module.arguments(trials.add_parser(name, help=module.__doc__, description=module.__doc__))
    return new


if __name__ == "__main__":
    main()
