"""Scratch names: files that programs keep beside the one they edit, which stay on this machine.

Only names that no person would choose are told by their name. What matches names that people do choose
(``4913``, ``sedXXXXXX``, ``tmpXXXXXXXX``, ``FILE.XXXXXX``, ``*.lock``, ``*.bak``) is not: such a file is
told by its behaviour, being renamed or removed soon after it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fnmatch import translate

from .errors import InvalidConfiguration

TRASH_PATTERNS: tuple[str, ...] = (
    # freedesktop.org: of all users of a disk, of one user; macOS; Windows, on a shared disk
    ".Trash",
    ".Trash-[0-9]*",
    ".Trashes",
    "$RECYCLE.BIN",
)
"""Those of the patterns below that tell a trash, where desktops keep what was thrown away until it is restored."""

DEFAULT_PATTERNS: tuple[str, ...] = (
    # vim: swap file, also of a buffer without a name, and the probe for it (nano's lock too); persistent undo
    ".*.sw?",
    ".*.swpx",
    ".sw[nop]",
    ".swpx",
    ".*.un~",
    # vim, emacs, nano, GLib: backups, single and numbered. Not "~" alone: people call a home directory so.
    "?*~",
    "*.~[0-9]*~",
    # locks and autosaves of emacs
    ".#*",
    "#*#",
    # GLib (gedit, mousepad): the new version before it is renamed. Kate: swap file.
    ".goutputstream-*",
    ".*.kate-swp",
    # rsync --delay-updates: the directory of new versions
    ".~tmp~",
    # git: an object before it is renamed (the random part of mkstemp)
    "tmp_obj_??????",
    # LibreOffice: lock; the new version, "lu" and a process id ("lu*" alone would match lunch.tmp)
    ".~lock.*#",
    "lu[0-9]*.tmp",
    # Microsoft Office: lock and temporary files
    "~$*",
    "~*.tmp",
    # VS Code; JetBrains: the new and the old version
    "*.vsctmp",
    "*___jb_tmp___",
    "*___jb_old___",
    # SQLite: the index of the write-ahead log, shared memory that is rebuilt after a crash. DB-journal and
    # DB-wal are keys like DB itself: they hold part of the database (a transaction is lost or torn without
    # them), so they must survive a crash as it does and go wherever it goes; and people do call things
    # "travel-journal".
    "*-shm",
    *TRASH_PATTERNS,
    # macOS: resource forks, Finder, indexes of a volume, the new version in a safe save
    "._*",
    ".DS_Store",
    ".fseventsd",
    ".Spotlight-V100",
    ".TemporaryItems",
    "*.sb-????????-??????",
    # libfuse and NFS: a file that was removed while open
    ".fuse_hidden*",
    ".nfs*",
)
"""Patterns as of `fnmatch.fnmatchcase`, each for a component of a key."""

_IN_NO_NAME = re.compile("[/\0\ud800-\udfff]")
# A set of one, as in "[*]", is how fnmatch writes a character literally: that is fixed.
_NOTHING_FIXED = re.compile(r"(?x) (?: [*?] | \[ (?! [^!]\] ) !?+ \]?+ [^\]]* \] )*")


class ScratchNames:
    """Tells scratch names from keys. Immutable, so any thread may ask."""

    def __init__(self, patterns: Sequence[str] | None = None) -> None:
        """Take patterns as of fnmatchcase, by default ours; an empty list means that every name is a key.

        Raises InvalidConfiguration for one that `check_pattern` refuses.
        """
        if patterns is None:
            patterns = DEFAULT_PATTERNS
        for pattern in patterns:
            check_pattern(pattern)
        self.patterns = tuple(patterns)
        self._match = _matcher(patterns)
        self._match_trash = _matcher([pattern for pattern in patterns if pattern in TRASH_PATTERNS])

    def matches(self, key: str) -> bool:
        """Tell whether any component of the key is a scratch name."""
        return any(map(self._match, key.split("/")))

    def in_trash(self, key: str) -> bool:
        """Tell whether a key is that of a file in a trash, which is a scratch file then."""
        return any(map(self._match_trash, key.split("/")))


def _matcher(patterns: Sequence[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile("|".join(map(translate, patterns)) or "(?!)").match


def check_pattern(pattern: str) -> None:
    """Refuse a pattern that could match no component, or every one: raise InvalidConfiguration."""
    if not pattern:
        raise InvalidConfiguration("a scratch pattern cannot be empty")
    if _IN_NO_NAME.search(pattern):
        raise InvalidConfiguration(
            f"the scratch pattern {pattern!r} matches no name: leave out '/', NUL and what is not UTF-8"
        )
    if _NOTHING_FIXED.fullmatch(pattern):
        raise InvalidConfiguration(
            f"the scratch pattern {pattern!r} would match names of every kind: give it a fixed character"
        )
