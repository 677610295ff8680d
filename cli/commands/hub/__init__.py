"""``kvass hub``: the stores of a hub for many."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kvassfs.keeping.store_names import is_store_name

from ... import streams
from ...arguments import parse_text
from ...formats import format_local_time, format_size
from ...group import Group
from ...hub_database import blocks_endpoint_option, blocks_option, database_option, open_database, open_objects
from ...notices import print_notice

if TYPE_CHECKING:
    from kvassfs.keeping.postgres.database import Session
    from kvassfs.keeping.postgres.stores import Stores, StoreStatus

command = Group("hub", help="look after the stores of a hub for many")


@contextmanager
def open_session(url: str) -> Iterator[Session]:
    """``with`` a way to the database of a hub."""
    from kvassfs.keeping.postgres.database import Session

    with open_database(url) as database:
        yield Session(database)


@contextmanager
def open_stores(url: str) -> Iterator[Stores]:
    """``with`` the stores in a database."""
    from kvassfs.keeping.postgres.stores import Stores

    with open_session(url) as session:
        yield Stores(session)


def _check_name(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    if not is_store_name(name):
        raise click.BadParameter(
            f"{name!r} is none: up to 64 letters, digits and . _ ~ -, the first a letter or digit."
        )
    return name


_name = click.argument("name", metavar="NAME", type=parse_text, callback=_check_name)


@command.command(
    "add",
    short_help="add a store, and print what claims it",
    example="kvass hub add family --database postgresql:///kvass --url https://hub.example.com",
)
@_name
@database_option
@click.option(
    "--url", metavar="URL", required=True, type=parse_text, help="the address under which devices reach the hub"
)
def add(name: str, database: str, url: str) -> None:
    """Add a store, and print what its person types on the first device, within a week.

    That device makes the encryption key; nobody else has it before. A store that nobody has claimed gets another code.
    """
    from kvassfs.keeping.postgres.stores import make_code
    from kvassfs.remote.address import parse_base_url

    base, code = parse_base_url(url), make_code()
    with open_stores(database) as stores:
        stores.add(name, code)
    streams.write([format_claim(f"{base}/s/{name}#{code}").encode()])


def format_claim(claim: str) -> str:
    """Return what is said of a store that was added."""
    return f"Within 7 days, type on the first device of the store:\n\n    kvass claim {claim}\n\n"


@command.command("list", short_help="list the stores", example="kvass hub list --database postgresql:///kvass")
@database_option
def list_all(database: str) -> None:
    """List the stores: when each was added, whether it is claimed, its entries and bytes of how many, and its name."""
    with open_stores(database) as stores:
        found = stores.list_all()
    streams.write(f"{format_status(status)}\n".encode() for status in found)


def format_status(status: StoreStatus) -> str:
    """Return the line about a store."""
    entries = f"{status.entries:,}" + (f" of {status.most_entries:,}" if status.most_entries is not None else "")
    size = format_size(status.bytes) + (
        f" of {format_size(status.most_bytes)}" if status.most_bytes is not None else ""
    )
    state = "claimed" if status.is_claimed else "waits to be claimed"
    requests = f", {status.most_requests:,} requests/s at most" if status.most_requests is not None else ""
    return f"{format_local_time(status.made)}  {status.name}  {state}, {entries} key{'' if status.entries == 1 else 's'}, {size}{requests}"


@command.command(
    "remove",
    short_help="remove a store for good",
    example="kvass hub remove family --yes --database postgresql:///kvass",
)
@_name
@database_option
@click.option("--yes", is_flag=True, help="do not ask")
def remove(name: str, database: str, yes: bool) -> None:
    """Remove a store with all that it has. Its devices keep what they have."""
    if not yes:
        click.confirm(f"Remove the store {name} and all that it has here?", abort=True, err=True)
    with open_stores(database) as stores:
        stores.remove(name)


@command.command(
    "quota",
    short_help="limit what a store may have",
    example="kvass hub quota family --mb 5000 --keys 100000 --requests 50 --database postgresql:///kvass",
)
@_name
@database_option
@click.option("--mb", metavar="MB", type=click.IntRange(min=0), help="how much it may take")
@click.option(
    "--keys", metavar="COUNT", type=click.IntRange(min=0), help="how many keys it may have, removed ones among them"
)
@click.option(
    "--requests",
    metavar="COUNT",
    type=click.IntRange(min=1),
    help="how many requests a second each process of the hub takes of its devices, and for what it shares",
)
def quota(name: str, database: str, mb: int | None, keys: int | None, requests: int | None) -> None:
    """Limit what a store may have and ask; what is not named is unlimited from then on.

    A store that has more keeps it, and takes nothing new but removals. One that was quiet may make the requests of 10 seconds
    at once.
    """
    with open_stores(database) as stores:
        size = None if mb is None else mb * 1_000_000
        stores.set_limits(name, entries=keys, size=size, requests=requests)


@command.command(
    "restored",
    short_help="say that the database was set back",
    example="kvass hub restored --database postgresql:///kvass",
)
@database_option
def restored(database: str) -> None:
    """Say that the database is one that was brought back from a backup, so that devices send anew what it lacks.

    PostgreSQL tells that by itself after a failover or a restore by its own means. This is for what it cannot know of,
    as the copy of a disk.
    """
    with open_stores(database) as stores:
        stores.note_restored()


@command.command(
    "import",
    short_help="take in the hub of one person",
    example="kvass hub import ~/.kvassdb.sqlite family --database postgresql:///kvass",
)
@click.argument("file", metavar="FILE", type=click.Path(readable=False))
@_name
@database_option
def import_(file: str, name: str, database: str) -> None:
    """Make the store in FILE, which was a hub, one of those here, so that its devices need not notice.

    Its key, clock, links and the sequence of its entries stay; its history stays behind. End `kvass serve` on FILE for good
    before, and have the address of the hub lead to /s/NAME here.
    """
    from kvassfs.keeping.postgres.moving import import_store
    from kvassfs.store import Store

    with Store.open(file, create=False, notice=print_notice) as store, open_session(database) as session:
        count = import_store(store, session, name)
    streams.write([format_moved(count, name).encode()])


def format_moved(count: int, place: str) -> str:
    """Return how much was moved."""
    return f"moved {count:,} entr{'y' if count == 1 else 'ies'} to {place}\n"


@command.command(
    "export",
    short_help="make a store the hub of one person",
    example="kvass hub export family family.sqlite --database postgresql:///kvass",
)
@_name
@click.argument("file", metavar="FILE", type=click.Path(readable=False))
@database_option
@blocks_option
@blocks_endpoint_option
def export(name: str, file: str, database: str, blocks: str, blocks_endpoint: str) -> None:
    """Make FILE, which is new, the hub that a store here was, and close the store, so that its devices need not notice.

    Then have the address of the hub lead to `kvass serve --db FILE`; `kvass hub remove` removes what is left here.
    """
    from kvassfs.keeping.postgres.moving import export_store
    from kvassfs.store import HUB, Store

    if os.path.lexists(file):
        raise click.BadParameter(f"{file} is there already.", param_hint="FILE")
    objects = open_objects(blocks, blocks_endpoint)
    with open_session(database) as session:
        try:
            with Store.open(file, profile=HUB) as store:
                count = export_store(store, session, name, objects=objects)
        except BaseException:
            for suffix in ("", "-wal", "-shm", "-reserve"):
                Path(f"{file}{suffix}").unlink(missing_ok=True)
            raise
    streams.write([format_moved(count, file).encode()])
