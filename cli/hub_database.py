"""The PostgreSQL database of a hub for many, and the object store beside it, as commands name them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from .arguments import parse_text

if TYPE_CHECKING:
    from kvassfs.keeping.objects import ObjectStore
    from kvassfs.keeping.postgres.database import Database

VARIABLE = "KVASS_HUB_DATABASE"
"""Names the database: a URL may have a password, which does not belong into the list of processes."""

SCHEMES = ("postgresql://", "postgres://")


def parse_url(_context: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    """Return the URL of a PostgreSQL database, if there is one, and what it is reached by."""
    if url is None:
        return None
    if not url.startswith(SCHEMES):
        raise click.BadParameter("it begins with postgresql://, as in postgresql://user@host/database.")
    if find_spec("psycopg") is None:
        raise click.UsageError("a hub for many needs psycopg; install kvassfs[postgres].")
    return url


def parse_blocks(_context: click.Context, _parameter: click.Parameter, address: str | None) -> str:
    """Return where an object store keeps blocks, "" if none does, and there is what it is reached by."""
    from kvassfs.keeping.objects import parse_place

    if address is None:
        return ""
    if parse_place(address) is None:
        raise click.BadParameter("it names a bucket, as in s3://bucket or s3://bucket/prefix.")
    if find_spec("boto3") is None:
        raise click.UsageError("blocks in an object store need boto3; install kvassfs[s3].")
    return address


database_option = click.option(
    "--database",
    metavar="URL",
    required=True,
    envvar=VARIABLE,
    show_envvar=False,
    type=parse_text,
    callback=parse_url,
    help=f"the PostgreSQL database of the hub (default: ${VARIABLE})",
)


blocks_option = click.option(
    "--blocks",
    metavar="s3://BUCKET/PREFIX",
    type=parse_text,
    callback=parse_blocks,
    help="the object store for blocks of large values, which speaks S3; credentials and region are found as by other programs for it",
)

blocks_endpoint_option = click.option(
    "--blocks-endpoint",
    metavar="URL",
    type=parse_text,
    default="",
    help="the address of the object store (default: that of AWS)",
)


def check_blocks(blocks: str, endpoint: str) -> None:
    """Return if there is an object store that an address belongs to, or no address."""
    if endpoint and not blocks:
        raise click.UsageError("--blocks-endpoint needs --blocks.")


def open_objects(blocks: str, endpoint: str) -> ObjectStore | None:
    """Return the object store, if there is one."""
    check_blocks(blocks, endpoint)
    if not blocks:
        return None
    from kvassfs.keeping import s3

    return s3.open_objects(blocks, endpoint)


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    """``with`` the database of a hub.

    Raises:
        DatabaseUnreachable, NewerSchema
    """
    from kvassfs.keeping.postgres import database

    with database.open_database(url, connections=1) as opened:
        yield opened
