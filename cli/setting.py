"""Setting a key, without click: ``start`` and ``kvass set`` both do it."""

from __future__ import annotations

import os

from . import hub
from .notices import explain_interrupt

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from kvassfs.entry import Entry
    from kvassfs.store import Store

STANDARD_INPUT = "-"


def set_key(store: Store, key: str, value: str | None, path: str = STANDARD_INPUT, *, offline: bool) -> None:
    """Set a key to an argument of the command line, or to what a file holds, and push that if there is a hub."""
    entry = set_from_input(store, key, path) if value is None else set_to_text(store, key, value)
    end_set(store, entry, offline=offline)


def set_to_text(store: Store, key: str, value: str) -> Entry:
    """Set ``key`` to an argument of the command line and a newline."""
    return store.set(key, os.fsencode(value) + b"\n")


def set_from_input(store: Store, key: str, path: str = STANDARD_INPUT) -> Entry:
    """Set ``key`` to what standard input or a file holds; if it is empty, or reading it fails, the old value stays."""
    from . import streams

    with explain_interrupt(lambda: f"{key} is as it was"), streams.input_file(path) as stream:
        if not streams.errors_are_terminal() or stream.is_typed():
            return store.set_stream(key, stream)
        from .progress import FollowedInput, show_progress

        with show_progress() as bar:
            return store.set_stream(key, FollowedInput(stream, bar))


def end_set(store: Store, entry: Entry, *, offline: bool) -> None:
    """Say what there is to say of the new version, and push it if there is a hub."""
    hub.warn_if_ahead(store, entry)
    hub.push_after(store, offline=offline)
