"""How the whole suite runs."""

from __future__ import annotations

import signal

from tests.support import searches

searches.set_defaults()

# A shell has its background jobs ignore SIGINT, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
