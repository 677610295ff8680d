"""``mount.fuse.kvassfs``: what mount(8) calls for a line of fstab(5), and for ``mount -t fuse.kvassfs``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from kvassfs.errors import KvassError, StoreUnavailable
from kvassfs.mount.fstab import Request, parse_request

from . import process
from .file_limit import allow_enough_files
from .locations import make_absolute
from .notices import print_notice

BINDING = "KVASS_FUSE"

MISUSED, FAILED = 1, 32
"""Exit statuses of mount(8)."""


def main() -> NoReturn:
    """Mount as the arguments of this process say, and end it."""
    process.occupy_closed()
    process.forbid_core_dumps()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Mount as ``arguments`` say; return the exit status. What fails is one line on standard error."""
    status = MISUSED
    try:
        request = parse_request(arguments)
        status = FAILED
        allow_enough_files()
        if not request.pretended:
            _mount(request)
    except KvassError as error:
        print_notice(str(error))
        return status
    return 0


def _mount(request: Request) -> None:
    from kvassfs.mount.run import MountOptions, mount

    from .dot_texts import TEXTS

    database = make_absolute(request.database)
    if not os.path.exists(database):  # a typing error in fstab makes no database
        raise StoreUnavailable(database, "it does not exist (`kvass set` makes one)")
    mount(
        MountOptions(
            directory=make_absolute(request.directory),
            database=database,
            read_only=request.read_only,
            allow_other=request.allow_other,
            binding=os.environ.get(BINDING) or "auto",
            log=request.log,
            flags=tuple(request.flags),
            texts=TEXTS,
        ),
        notice=print_notice,
    )


if __name__ == "__main__":
    main()
