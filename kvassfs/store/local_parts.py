"""What stays on this machine, in one hand: the parts that change together when files and directories do."""

from __future__ import annotations

from ..tuples import NamedTuple
from .inodes import DirectoryInodes
from .local import Directories, Scratch
from .xattrs import Xattrs


class LocalParts(NamedTuple):
    """The parts of a store that other devices know nothing of."""

    directories: Directories
    scratch: Scratch
    xattrs: Xattrs
    inodes: DirectoryInodes
