"""The database file that the command line names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.store_errors import ReadOnlyStore

from .cheat_sheet import DATABASE_HELP, DEFAULT, VARIABLE
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


def make_absolute(path: str) -> str:
    """Return ``path`` with the working directory before it if it is relative.

    Raises:
        InvalidConfiguration: the working directory is gone.
    """
    try:
        return path if os.path.isabs(path) else os.path.join(os.getcwd(), path)
    except FileNotFoundError:
        raise InvalidConfiguration(
            f"{path} is in the working directory, which has been removed; go to another one, or name a full path"
        ) from None


def expand_home(path: str) -> str:
    """Return ``path`` with the home directory in place of a ``~``, or ``~user``, that it begins with.

    Raises:
        InvalidConfiguration: nothing says where the home directory is.
    """
    if path.partition("/")[0] != "~":
        return os.path.expanduser(path)
    home = os.environ.get("HOME") or _find_home()
    if not home:
        raise InvalidConfiguration(f"{path}: nothing says where your home directory is; set HOME, or name a full path")
    return home + path[1:]


def _find_home() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
