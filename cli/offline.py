"""Leaving the hub alone: the option of commands that contact it by themselves."""

from __future__ import annotations

import os

import click

from kvassfs.errors import InvalidConfiguration

VARIABLE = "KVASS_OFFLINE"


def is_offline() -> bool:
    """Return whether the environment says that the hub is left alone.

    Raises:
        InvalidConfiguration: it says neither yes nor no.
    """
    text = os.environ.get(VARIABLE, "")
    try:
        return bool(text and click.BOOL.convert(text, None, None))
    except click.BadParameter:
        raise InvalidConfiguration(f"{VARIABLE} is 1 or 0, and {text!r} is neither") from None


offline_option = click.option("--offline", is_flag=True, default=is_offline, help="do not contact the hub")
"""The option of commands that contact the hub by themselves; ``KVASS_OFFLINE=1`` sets it for all of them."""
