"""``kvass get``: write a value to standard output."""

from __future__ import annotations

from collections.abc import Generator

import click

from kvassfs.errors import KvassError
from kvassfs.store import Snapshot
from kvassfs.text import is_utf8

from .. import hub, streams
from ..arguments import parse_key
from ..database import DatabaseFile, pass_database
from ..formats import format_size
from ..getting import write_elsewhere
from ..group import Command
from ..notices import escape_controls, explain_interrupt
from ..offline import offline_option
from ..revisions import complete_key_or_version, revision_option


class NoText(KvassError):
    """The value is no text, and a terminal would take its bytes for commands."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key} is no text, which a terminal cannot show; write it to a file or program, or show it with --force"
        )
        self.key = key


@click.command(
    "get",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass get notes/trip.md
kvass get logo.png > logo.png
kvass get notes/trip.md --rev 1
kvass get logo.png --force | wc -c
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_key_or_version)
@revision_option("write an earlier version, by its number in `kvass log KEY`")
@click.option("--force", is_flag=True, help="show a value that is no text on a terminal without asking")
@offline_option
@pass_database
def command(database: DatabaseFile, key: str, revision: int | None, force: bool, offline: bool) -> None:
    """Write the value of KEY to standard output, byte for byte.

    Where that is a terminal, one that is no text is shown only if you say so.
    """
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        snapshot = store.get(key) if revision is None else store.history.get(key, revision)
        with explain_interrupt(lambda: f"{key} is not written to its end"):
            write_value(key, snapshot, force=force)


def write_value(key: str, value: Snapshot, *, force: bool) -> None:
    """Write a value; where it goes elsewhere than to the terminal, show there how far it is."""
    if streams.output_is_terminal():
        streams.write(value.chunks() if force else ask_unless_text(key, value))
    else:
        write_elsewhere(value)


def ask_unless_text(key: str, snapshot: Snapshot) -> Generator[bytes, None, None]:
    """Yield the bytes of a value; of one that is no text only if the person at the terminal wants that.

    Raises:
        NoText: they do not, or nobody can be asked.
    """
    chunks = snapshot.chunks()
    try:
        head = next(chunks, b"")
        if not is_utf8(head, whole=len(head) >= snapshot.size) and not ask(key, snapshot.size):
            raise NoText(key)
        yield head
        yield from chunks
    finally:
        chunks.close()


def ask(key: str, size: int) -> bool:
    """Return whether a person wants to see a value that is no text, of ``size`` bytes; no if nobody is there."""
    question = f"{escape_controls(key)} is no text ({format_size(size)}); show it nonetheless?"
    return streams.input_is_terminal() and click.confirm(question, err=True)
