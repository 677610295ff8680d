"""``kvass fetch``: get what an address of a sealed store leads to."""

from __future__ import annotations

from contextlib import closing

import click

from kvassfs.transfer.target import new_file

from .. import streams
from ..arguments import parse_text
from ..database import require_path
from ..group import Command

_LINE = 4096  # bytes read at most of a line that should hold an address


def _require_file(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    return None if path is None else require_path(context, parameter, path)


@click.command(
    "fetch",
    cls=Command,
    example="""
kvass fetch 'https://example.org/open#TOKEN.KEY' report.pdf
echo "$ADDRESS" | kvass fetch --force - report.pdf
""",
)
@click.argument("address", metavar="ADDRESS|-", type=parse_text)
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(readable=False), callback=_require_file)
@click.option("--force", is_flag=True, help="replace FILE if it is there")
def command(address: str, file: str | None, force: bool) -> None:
    """Write what an ADDRESS of a sealed store leads to into the new FILE, or to standard output.

    ADDRESS is what `kvass url` prints there, in quotes, and no store is needed here. With - it is read from standard input, so that
    it stays out of the shell's history. A link that works once is used up.
    """
    from kvassfs.remote.http import HttpRemote, TimeLimits
    from kvassfs.sharing.fetching import fetch, split_address

    hub, found = split_address(read_address() if address == "-" else address)
    with closing(HttpRemote(hub, TimeLimits())) as remote:
        fetched = fetch(found, remote.download)
    if file is None:
        streams.write(fetched.pieces)
        return
    with new_file(file, force=force) as path, open(path, "wb") as target:
        target.writelines(fetched.pieces)


def read_address() -> str:
    """Return the address that is the first line of standard input."""
    with streams.standard_input() as stream:
        return stream.readline(_LINE).decode("utf-8", "replace").strip()
