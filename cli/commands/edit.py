"""``kvass edit``: change a value in an editor."""

from __future__ import annotations

import stat

import click

from kvassfs.entry import Entry
from kvassfs.errors import KeyIsDirectory, KeyMissing, KvassError
from kvassfs.share_link import check_new_key
from kvassfs.store import Store
from kvassfs.tools.editing import (
    Outcome,
    decide_outcome,
    describe_meanwhile,
    name_file,
    take_fingerprint,
)

from .. import hub
from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database
from ..editor import PrivateFile, choose_editor, ended_by_signals, private_file, run_editor
from ..group import Command
from ..notices import print_notice
from ..offline import offline_option


class LinkNotEdited(KvassError):
    """The value is the target of a symbolic link."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is a symbolic link; edit what it leads to, or set it anew with `kvass set`")
        self.key = key


class NotSaved(KvassError):
    """What was edited could not be set; it stays in the file at ``path``."""

    def __init__(self, error: KvassError, path: str) -> None:
        super().__init__(f"{error}; what you wrote is in {path}")
        self.path = path
        self.exit_code = error.exit_code


@click.command("edit", cls=Command, options_metavar="[OPTIONS] [--]", example="EDITOR=nano kvass edit notes/todo.md")
@click.argument("key", type=parse_key, shell_complete=complete_key)
@offline_option
@pass_database
def command(database: DatabaseFile, key: str, offline: bool) -> None:
    """Change the value of KEY in your editor: $VISUAL, $EDITOR or vi. A key that is not there is made.

    It is set when the editor ends without a failure, if it was changed. The file that is edited is yours alone, in memory
    where the system has files there, and gone afterwards.
    """
    check_new_key(key)
    with ended_by_signals() as signals, private_file(name_file(key)) as file:
        with database.open_to_write() as store:
            hub.pull_first(store, offline=offline)
            began = read_value(store, key, file)
        before = take_fingerprint(file.read())
        run_editor(choose_editor(), file.path, signals)
        outcome = decide_outcome(before, take_fingerprint(file.read()))
        if outcome is Outcome.UNCHANGED:
            print_notice(f"{key} is unchanged" if began is not None else f"nothing was written; {key} is not made")
            return
        try:
            with database.open() as store:
                save(store, key, file, began, outcome, offline=offline)
        except BaseException as error:
            where = file.keep()
            if isinstance(error, KvassError):
                raise NotSaved(error, where) from error
            print_notice(f"what you wrote is in {where}")
            raise


def read_value(store: Store, key: str, file: PrivateFile) -> Entry | None:
    """Write the value of a key to a file; return its entry, ``None`` if there is none and the file is empty.

    Raises:
        KeyIsDirectory, LinkNotEdited, FileUnusable
    """
    while True:
        try:
            began = store.entry(key)
            if began.mode is not None and stat.S_ISLNK(began.mode):
                raise LinkNotEdited(key)
            file.write(store.get(key).chunks())
            if store.entry(key) == began:
                return began
        except KeyIsDirectory:
            raise
        except KeyMissing:
            file.write([])
            return None


def save(store: Store, key: str, file: PrivateFile, began: Entry | None, outcome: Outcome, *, offline: bool) -> None:
    """Set a key to what is in a file, and say so where others have changed it meanwhile: their version is kept."""

    def put() -> Entry:
        row = store.tree.entry(key)
        said = describe_meanwhile(key, began, None if row is None else row.entry)
        if outcome is Outcome.EMPTIED:
            entry = store.set_empty(key)
        else:
            with file.open() as stream:
                entry = store.set_stream(key, stream)
        if row is None and began is not None and began.mode is not None:
            keep_mode(store, key, began.mode)
        if said is not None:
            print_notice(said)
        return entry

    entry = hub.pull_and_push(store, put, offline=offline, otherwise=hub.KEPT)
    hub.warn_if_ahead(store, entry)


def keep_mode(store: Store, key: str, mode: int) -> None:
    """Give a key the mode that it had before it was removed."""
    node = store.tree.file(key)
    if node is not None:
        store.tree.set_mode(node, mode)
