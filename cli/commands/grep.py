"""``kvass grep``: search values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import click

from kvassfs.errors import KvassError
from kvassfs.tools.grep import COUNTS, KEYS, LINES, Found, search
from kvassfs.tools.patterns import BASIC, EXTENDED, FIXED, compile_pattern

from .. import hub, streams
from ..arguments import complete_key, parse_text
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import escape_controls, print_notice
from ..offline import offline_option

NOTHING_FOUND = 1
FAILED = 2
"""The exit statuses of grep(1)."""


class Query(NamedTuple):
    """What is to be found and shown, as the options say."""

    ignore_case: bool = False
    names: bool = False
    counts: bool = False
    numbers: bool = False
    invert: bool = False
    extended: bool = False
    fixed: bool = False
    null: bool = False

    @property
    def kind(self) -> str:
        """The kind of the pattern."""
        return FIXED if self.fixed else EXTENDED if self.extended else BASIC

    @property
    def form(self) -> str:
        """What is found of each key."""
        return KEYS if self.names else COUNTS if self.counts else LINES


@click.command(
    "grep",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass grep -i 'to-\\?do' notes/
kvass grep -n -F milk
""",
)
@click.argument("pattern", type=parse_text)
@click.argument("prefix", default="", type=parse_text, shell_complete=complete_key)
@click.option("-i", "--ignore-case", is_flag=True, help="take upper and lower case for the same")
@click.option("-l", "--files-with-matches", "names", is_flag=True, help="print only the keys")
@click.option("-c", "--count", "counts", is_flag=True, help="print how many lines match, for every key")
@click.option("-n", "--line-number", "numbers", is_flag=True, help="print the numbers of the lines as well")
@click.option("-v", "--invert-match", "invert", is_flag=True, help="find the lines that do not match")
@click.option("-E", "--extended-regexp", "extended", is_flag=True, help="PATTERN is an extended regular expression")
@click.option("-F", "--fixed-strings", "fixed", is_flag=True, help="PATTERN is what to find, as it is")
@click.option("-0", "--null", is_flag=True, help="with -l, end keys with NUL (xargs -0)")
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile, context: click.Context, /, pattern: str, prefix: str, offline: bool, **options: bool
) -> None:
    """Print the lines of values that match PATTERN, as grep -r does; with PREFIX those of keys that begin with it.

    PATTERN is a basic regular expression. The exit status is 0 if something was found, 1 if not, 2 for an error.
    """
    query = Query(**options)
    check_query(query)
    try:
        compiled = compile_pattern(pattern, kind=query.kind, ignore_case=query.ignore_case)
        with database.open_existing() as store:
            hub.pull_first(store, offline=offline)
            any_found = print_found(search(store, prefix, compiled, invert=query.invert, form=query.form), query)
    except streams.OutputClosed:
        raise
    except KvassError as error:
        print_notice(str(error))
        context.exit(FAILED)
    context.exit(0 if any_found else NOTHING_FOUND)


def check_query(query: Query) -> None:
    """Raise ``UsageError`` for options that mean nothing together."""
    if query.extended and query.fixed:
        raise click.UsageError("-E and -F exclude each other.")
    if query.null and not query.names:
        raise click.UsageError("--null goes with -l alone.")


def print_found(results: Iterator[Found], query: Query) -> bool:
    """Print what was found; return whether anything was."""
    escapes = streams.output_is_terminal() and not query.null
    any_found = False

    def format_all() -> Iterator[bytes]:
        nonlocal any_found
        for found in results:
            any_found |= query.form != COUNTS or found.number > 0
            name = escape_controls(found.key) if escapes else found.key
            yield format_found(found, name.encode(), query)

    streams.write(format_all())
    return any_found


def format_found(found: Found, name: bytes, query: Query) -> bytes:
    """Return the line that tells of a find under the key that is shown as ``name``."""
    if query.form == KEYS:
        return name + (b"\0" if query.null else b"\n")
    if query.form == COUNTS:
        return b"%s:%d\n" % (name, found.number)
    if found.line is None:
        return b"kvass: %s: binary value matches\n" % name
    number = b"%d:" % found.number if query.numbers else b""
    return b"%s:%s%s\n" % (name, number, found.line)
