"""What ``kvass mv`` and ``kvass cp`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kvassfs.store import Store

from . import hub
from .arguments import complete_prefix, parse_key
from .notices import print_notice
from .offline import offline_option

NOT_REPLACED = 1
"""The exit status where a key was in the way and stays."""


def add_transfer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command SOURCE and TARGET, and the options that go with them."""
    for decorate in (
        offline_option,
        click.option("-n", "--no-clobber", "keep", is_flag=True, help="replace no key that is there"),
        click.argument("target", type=parse_key, shell_complete=complete_prefix),
        click.argument("source", type=parse_key, shell_complete=complete_prefix),
    ):
        function = decorate(function)
    return function


def transfer(store: Store, work: Callable[[], list[str]], *, offline: bool) -> None:
    """Move or copy, with what the hub has; say which keys were in the way, and exit with a status that tells so."""
    kept = hub.pull_and_push(store, work, offline=offline, otherwise=hub.KEPT)
    for key in kept:
        print_notice(f"not replaced: {key}")
    if kept:
        click.get_current_context().exit(NOT_REPLACED)
