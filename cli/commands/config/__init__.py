"""``kvass config``: show and change what the store keeps beside the entries."""

from __future__ import annotations

import click

from kvassfs.kind import Kind
from kvassfs.replica import StoreKey, check_name
from kvassfs.sharing.address import require_base_url
from kvassfs.store import Config

from ... import config_values, streams
from ...arguments import parse_text
from ...database import DatabaseFile, pass_database
from ...encryption_key import ask_for_key, read_key
from ...group import Group
from ...notices import print_notice
from .rekey import command as rekey
from .scratch import command as scratch
from .sealed import access_key, sealed

_NUMBERS = {"ignore_unknown_options": True}  # a negative one is refused in words


command = Group("config", help="show or change the configuration")


@command.command("show", short_help="show key, process id and remote", example="kvass config show")
@pass_database
def show(database: DatabaseFile) -> None:
    """Show the encryption key, the process id, the remote, and the public address and the name if they are set."""
    with database.open() as store:
        settings = store.settings
        text = format_config(settings.config(), settings.public_url(), settings.chosen_name(), settings.kind())
    streams.write([text.encode()])


def format_config(config: Config, public_url: str = "", name: str = "", kind: str = Kind.PLAIN) -> str:
    """Return the configuration in the original program's words, which know no public address and no name."""
    return (
        f"Encryption Key:  \t{StoreKey(config.encryption_key, kind)}\n"
        f"ProcessID:       \t{config.process_id}\n"
        f"Remote:          \t{config.remote or '(None)'}\n"
    ) + "".join(
        f"{title + ':':<17}\t{text}\n" for title, text in (("Public address", public_url), ("Name", name)) if text
    )


@command.command(
    "key",
    short_help="set the encryption key",
    example="ssh you@yourserver.com kvass config show | awk '/^Encryption/ { print $3 }' | kvass config key -",
)
@click.argument("key", metavar="[HEX|-]", required=False, type=parse_text)
@pass_database
def key(database: DatabaseFile, key: str | None) -> None:
    """Set the encryption key that your devices share: 64 hex digits.

    That of a sealed store begins with `sealed-`, and with `access-` what its hub gets, which cannot read it then.

    Without HEX the key is asked for and not shown, and with - it is read from standard input: so
    it stays out of the shell's history and the list of processes.
    """
    if key is None:
        new = ask_for_key()
    elif key == "-":
        new = read_key()
    else:
        new = config_values.parse_store_key(key)
    with database.open() as store:
        config_values.check_new_key(store, new)
        store.settings.set_encryption_key(*new)
    if key not in {None, "-"}:
        print_notice(
            "warning: others could read the key in the list of processes, and the shell's history may have it; without HEX"
            " `kvass config key` asks for it, and `kvass config key -` reads it"
        )


@command.command("remote", short_help="set the hub", example="kvass config remote yourserver.com:8000")
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


@command.command(
    "url", short_help="show or set the public address of the hub", example="kvass config url https://example.org/kvass"
)
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


@command.command("name", short_help="show or set what this device is called", example="kvass config name laptop")
@click.argument("name", required=False, type=parse_text)
@pass_database
def name(database: DatabaseFile, name: str | None) -> None:
    """Show what this device is called, or set it. An empty NAME returns to the name of the host."""
    if name is None:
        with database.open_existing() as store:
            streams.write([f"{store.settings.name()}\n".encode()])
        return
    checked = check_name(name)
    with database.open() as store:
        store.settings.set_name(checked)


@command.command(
    "timeout",
    short_help="show or set how long to wait for the hub",
    context_settings=_NUMBERS,
    example="kvass config timeout 3 30",
)
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


@command.command(
    "history",
    short_help="show or set how much history is kept",
    context_settings=_NUMBERS,
    example="kvass config history 100 365",
)
@click.argument("count", required=False)
@click.argument("days", required=False)
@pass_database
def history(database: DatabaseFile, count: str | None, days: str | None) -> None:
    """Show how many earlier versions are kept of each key, and for how many days, or set that.

    `kvass config history 100 365` keeps the newest 100 of each key, for a year; COUNT alone leaves DAYS. With
    `default` it is 10 and 30 again, and with 0 nothing is kept. What exceeds the limits goes by and by: `kvass gc` has it
    go at once.
    """
    if count is None:
        with database.open_existing() as store:
            streams.write([format_history(*store.settings.history()).encode()])
        return
    with database.open() as store:
        store.settings.set_history(*config_values.parse_history(count, days, store.settings.history()))


def format_history(count: int, days: float) -> str:
    """Return the limits of the history in the form of the configuration."""
    return f"Versions:        \t{count}\nDays:            \t{days:g}\n"


@command.command("pid", short_help="set the process id", context_settings=_NUMBERS, example="kvass config pid 1001")
@click.argument("number")
@pass_database
def pid(database: DatabaseFile, number: str) -> None:
    """Set the process id, which tells this device from your others: 1 to 4294967295."""
    process_id = config_values.parse_process_id(number)
    with database.open() as store:
        store.settings.set_process_id(process_id)


command.add_command(rekey)
command.add_command(scratch)
command.add_command(sealed)
command.add_command(access_key)
