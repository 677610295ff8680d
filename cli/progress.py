"""How far something is that takes long, on a terminal."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from .formats import format_entry_count, format_left, format_size

if TYPE_CHECKING:
    from kvassfs.sync import Progress

    from .streams import Input

PATIENCE = 1.0
"""Seconds that something may take before a bar shows how far it is."""

PAUSE = 0.1
"""Seconds between two drawings of the bar."""

_WIDE = 60  # columns of a terminal that has room for more than the bar, the part done and the time left
_ERASE = "\r\x1b[K\x1b[?25h"  # and show the cursor, which click hides


class Bar:
    """Shows on ``terminal`` how far something is, with rate and time left, once it has taken long; nowhere if that is none.

    ``clock`` returns seconds.
    """

    def __init__(self, terminal: TextIO | None, clock: Callable[[], float]) -> None:
        self._terminal = terminal
        self._clock = clock
        self._begun = self._part_begun = self._drawn = clock()
        self._bar: Any = None

    def is_due(self) -> bool:
        """Return whether an update would show something: it need not be made otherwise."""
        now = self._clock()
        return (
            self._terminal is not None
            and now - self._begun >= PATIENCE
            and (self._bar is None or now - self._drawn >= PAUSE)
        )

    def update(self, done: int, total: int, *, amount: int | None = None, text: str = "") -> None:
        """Say that so much is done of ``total``, which is 0 where it is not known.

        ``amount`` bytes have been moved by now, by default ``done``; ``text`` says it in other words.
        """
        if self._terminal is None or not self.is_due():
            return
        now = self._drawn = self._clock()
        elapsed = max(now - self._part_begun, 0.001)
        moved = done if amount is None else amount
        rate = [f"{format_size(round(moved / elapsed))}/s"] if moved else []
        self._draw(self._terminal, done, total, elapsed, text or describe(done, total), *rate)

    def _draw(self, terminal: TextIO, done: int, total: int, elapsed: float, *texts: str) -> None:
        if self._bar is None:
            import click  # mostly there is nothing to show, and it takes long to load

            self._bar = click.progressbar(
                iter(int, 1),  # of no known length
                file=terminal,
                width=0,
                show_eta=False,
                item_show_func=lambda text: text,
            )
        left = elapsed / done * (total - done) if 0 < done < total else 0
        is_wide = shutil.get_terminal_size().columns >= _WIDE
        self._bar.length = total or None
        self._bar.length_known = total > 0
        self._bar.pos = min(done, total) if total else done
        words = [format_left(left)] if left else []
        self._bar.current_item = ", ".join([*(texts if is_wide else ()), *words])
        with suppress(OSError):
            self._bar.render_progress()
            terminal.write("\r")  # where a terminal echoes ^C, it does so on the bar and not behind it
            terminal.flush()

    def begin_part(self) -> None:
        """Say that what is told from now on is of another part, which has a rate and a time of its own."""
        self._part_begun = self._clock()

    def clear(self) -> None:
        """Take the bar away, for something else to be said; the next update shows it again."""
        if self._terminal is not None and self._bar is not None:
            with suppress(OSError):
                self._terminal.write(_ERASE)
                self._terminal.flush()
            self._bar = None


def describe(done: int, total: int) -> str:
    """Return how many bytes are done, and of how many."""
    return f"{format_size(done)} of {format_size(total)}" if total else format_size(done)


@contextmanager
def show_progress(
    *, hidden: bool = False, terminal: TextIO | None = None, clock: Callable[[], float] = time.monotonic
) -> Iterator[Bar]:
    """``with`` a bar on standard error, if that is a terminal and the bar not ``hidden``; nothing of it stays."""
    terminal = sys.stderr if terminal is None else terminal
    bar = Bar(terminal if terminal is not None and terminal.isatty() and not hidden else None, clock)
    try:
        yield bar
    finally:
        bar.clear()


@contextmanager
def show_exchange() -> Iterator[Callable[[Progress], None]]:
    """``with`` what shows how far an exchange with the hub is."""
    with show_progress() as bar:
        yield partial(update_exchange, bar)


def update_exchange(bar: Bar, moved: Progress) -> None:
    """Show what has moved: the bar goes by entries, or while values are on their way by bytes; a large one is one entry."""
    done = moved.pulled + moved.pushed
    total = done + moved.to_pull + moved.to_push
    amount = moved.received + moved.sent
    text = f"{done} of {format_entry_count(total)}, {format_size(amount)}"
    if moved.left:
        bar.update(amount, amount + moved.left, text=text)
    else:
        bar.update(done, total, amount=amount, text=text)


def follow_check(bar: Bar) -> Callable[[int, int], None]:
    """Return what shows on ``bar`` how far a look over a database is: its pages first, which nobody counts, then its values."""

    def report(done: int, total: int) -> None:
        if total and not done:
            bar.begin_part()
        bar.update(done, total, text="" if total else "reading its pages")

    return report


def follow_pieces(pieces: Generator[bytes, None, None], size: int) -> Iterator[bytes]:
    """Yield ``pieces``, of ``size`` bytes together, and show how far they are."""
    done = 0
    with closing(pieces), show_progress() as bar:
        for piece in pieces:
            yield piece
            done += len(piece)
            bar.update(done, size)


class FollowedInput:
    """An input of which is shown on ``bar`` how far it has been read."""

    def __init__(self, stream: Input, bar: Bar) -> None:
        self._stream = stream
        self._bar = bar
        self._done = 0
        self._size = stream.count_left()

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes; fewer only at the end."""
        data = self._stream.read(size)
        self._done += len(data)
        self._bar.update(self._done, self._size)
        return data
