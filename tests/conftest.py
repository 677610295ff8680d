"""How the whole suite runs."""

from __future__ import annotations

import signal

from tests.support import searches

searches.set_defaults()

# A shell has its background jobs ignore SIGINT, and nohup SIGHUP; so would all that the tests start and end by them.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)
