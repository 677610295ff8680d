"""Measure devices in step: a hub, devices and mounts on one machine, over real connections.

Every trial works in a directory of its own and ends what it has started. See README.md here. The exit status is 0
whatever the figures are, and 1 where an entry was lost or has other bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import sync_bulk
import sync_large
import sync_latency
import sync_together
import sync_unplugged
from devices import environment, say
from server import ServerError

TRIALS = {
    "bulk": sync_bulk,
    "latency": sync_latency,
    "large": sync_large,
    "unplugged": sync_unplugged,
    "together": sync_together,
}


def main() -> None:
    """Run one trial and print its table."""
    options = parser().parse_args()
    say(environment())
    try:
        print(TRIALS[options.trial].main(options))
    except (ServerError, ValueError) as error:
        sys.exit(f"sync.py: {error}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--directory", type=Path, help="where to work (default: where temporary files go)")
    trials = new.add_subparsers(dest="trial", required=True, metavar="TRIAL")
    for name, module in TRIALS.items():
        module.arguments(trials.add_parser(name, help=module.__doc__, description=module.__doc__))
    return new


if __name__ == "__main__":
    main()
