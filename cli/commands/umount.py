"""``kvass umount``: end a mount."""

from __future__ import annotations

import click

from ..database import make_absolute, require_path
from ..group import Command


@click.command("umount", cls=Command)
@click.argument("directory", type=click.Path(readable=False), callback=require_path)
@click.option("--lazy", is_flag=True, help="take it away at once, and end when nothing in it is open any more")
def command(directory: str, lazy: bool) -> None:
    """Write what is still open in the mount at DIRECTORY, and end it."""
    from kvassfs.mount.mountpoint import unmount

    unmount(make_absolute(directory), lazy=lazy)
