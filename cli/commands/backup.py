"""``kvass backup``: copy the whole database while it is in use, check such a copy, and put it in its place."""

from __future__ import annotations

import click

from kvassfs.store import Contained, Store
from kvassfs.store.restoring import put_backup
from kvassfs.transfer.target import identify_database, new_file
from kvassfs.transfer_errors import TargetUnwritable

from .. import streams
from ..database import DatabaseFile, pass_database, require_path
from ..formats import format_entry_count, format_size
from ..group import Command
from ..notices import explain_interrupt, print_notice
from ..progress import follow_check, show_progress

EXAMPLES = """
kvass backup ~/backups/kvass.sqlite
kvass backup --check ~/backups/kvass.sqlite
kvass backup --restore ~/backups/kvass.sqlite
"""


@click.command("backup", cls=Command, options_metavar="[OPTIONS] [--]", example=EXAMPLES)
@click.argument("file", type=click.Path(readable=False), callback=require_path)
@click.option("--force", is_flag=True, help="replace FILE if it is there")
@click.option("--check", is_flag=True, help="make none, but look whether the backup FILE is whole")
@click.option("--restore", is_flag=True, help="make none, but put FILE in the place of the database, which is kept")
@pass_database
def command(database: DatabaseFile, file: str, force: bool, check: bool, restore: bool) -> None:
    """Copy the database into FILE as it is at one moment, while mounts and the hub go on.

    It holds all values, earlier versions and the encryption key, and is readable by you alone. To restore one, end
    mounts and the hub before: which ones use the database is said.
    """
    if force + check + restore > 1:
        raise click.UsageError("--check, --restore and --force exclude each other.")
    if restore:
        print_notice(format_restored(database.path, file, restore_backup(database.path, file)))
        return
    if check:
        streams.write([f"{format_contents(check_file(file))}\n".encode()])
        return
    with database.open_existing() as store:
        write_backup(store, file, force=force)


def write_backup(store: Store, file: str, *, force: bool) -> None:
    """Copy ``store`` into ``file``; if that fails, or is interrupted, what is there is as it was.

    Raises:
        TargetExists, TargetUnwritable
    """
    with (
        explain_interrupt(lambda: f"no backup was made, and {file} is as it was"),
        show_progress() as bar,
        new_file(file, force=force, never_replace=identify_database(store.path)) as path,
    ):
        try:
            store.back_up(path, bar.update)
        except TargetUnwritable as error:
            raise TargetUnwritable(file, error.reason) from error


def restore_backup(path: str, file: str) -> str | None:
    """Put the backup ``file`` in the place of the database at ``path``; return where what was there is kept.

    Raises:
        DatabaseInUse, BackupDamaged, SourceUnreadable, NotAStore, TargetUnwritable
    """
    check_file(file)
    with explain_interrupt(lambda: f"{path} is as it was"), show_progress() as bar:
        return put_backup(path, file, bar.update)


def format_restored(path: str, file: str, kept: str | None) -> str:
    """Return in a line what was restored, and where what was there is."""
    before = "" if kept is None else f"; what was there is kept as {kept}"
    return f"{path} is as in {file} now{before}"


def check_file(file: str) -> Contained:
    """Return what the backup ``file`` has.

    Raises:
        BackupDamaged, SourceUnreadable, NotAStore
    """
    with explain_interrupt(lambda: f"{file} is not checked to its end"), show_progress() as bar:
        return Store.check_backup(file, follow_check(bar))


def format_contents(contained: Contained) -> str:
    """Return what a sound backup has, in words."""
    revisions = "1 earlier version" if contained.revisions == 1 else f"{contained.revisions} earlier versions"
    blocks = "1 block" if contained.blocks == 1 else f"{contained.blocks} blocks"
    return f"whole: {format_entry_count(contained.entries)}, {revisions}, {blocks}, {format_size(contained.size)}"
