"""Renaming and removing files and directories; by a rename libfuse also removes what is open."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable

from ..store import Bearer, Node, Store
from .namespace import HIDDEN, Namespace, last_name, make_error, parent
from .open_files import OpenFiles
from .openfile import OpenFile, Standing

NOREPLACE = 1
SWAP = 2
"""Flags of renameat2(2): the second one is RENAME_EXCHANGE."""

_HIDDEN = re.compile(rf"{re.escape(HIDDEN)}[0-9a-f]{{16}}")
"""The names that libfuse makes itself: of the number of a node, and one that it counts."""


def make_superseded_prefix(random: Callable[[int], bytes] = os.urandom) -> str:
    """Return how names begin that mean nothing to anybody else: nobody can guess it.

    By renaming an open file to such a name ``Invalidation`` says that another process changed its key, so that the
    kernel keeps the version that was opened apart from the new one.
    """
    return f"{HIDDEN}_{random(16).hex()}_"


class Renaming:
    """Renames and removes in the store and among the open files.

    ``is_scratch`` tells keys that stay on this machine, ``in_trash`` those in the trash among them, ``save`` stores what was written to an open file, and
    ``superseded`` is what ``make_superseded_prefix`` returned.
    """

    def __init__(
        self,
        store: Store,
        names: Namespace,
        open_files: OpenFiles,
        *,
        is_scratch: Callable[[str], bool],
        in_trash: Callable[[str], bool],
        save: Callable[[OpenFile], None],
        superseded: str,
    ) -> None:
        self._store = store
        self._tree = store.tree
        self._names = names
        self._open_files = open_files
        self._is_scratch = is_scratch
        self._in_trash = in_trash
        self._save = save
        self._superseded = superseded

    def unlink(self, path: str) -> None:
        """Remove a file."""
        if self._open_files.hidden(path) is not None:
            self._open_files.unhide(path)
            return
        if self._names.is_directory(path):
            raise make_error(errno.EISDIR, path)
        key, _ = self._names.locate(path)
        # One that is open but not saved yet may have taken the name of one that is stored.
        if key not in self._open_files or self._tree.file(key) is not None:
            self._tree.unlink(self._names.file(path), is_scratch=self._is_scratch)
        self._open_files.detach(key)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a file or a directory; ``flags`` as in renameat2(2)."""
        if flags not in (0, NOREPLACE, SWAP):
            raise make_error(errno.EINVAL, old)
        if last_name(new).startswith(self._superseded):
            self._set_apart(old, new)
        elif self._is_hiding(old, new):
            self._hide(old, new)
        elif flags == SWAP:
            self._swap(old, new)
        elif self._names.is_directory(old):
            self._rename_directory(old, new, flags)
        else:
            self._rename_file(old, new, flags)

    # Hiding

    def _is_hiding(self, old: str, new: str) -> bool:
        """Whether libfuse hides a file that is open: by a name of its own, in the same directory."""
        if parent(old) != parent(new) or not _HIDDEN.fullmatch(last_name(new)) or self._names.is_directory(old):
            return False
        return self._open_files.get(self._names.locate(old)[0]) is not None

    def _hide(self, old: str, new: str) -> None:
        """Remove a file that is open, as libfuse asks for it: by a name to find it under."""
        key = self._names.locate(old)[0]
        file, xattrs = self._open_files.get(key), self._store.xattrs.of(Bearer(key))
        self.unlink(old)
        if file is not None:
            file.xattrs = xattrs if file.xattrs is None else file.xattrs
            self._open_files.hide(file, new)

    def _set_apart(self, old: str, new: str) -> None:
        """Hide a file that is open in another version than is stored."""
        key, _ = self._names.locate(old)
        file = self._open_files.get(key)
        if file is None or file.is_current():
            raise make_error(errno.EBUSY, old)
        self._open_files.detach(key, Standing.SUPERSEDED)
        self._tree.renumber(key)
        self._open_files.hide(file, new)

    # Files

    def _rename_file(self, old: str, new: str, flags: int) -> None:
        old_key, _ = self._names.locate(old)
        node = self._stored_node(old, self._open_files.get(old_key))
        new_key = self._locate_target(new, flags)
        if old_key == new_key:
            return
        moved = None
        if node is not None:
            thrown_away = self._in_trash(new_key)
            moved = self._tree.rename(node, new_key, is_scratch=self._is_scratch, thrown_away=thrown_away)
        self._open_files.rename(old_key, new_key, moved)

    def _stored_node(self, path: str, file: OpenFile | None) -> Node | None:
        """Return the file in the store at ``path``, where at most the open file ``file`` may be instead."""
        return self._names.file(path) if file is None or file.is_stored else None

    def _locate_target(self, path: str, flags: int) -> str:
        """Return the key to rename a file to."""
        key, is_value = self._names.locate_new(path)
        is_directory = not is_value and self._names.directory(key) is not None
        if flags == NOREPLACE and (is_directory or self._names.has_value(key)):
            raise make_error(errno.EEXIST, path)
        if is_directory:
            raise make_error(errno.EISDIR, path)
        return key

    # Swapping

    def _swap(self, one: str, other: str) -> None:
        """Swap two names, whatever they are."""
        for path in (one, other):
            if not self._names.is_directory(path) and self._names.open_file(path) is None:
                self._names.file(path)
        if one == other:
            return
        if (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/"):
            raise make_error(errno.EINVAL, one)
        if self._names.is_directory(one) or self._names.is_directory(other):
            self._swap_trees(one, other)
        else:
            self._swap_files(one, other)

    def _swap_trees(self, one: str, other: str) -> None:
        """Swap two names of which one or both are directories."""
        (key, is_value), (other_key, is_other_value) = self._names.locate(one), self._names.locate(other)
        # The value of a directory is no tree, and "" is no key.
        nameless = "" in (key, other_key) and any(map(self._names.has_value, filter(None, (key, other_key))))
        if is_value or is_other_value or nameless:
            raise make_error(errno.EINVAL, one)
        with self._open_files.undone_on_failure(), self._tree.transaction:
            self._tree.swap_trees(key, other_key, is_scratch=self._is_scratch)
            self._open_files.swap_trees(key, other_key, self._tree.file)
            self._open_files.swap_hidden(one, other)

    def _swap_files(self, one: str, other: str) -> None:
        for path in (one, other):
            file = self._open_files.get(self._names.locate(path)[0])
            if file is not None:
                self._save(file)
        node, other_node = self._names.file(one), self._names.file(other)
        self._tree.swap(node, other_node, is_scratch=self._is_scratch)
        self._open_files.swap(node.key, other_node.key, self._tree.file)

    # Directories

    def _rename_directory(self, old: str, new: str, flags: int) -> None:
        old_prefix = self._names.prefix(old)
        if not old_prefix:
            raise make_error(errno.EBUSY, old)
        key, _ = self._names.locate_new(new, directory=True)
        new_prefix = key + "/"
        if new_prefix == old_prefix:
            return
        nameless = new_prefix == "/" and self._names.has_value(old_prefix[:-1])  # "" is no key
        if new_prefix.startswith(old_prefix) or nameless:
            raise make_error(errno.EINVAL, new)
        self._check_directory_target(new, new_prefix, flags)
        self._tree.rename_directory(
            old_prefix, new_prefix, is_scratch=self._is_scratch, thrown_away=self._in_trash(new_prefix)
        )
        self._open_files.rename_directory(old_prefix, new_prefix, self._tree.file)
        self._open_files.rename_hidden(old, new)

    def _check_directory_target(self, path: str, prefix: str, flags: int) -> None:
        is_directory = self._tree.directory(prefix) is not None
        has_value = self._names.has_value(prefix[:-1])
        if (is_directory or has_value) and flags == NOREPLACE:
            raise make_error(errno.EEXIST, path)
        if has_value and not is_directory:
            raise make_error(errno.ENOTDIR, path)
        if is_directory and (has_value or not self._names.is_empty(prefix)):
            raise make_error(errno.ENOTEMPTY, path)
