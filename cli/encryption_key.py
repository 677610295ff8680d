"""Reading an encryption key so that it stays out of the shell's history and the list of processes."""

from __future__ import annotations

import click

from kvassfs.replica import StoreKey

from . import config_values, streams

_LINE = 1024  # bytes read at most of a line that should hold 64 digits


def ask_for_key() -> StoreKey:
    """Return the key that is typed at the terminal and not shown, or else the first line of standard input.

    Raises:
        InvalidConfiguration: it is none.
    """
    if streams.input_is_terminal():
        typed: str = click.prompt("Encryption key", hide_input=True, err=True)
        return config_values.parse_store_key(typed)
    return read_key()


def read_key() -> StoreKey:
    """Return the key that is the first line of standard input.

    Raises:
        InvalidConfiguration: it is none.
    """
    with streams.standard_input() as stream:
        return parse_line(stream.readline(_LINE))


def parse_line(line: bytes) -> StoreKey:
    """Return the key that a line holds.

    Raises:
        InvalidConfiguration: it is none.
    """
    return config_values.parse_store_key(line.decode("ascii", "replace").strip())
