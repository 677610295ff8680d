"""Measure sharing by address: a hub as a user runs it, and clients that ask it over real connections.

See README.md here. The exit status is 0 whatever the figures are, and 1 where an answer is wrong: other bytes, a link
that works twice, or one that works after its time.
"""

from __future__ import annotations

import share_large
import share_race
import share_rate
import trials

TRIALS = {"rate": share_rate, "large": share_large, "race": share_race}


if __name__ == "__main__":
    trials.main(__doc__, TRIALS, "where to work, and to keep the stores of `rate` for the next time")
