"""The option that names a version of a key, and the completion of versions, and of keys that have some, in the shell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from kvassfs.entry import check_key

from .arguments import Offer, completing
from .formats import format_local_time

if TYPE_CHECKING:
    from kvassfs.store import Store

NUMBER = click.IntRange(min=1)


def find_numbers(store: Store, context: click.Context, _beginning: str) -> Iterator[Offer]:
    """Yield the numbers of the versions of the key on the command line, the newest first, and their times."""
    for version in store.history.versions(check_key(context.params.get("key") or "")):
        if version.number:
            yield str(version.number), format_local_time(version.entry.timestamp)


def find_keys(store: Store, context: click.Context, beginning: str) -> Iterator[str]:
    """Yield keys level by level; where a version is named before, those that have earlier ones, removed keys too."""
    yield from store.history.level(beginning) if context.params.get("revision") else store.level(beginning)


def find_all_keys(store: Store, _context: click.Context, beginning: str) -> Iterator[str]:
    """Yield keys level by level, those that are there before removed ones."""
    present = set()
    for key in store.level(beginning):
        present.add(key)
        yield key
    yield from (key for key in store.history.level(beginning) if key not in present)


complete_revision = completing(find_numbers)
complete_key_or_version = completing(find_keys)
complete_key_ever = completing(find_all_keys)
complete_changed_key = completing(lambda store, _, prefix: store.history.level(prefix))
"""Offer keys that have earlier versions, removed ones among them."""


def revision_option(text: str) -> Callable[[Any], Any]:
    """Return the option ``--rev``, whose help is ``text``."""
    return click.option("--rev", "revision", metavar="NUMBER", type=NUMBER, shell_complete=complete_revision, help=text)
