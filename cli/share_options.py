"""Options of the commands that show the address of an entry, and how they get it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from kvassfs.sharing.address import require_base_url
from kvassfs.sharing.links import share_at
from kvassfs.sharing.terms import Terms

from . import hub
from .database import DatabaseFile
from .offline import offline_option

_UNITS = {"w": 7 * 86_400, "d": 86_400, "h": 3600, "m": 60, "s": 1}

LATER = "the address works once the hub has heard of it"

_LONGEST = 100 * 365 * 86_400  # 100 years
"""Seconds that nobody means to give a link."""


def parse_duration(text: str) -> int:
    """Return a span of time such as ``90m``, ``1h30m`` or ``7d`` in seconds: the type of such parameters."""
    if not re.fullmatch(rf"([0-9]{{1,12}}[{''.join(_UNITS)}])+", text):
        raise click.BadParameter(f"{text!r} is no span of time; write 90s, 15m, 1h, 1h30m, 7d or 2w.")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)(.)", text))
    if not 0 < seconds <= _LONGEST:
        raise click.BadParameter(f"{text!r} is {'more than 100 years' if seconds else 'no time at all'}.")
    return seconds


def add_share_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of commands that show an address."""
    for add in (
        offline_option,
        click.option("--once", is_flag=True, help="make a link that ends after one download"),
        click.option(
            "--expires", metavar="TIME", type=parse_duration, help="make a link that ends after TIME: 15m, 1h, 7d"
        ),
    ):
        command = add(command)
    return command


def get_address(database: DatabaseFile, key: str, terms: Terms, *, offline: bool) -> str:
    """Return the address of the current version of a key, or on other ``terms`` that of a new share link.

    The hub is asked first for what it has, and sent what it needs for the address to work.

    Raises:
        InvalidConfiguration: no address is known, or the hub does not know share links.
        KeyMissing: there is no such key.
    """
    with database.open_existing() as store:
        base = require_base_url(store)
        return hub.pull_and_push(store, lambda: share_at(store, base, key, terms), offline=offline, otherwise=LATER)
