"""``kvass config``: show and change what the store keeps beside the entries."""

from __future__ import annotations

import click

from kvassfs.sharing.address import require_base_url
from kvassfs.store import Config

from ... import config_values, streams
from ...arguments import parse_text
from ...database import DatabaseFile, pass_database
from ...encryption_key import ask_for_key, read_key
from ...group import Group
from .scratch import command as scratch

_NUMBERS = {"ignore_unknown_options": True}  # a negative one is refused in words


command = Group("config", help="show or change the configuration")


@command.command("show", short_help="show key, process id and remote")
@pass_database
def show(database: DatabaseFile) -> None:
    """Show the encryption key, the process id and the remote."""
    with database.open() as store:
        config, public_url = store.settings.config(), store.settings.public_url()
    streams.write([format_config(config, public_url).encode()])


def format_config(config: Config, public_url: str = "") -> str:
    """Return the configuration in the original program's words, which know no public address."""
    return (
        f"Encryption Key:  \t{config.encryption_key.hex()}\n"
        f"ProcessID:       \t{config.process_id}\n"
        f"Remote:          \t{config.remote or '(None)'}\n"
    ) + (f"Public address:  \t{public_url}\n" if public_url else "")


@command.command("key", short_help="set the encryption key")
@click.argument("key", metavar="[HEX|-]", required=False, type=parse_text)
@pass_database
def key(database: DatabaseFile, key: str | None) -> None:
    """Set the encryption key that your devices share: 64 hex digits.

    Without HEX the key is asked for and not shown, and with - it is read from standard input: so
    it stays out of the shell's history.
    """
    if key is None:
        encryption_key = ask_for_key()
    else:
        encryption_key = read_key() if key == "-" else config_values.parse_encryption_key(key)
    with database.open() as store:
        store.settings.set_encryption_key(encryption_key)


@command.command("remote", short_help="set the hub")
@click.argument("remote", metavar="HOST", type=parse_text)
@pass_database
def remote(database: DatabaseFile, remote: str) -> None:
    """Set the hub that your devices share: host:port, or a URL with http:// or https://.

    `kvass serve` listens at port 8000. A host without a port means port 80, and 8000 where that is refused.

    Entries that are here are kept, and pushed there with the next exchange. An empty HOST removes
    the hub.
    """
    checked = config_values.check_remote(remote)
    with database.open() as store:
        store.settings.set_remote(checked)


@command.command("url", short_help="show or set the public address of the hub")
@click.argument("url", required=False, type=parse_text)
@pass_database
def url(database: DatabaseFile, url: str | None) -> None:
    """Show what the addresses of shared entries begin with, or set it where that is not the remote.

    It is the URL under which others reach the hub: behind a proxy, say, or where this is the hub itself. An empty URL
    returns to the remote.
    """
    if url is None:
        with database.open_existing() as store:
            streams.write([f"{require_base_url(store)}\n".encode()])
        return
    checked = config_values.check_public_url(url)
    with database.open() as store:
        store.settings.set_public_url(checked)


@command.command("timeout", short_help="show or set how long to wait for the hub", context_settings=_NUMBERS)
@click.argument("connect", required=False)
@click.argument("progress", required=False)
@pass_database
def timeout(database: DatabaseFile, connect: str | None, progress: str | None) -> None:
    """Show how many seconds a command waits for the hub, or set them.

    CONNECT is the limit for a connection, PROGRESS that for an answer in which nothing moves.
    `default` in place of both returns to 1 and 10 seconds.
    """
    if connect is None:
        with database.open_existing() as store:
            streams.write([format_timeouts(*store.settings.timeouts()).encode()])
        return
    with database.open() as store:
        store.settings.set_timeouts(*config_values.parse_timeouts(connect, progress, store.settings.timeouts()))


def format_timeouts(connect: float, progress: float) -> str:
    """Return the time limits in the form of the configuration."""
    return f"Connect:         \t{connect:g} s\nProgress:        \t{progress:g} s\n"


@command.command("pid", short_help="set the process id", context_settings=_NUMBERS)
@click.argument("number")
@pass_database
def pid(database: DatabaseFile, number: str) -> None:
    """Set the process id, which tells this device from your others: 1 to 4294967295."""
    process_id = config_values.parse_process_id(number)
    with database.open() as store:
        store.settings.set_process_id(process_id)


command.add_command(scratch)
