"""``kvass config``: show and change what the store keeps beside the entries."""

from __future__ import annotations

import click

from kvassfs.store import Config

from . import settings, streams
from .config_scratch import command as scratch
from .database import DatabaseFile, pass_database
from .group import Group
from .keys import text

_LINE = 1024  # bytes read at most of a line that should hold 64 digits


command = Group("config", help="show or change the configuration")


@command.command("show", short_help="show key, process id and remote")
@pass_database
def show(database: DatabaseFile) -> None:
    """Show the encryption key, the process id and the remote."""
    with database.open() as store:
        config = store.config()
    streams.write([shown(config).encode()])


def shown(config: Config) -> str:
    """Return the configuration in the original program's words."""
    return (
        f"Encryption Key:  \t{config.encryption_key.hex()}\n"
        f"ProcessID:       \t{config.process_id}\n"
        f"Remote:          \t{config.remote or '(None)'}\n"
    )


@command.command("key", short_help="set the encryption key")
@click.argument("key", metavar="[HEX|-]", required=False, type=text)
@pass_database
def key(database: DatabaseFile, key: str | None) -> None:
    """Set the encryption key that your devices share: 64 hex digits.

    Without HEX the key is asked for and not shown, and with - it is read from standard input: so
    it stays out of the shell's history.
    """
    encryption_key = settings.encryption_key(_key_line(key) if key in (None, "-") else key)
    with database.open() as store:
        store.set_encryption_key(encryption_key)


def _key_line(source: str | None) -> str:
    if source is None and streams.input_is_terminal():
        answer: str = click.prompt("Encryption key", hide_input=True, err=True)
        return answer
    with streams.standard_input() as stream:
        return stream.readline(_LINE).decode("ascii", "replace").strip()


@command.command("remote", short_help="set the hub")
@click.argument("remote", metavar="HOST", type=text)
@pass_database
def remote(database: DatabaseFile, remote: str) -> None:
    """Set the hub: host:port or a URL. An empty HOST removes it."""
    checked = settings.remote(remote)
    with database.open() as store:
        store.set_remote(checked)


@command.command("pid", short_help="set the process id", context_settings={"ignore_unknown_options": True})
@click.argument("number")
@pass_database
def pid(database: DatabaseFile, number: str) -> None:
    """Set the process id, which tells this device from your others: 1 to 4294967295."""
    process_id = settings.process_id(number)
    with database.open() as store:
        store.set_process_id(process_id)


command.add_command(scratch)
