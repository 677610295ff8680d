"""``kvass mount``: show the keys as files in a directory."""

from __future__ import annotations

import os

import click

from .. import hub
from ..completions import complete_folder
from ..database import DatabaseFile, pass_database, require_path
from ..group import Command
from ..locations import make_absolute
from ..notices import print_notice
from ..offline import is_offline
from ..supervision import take_supervisor

BINDING = "KVASS_FUSE"


@click.command("mount", cls=Command, example="kvass mount ~/kvass")
@click.argument("directory", type=click.Path(readable=False), callback=require_path, shell_complete=complete_folder)
@click.option("--foreground", is_flag=True, help="serve the mount here, until an interrupt or `kvass umount`")
@click.option("--read-only", is_flag=True, help="allow no change through the mount")
@click.option("--allow-other", is_flag=True, help="let other users in, as far as the files' modes allow")
@click.option(
    "--log",
    metavar="FILE",
    type=click.Path(readable=False),
    help="add messages to FILE, not to standard error or nowhere",
)
@pass_database
def command(
    database: DatabaseFile, directory: str, foreground: bool, read_only: bool, allow_other: bool, log: str | None
) -> None:
    """Show the keys as files in DIRECTORY, which is made if it is missing and must be empty.

    Return when the mount answers, with a warning if the hub refuses this device or is out of reach; `kvass umount DIRECTORY` ends it.
    """
    from kvassfs.mount.run import MountOptions, mount

    from ..dot_texts import TEXTS

    mount(
        MountOptions(
            directory=make_absolute(directory),
            database=database.path,
            create=True,
            foreground=foreground,
            read_only=read_only,
            allow_other=allow_other,
            binding=os.environ.get(BINDING) or "auto",
            log=log and make_absolute(log),
            texts=TEXTS,
        ),
        notice=print_notice,
        supervisor=take_supervisor(),
    )
    if not foreground:
        hub.check(database, offline=is_offline())
