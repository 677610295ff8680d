"""``kvass ls``: list keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import click

from kvassfs.entry import DEFAULT_MODE, Entry, directory_of
from kvassfs.store import Store

from .. import hub, streams
from ..arguments import complete_prefix, parse_text
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time, format_size, format_utc
from ..group import Command
from ..notices import escape_controls
from ..offline import offline_option

NAME = "name"

ORDERS: Final[dict[str, Callable[[Entry], int]]] = {
    "time": lambda entry: -entry.timestamp,
    "size": lambda entry: -entry.size,
}
"""The orders other than that of the keys: the newest and the largest come first."""


class Form(NamedTuple):
    """How the keys are to be listed, as the options say."""

    long: bool = False
    human: bool = False
    null: bool = False
    tree: bool = False
    as_json: bool = False
    order: str = NAME


@click.command(
    "ls",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    context_settings={"help_option_names": ["--help"]},  # -h is another option here, as in ls(1)
    example="""
kvass ls notes/
kvass ls -h --sort size notes/
kvass ls --json notes/
kvass ls --null notes/ | xargs -0 -n 1 kvass get
""",
)
@click.argument("prefix", default="", type=parse_text, shell_complete=complete_prefix)
@click.option("-l", "--long", is_flag=True, help="show sizes in bytes and times as well")
@click.option("-h", "--human-readable", "human", is_flag=True, help="the same, with sizes in kB, MB and so on")
@click.option(
    "--sort",
    "order",
    type=click.Choice([NAME, *ORDERS]),
    default=NAME,
    help="by name, or the newest (time) or the largest (size) first",
)
@click.option("-0", "--null", is_flag=True, help="end lines with NUL, for keys that hold newlines (xargs -0)")
@click.option("--json", "as_json", is_flag=True, help="print an array of objects, for programs")
@click.option("--tree", is_flag=True, help="draw the keys as files and directories, those without keys as well")
@offline_option
@pass_database
def command(database: DatabaseFile, /, prefix: str, offline: bool, **options: bool | str) -> None:
    """List the keys, sorted; with PREFIX those that begin with it."""
    form = Form(**options)  # type: ignore[arg-type]  # click gives each what its option is declared as
    check_form(form)
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        lines = list_lines(store, prefix, form)
        if not form.null and not form.as_json and streams.output_is_terminal():
            lines = map(escape_controls, lines)
        end = "\0" if form.null else "\n"
        streams.write(f"{line}{end}".encode() for line in lines)


def check_form(form: Form) -> None:
    """Raise ``UsageError`` for options of which each asks for another form."""
    if form.tree and (form.long or form.null):
        raise click.UsageError("--tree goes with neither --long nor --null")
    if form.tree and (form.human or form.as_json or form.order != NAME):
        raise click.UsageError("--tree goes with none of --human-readable, --json and --sort")
    if form.as_json and (form.long or form.human or form.null):
        raise click.UsageError("--json goes with none of --long, --human-readable and --null")


def list_lines(store: Store, prefix: str, form: Form) -> Iterator[str]:
    """Yield what a form shows of the keys that begin with ``prefix``, a line at a time without its end."""
    if form.tree:
        return draw_tree(store, prefix, UNICODE if streams.output_is_unicode() else ASCII)
    if not (form.as_json or form.long or form.human or form.order != NAME):
        return store.keys(prefix)
    entries: Iterable[Entry] = store.entries(prefix)
    if form.order != NAME:
        entries = sorted(entries, key=ORDERS[form.order])
    if form.as_json:
        return format_json(entries)
    if form.long or form.human:
        return (format_entry(entry, human=form.human) for entry in entries)
    return (entry.key for entry in entries)


class Branches(NamedTuple):
    """What leads to a name in a tree that is the last one in its directory, or not; and what to what is below it."""

    last: tuple[str, str]
    other: tuple[str, str]


UNICODE = Branches(("└── ", "    "), ("├── ", "│   "))
ASCII = Branches(("`-- ", "    "), ("|-- ", "|   "))

NAMELESS = '""'
"""How an empty name is shown, as that of ``a/`` in the directory ``a``."""


def draw_tree(store: Store, prefix: str, branches: Branches, indent: str | None = None) -> Iterator[str]:
    """Yield lines with the names below ``prefix``, each beneath the directory that it is in."""
    names = store.level(prefix, directories=True)
    start = len(directory_of(prefix))
    name = next(names, None)
    while name is not None:
        following = next(names, None)
        branch, further = branches.last if following is None else branches.other
        lead = "" if indent is None else indent + branch
        yield lead + (name[start:] or NAMELESS)
        if name.endswith("/") and name != prefix:
            yield from draw_tree(store, name, branches, "" if indent is None else indent + further)
        name = following


def format_entry(entry: Entry, *, human: bool = False) -> str:
    """Return size in bytes, or for ``human`` readers, time to the second where we are, and key."""
    size = f"{format_size(entry.size):>9}" if human else f"{entry.size:>12}"
    return f"{size} {format_local_time(entry.timestamp):<19} {entry.key}"


def format_json(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield the lines of a JSON array with an object for each entry: size in bytes, time of the version in UTC."""
    import json

    last = None
    yield "["
    for entry in entries:
        if last is not None:
            yield f"{last},"
        last = json.dumps(build_object(entry))
    if last is not None:
        yield last
    yield "]"


def build_object(entry: Entry) -> dict[str, object]:
    """Return what programs are told of an entry; the mode is octal and has the type, as ``st_mode``."""
    mode = DEFAULT_MODE if entry.mode is None else entry.mode
    return {"key": entry.key, "size": entry.size, "time": format_utc(entry.timestamp), "mode": f"{mode:o}"}
