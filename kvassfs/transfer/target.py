"""A file that is written under another name and gets its own when it is complete, readable by its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from ..store import COMPANIONS, flush
from ..transfer_errors import TargetExists, TargetUnwritable

FileId = tuple[int, int]
"""Device and inode of a file."""


def identify_database(path: str) -> set[FileId]:
    """Return which files are those of the database at ``path``: nothing else may open or replace them."""
    found = set()
    for companion in COMPANIONS:
        with suppress(OSError):
            status = os.stat(path + companion)
            found.add((status.st_dev, status.st_ino))
    return found


@contextmanager
def new_file(
    name: str,
    *,
    force: bool,
    never_replace: Collection[FileId] = (),
    random: Callable[[int], bytes] = os.urandom,
) -> Iterator[str]:
    """``with`` the path of an empty file of mode 0600 that becomes the file ``name`` at the end, on the disk.

    If the block fails, nothing is left of it, and what is at ``name`` is as it was. ``random(n)`` returns n random bytes.

    Raises:
        TargetExists: there is a file, and ``force`` does not replace it.
        TargetUnwritable
    """
    path = os.path.realpath(name)
    _check(name, path, force=force, never_replace=never_replace)
    temporary = os.path.join(os.path.dirname(path), f".kvass-{random(8).hex()}")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        yield temporary
        _put_in_place(temporary, path, name, force=force)
    except OSError as error:
        raise TargetUnwritable(name, (error.strerror or str(error)).lower()) from error
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _check(name: str, path: str, *, force: bool, never_replace: Collection[FileId]) -> None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise TargetUnwritable(name, (error.strerror or str(error)).lower()) from error
    if (status.st_dev, status.st_ino) in never_replace:
        raise TargetUnwritable(name, "it is the database itself")
    if not stat.S_ISREG(status.st_mode):
        raise TargetUnwritable(name, "it is no regular file")
    if not force:
        raise TargetExists(name)


def _put_in_place(temporary: str, path: str, name: str, *, force: bool) -> None:
    flush(temporary)
    if force:
        os.replace(temporary, path)
    else:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise TargetExists(name) from None
        except OSError:  # a file system without hard links
            os.rename(temporary, path)
    flush(os.path.dirname(path))
