"""Measure devices in step: a hub, devices and mounts on one machine, over real connections.

Every trial works in a directory of its own and ends what it has started. See README.md here. The exit status is 0
whatever the figures are, and 1 where an entry was lost or has other bytes.
"""

from __future__ import annotations

import sync_bulk
import sync_large
import sync_latency
import sync_sealed
import sync_together
import sync_unplugged
import trials

TRIALS = {
    "bulk": sync_bulk,
    "latency": sync_latency,
    "large": sync_large,
    "sealed": sync_sealed,
    "unplugged": sync_unplugged,
    "together": sync_together,
}


if __name__ == "__main__":
    trials.main(__doc__, TRIALS, "where to work (default: where temporary files go)")
