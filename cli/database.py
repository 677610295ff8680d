"""The database file that the command line names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .notices import print_notice

if TYPE_CHECKING:
    from kvassfs.store import Store

DEFAULT = "~/.kvassdb.sqlite"
VARIABLE = "KVASS_DB"


class DatabaseFile:
    """The path of the database: that of the last ``--db``, else ``KVASS_DB``, else the default."""

    def __init__(self) -> None:
        self.path = _expand(os.environ.get(VARIABLE) or DEFAULT)

    def choose(self, path: str) -> None:
        """Use the file at ``path``, where ``~`` is the home directory."""
        self.path = _expand(path)

    def open(self) -> Store:
        """Open the store; what it has to say goes to standard error."""
        from kvassfs.store import Store

        return Store.open(self.path, notice=print_notice, alone_if_full=True)


pass_database = click.make_pass_decorator(DatabaseFile, ensure=True)


def create_database_option() -> click.Option:
    """Return the option ``--db``, which every command has: the one nearest to the end counts."""
    return click.Option(
        ["--db"],
        metavar="PATH",
        type=click.Path(),
        expose_value=False,
        callback=_choose,
        help=f"the database file to use (default: ${VARIABLE} or {DEFAULT})",
    )


def require_path(_context: click.Context, _parameter: click.Parameter, path: str) -> str:
    """Return a path that the command line gives, unless it is empty, as an unset variable is."""
    if not path:
        raise click.BadParameter("it is empty.")
    return path


def _choose(context: click.Context, _parameter: click.Parameter, path: str | None) -> None:
    database = context.ensure_object(DatabaseFile)
    if path == "":
        raise click.BadParameter("it names no file.")
    if path is not None:
        database.choose(path)


def _expand(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))
