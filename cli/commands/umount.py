"""``kvass umount``: end a mount."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from ..database import require_path
from ..group import Command
from ..locations import make_absolute

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def complete_mount(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the directories at which stores are mounted, as a path that goes on as it was begun."""
    from click.shell_completion import CompletionItem

    from kvassfs.mount.mountpoint import KIND, list_mounts

    with contextlib.suppress(OSError):  # the working directory is gone
        directories = dict.fromkeys(mounted.directory for mounted in list_mounts() if mounted.kind == KIND)
        return [CompletionItem(path) for path in paths_to(directories, incomplete, os.getcwd())]
    return []


def paths_to(directories: Iterable[str], beginning: str, here: str) -> Iterator[str]:
    """Yield the paths to ``directories`` that begin with ``beginning``: absolute ones, or from ``here`` where it is none."""
    for directory in directories:
        below = os.path.relpath(directory, here)
        ways = [directory] if not beginning or beginning.startswith("/") else [below, f"./{below}"]
        yield from (way for way in ways if way.startswith(beginning))


@click.command("umount", cls=Command, example="kvass umount ~/kvass")
@click.argument("directory", type=click.Path(readable=False), callback=require_path, shell_complete=complete_mount)
@click.option("--lazy", is_flag=True, help="take it away at once, and end when nothing in it is open any more")
def command(directory: str, lazy: bool) -> None:
    """Write what is still open in the mount at DIRECTORY, and end it."""
    from kvassfs.mount.mountpoint import unmount

    unmount(make_absolute(directory), lazy=lazy)
