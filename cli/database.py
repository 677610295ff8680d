"""The database file that the command line names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kvassfs.store_errors import ReadOnlyStore

from .cheat_sheet import DATABASE_HELP, DEFAULT, VARIABLE
from .locations import expand_home, make_absolute
from .notices import print_notice

if TYPE_CHECKING:
    from kvassfs.store import Store


class DatabaseFile:
    """The path of the database: that of the last ``--db``, else ``KVASS_DB``, else the default."""

    def __init__(self) -> None:
        self._chosen = os.environ.get(VARIABLE) or DEFAULT

    def choose(self, path: str) -> None:
        """Use the file at ``path``, where ``~`` is the home directory."""
        self._chosen = path

    @property
    def is_chosen(self) -> bool:
        """Whether the command line or the environment names it."""
        return self._chosen != DEFAULT

    @property
    def path(self) -> str:
        """The absolute path.

        Raises:
            InvalidConfiguration: nothing says where the home, or the working directory, is.
        """
        return os.path.abspath(make_absolute(expand_home(self._chosen)))

    def open(self) -> Store:
        """Open the store, made if it is missing; what it has to say goes to standard error."""
        return self._open(create=True)

    def open_to_write(self, *, create: bool = True) -> Store:
        """Open the store for a command that could not finish where it can only be read, and says so before it begins.

        Raises:
            ReadOnlyStore
        """
        store = self._open(create=create)
        if store.obstacle:
            store.close()
            raise ReadOnlyStore(store.path, store.obstacle)
        return store

    def open_existing(self) -> Store:
        """Open the store for a command that has no use for a new one."""
        return self._open(create=False)

    def _open(self, *, create: bool) -> Store:
        from kvassfs.store import Store

        return Store.open(self.path, notice=print_notice, create=create, alone_if_full=True)


pass_database = click.make_pass_decorator(DatabaseFile, ensure=True)


def create_database_option() -> click.Option:
    """Return the option ``--db``, which every command has: the one nearest to the end counts."""
    return click.Option(
        ["--db"],
        metavar="PATH",
        type=click.Path(readable=False),  # whether it can be opened is the store's to say
        expose_value=False,
        callback=_choose,
        help=DATABASE_HELP,
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
