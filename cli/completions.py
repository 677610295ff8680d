"""What the shell completes besides keys: links, prefixes, files, and the commands themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from .arguments import Offer, completing

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from kvassfs.store import Store


def find_links(store: Store, _context: click.Context, beginning: str) -> Iterator[Offer]:
    """Yield what ``kvass unlink`` takes: keys with links, level by level, and, once they are begun, tokens and addresses."""
    from kvassfs.sharing.address import find_base_url
    from kvassfs.sharing.links import find_locator, list_links

    links = list_links(store)
    yield from cut_to_level((link.key for link in links), beginning)
    if beginning:
        base = find_base_url(store)
        locate = find_locator(store, base)
        for link in links:
            yield link.token, link.key
            if base:
                yield locate(link), link.key


def cut_to_level(keys: Iterable[str], beginning: str) -> Iterator[str]:
    """Yield those of ``keys`` that begin so, up to and with the next ``/``, each once."""
    fitting = (key for key in keys if key.startswith(beginning))
    cut = (key[: key.find("/", len(beginning)) + 1] or key for key in fitting)
    yield from dict.fromkeys(cut)


def find_linked(store: Store, _context: click.Context, beginning: str) -> Iterator[str]:
    """Yield keys with links, level by level."""
    from kvassfs.sharing.links import list_links

    yield from cut_to_level((link.key for link in list_links(store)), beginning)


complete_link = completing(find_links)
"""Offer links and keys that have some."""

complete_linked = completing(find_linked)
"""Offer keys with links alone."""

complete_directory = completing(lambda store, _, prefix: (key for key in store.level(prefix) if key.endswith("/")))
"""Offer prefixes alone: of a key itself, nothing would come."""


def complete_file(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Have the shell offer its files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def complete_folder(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Have the shell offer its directories."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


def complete_command(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the commands, or those of the group that is named before."""
    from .group import Group, find_command

    named: tuple[str, ...] = context.params.get("path") or ()
    with contextlib.suppress(click.UsageError):
        found = find_command(context.find_root(), named)
        if isinstance(found.command, Group):
            return found.command.complete_names(found, incomplete)
    return []
