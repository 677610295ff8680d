"""``kvass set``: set a value from the command line, from a file or from standard input."""

from __future__ import annotations

import click

from ..arguments import complete_key, parse_key
from ..database import DatabaseFile, pass_database, require_path
from ..group import Command
from ..offline import offline_option
from ..setting import STANDARD_INPUT, end_set, set_key


def _require_file(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    return None if path is None else require_path(context, parameter, path)


@click.command(
    "set",
    cls=Command,
    options_metavar="[OPTIONS] [--]",
    example="""
kvass set todo 'buy milk'
date | kvass set last/backup
kvass set photos/cat.jpg --file cat.jpg
""",
)
@click.argument("key", type=parse_key, shell_complete=complete_key)
@click.argument("value", required=False)
@click.option("--empty", is_flag=True, help="make an empty file of KEY")
@click.option(
    "--file",
    metavar="PATH",
    type=click.Path(readable=False),
    callback=_require_file,
    help="set KEY to what the file holds; - is standard input",
)
@offline_option
@pass_database
def command(database: DatabaseFile, key: str, value: str | None, empty: bool, file: str | None, offline: bool) -> None:
    """Set KEY to VALUE and a newline, or to what standard input or a file holds, byte for byte.

    So an empty VALUE is stored as a newline. An empty input is refused: kvass rm deletes.
    Put -- before a KEY or VALUE that begins with a dash.
    """
    if (value is not None) + empty + (file is not None) > 1:
        raise click.UsageError("a VALUE, --empty and --file exclude each other.")
    with database.open() as store:
        if empty:
            end_set(store, store.set_empty(key), offline=offline)
        else:
            set_key(store, key, value, STANDARD_INPUT if file is None else file, offline=offline)
