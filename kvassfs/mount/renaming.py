"""Renaming files and directories, which is also how libfuse removes what is open."""

from __future__ import annotations

import errno
from collections.abc import Callable

from ..store import Tree
from .namespace import HIDDEN, Namespace, failure, last_name
from .openfile import OpenFile

NOREPLACE = 1
EXCHANGE = 2
"""Flags of renameat2(2)."""

SUPERSEDED = ".fuse_hidden_superseded"
"""How ``Watcher`` begins the name to which it renames an open file whose key another process changed, so
that the kernel keeps the version that was opened apart from the new one."""

EXCHANGED = ".kvass_exchange"
"""Ends the name that a directory has for a moment, inside one transaction, while two exchange theirs."""


class Renaming:
    """Renames in the store and among the open files.

    ``is_scratch`` tells keys that stay on this machine, ``unlink`` removes the file at a path, ``save``
    stores what was written to an open file.
    """

    def __init__(
        self,
        tree: Tree,
        namespace: Namespace,
        *,
        is_scratch: Callable[[str], bool],
        unlink: Callable[[str], None],
        save: Callable[[OpenFile], None],
    ) -> None:
        self._tree = tree
        self._names = namespace
        self._is_scratch = is_scratch
        self._unlink = unlink
        self._save = save

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        """Rename a file or a directory; ``flags`` as in renameat2(2)."""
        if flags not in (0, NOREPLACE, EXCHANGE):
            raise failure(errno.EINVAL, old)
        if last_name(new).startswith(HIDDEN):
            self._hide(old, new)
        elif flags == EXCHANGE:
            self._exchange(old, new)
        elif self._names.is_directory(old):
            self._rename_directory(old, new, flags)
        else:
            self._rename_file(old, new, flags)

    def _hide(self, old: str, new: str) -> None:
        """Remove a file that is open, as libfuse asks for it: by a name to find it under."""
        key, _ = self._names.locate(old)
        file = self._names.files.get(key)
        if not last_name(new).startswith(SUPERSEDED):
            self._unlink(old)
        elif file is None or self._names.is_current(file):
            raise failure(errno.EBUSY, old)
        else:
            self._names.detach(key)
            file.superseded = key
        if file is not None:
            self._names.hidden[new] = file

    def _rename_file(self, old: str, new: str, flags: int) -> None:
        old_key, _ = self._names.locate(old)
        file = self._names.files.get(old_key)
        node = self._names.file(old) if file is None or file.stored else None
        new_key, target_exists = self._target(new, flags)
        if old_key == new_key:
            return
        if target_exists:
            self._names.detach(new_key)
        moved = None
        if node is not None:
            moved = self._tree.rename(node, new_key, scratch=self._is_scratch(new_key))
        if file is not None:
            del self._names.files[old_key]
            file.moved(new_key, moved)
            self._names.files[new_key] = file

    def _target(self, path: str, flags: int) -> tuple[str, bool]:
        """Return the key to rename a file to, and whether it is there already."""
        key, is_value = self._names.locate_new(path)
        is_directory = not is_value and self._names.directory(key) is not None
        exists = is_directory or self._names.has_value(key)
        if exists and flags == NOREPLACE:
            raise failure(errno.EEXIST, path)
        if is_directory:
            raise failure(errno.EISDIR, path)
        return key, exists

    def _exchange(self, one: str, other: str) -> None:
        """Exchange two names, whatever they are."""
        for path in (one, other):
            if not self._names.is_directory(path) and self._names.open_file(path) is None:
                self._names.file(path)
        if one == other:
            return
        if (one + "/").startswith(other + "/") or (other + "/").startswith(one + "/"):
            raise failure(errno.EINVAL, one)
        if self._names.is_directory(one) or self._names.is_directory(other):
            aside = f"{one}{EXCHANGED}"
            with self._names.undone_on_failure(), self._tree.transaction:
                self.rename(one, aside)
                self.rename(other, one)
                self.rename(aside, other)
        else:
            self._exchange_files(one, other)

    def _exchange_files(self, one: str, other: str) -> None:
        for path in (one, other):
            file = self._names.files.get(self._names.locate(path)[0])
            if file is not None:
                self._save(file)
        node, other_node = self._names.file(one), self._names.file(other)
        self._tree.swap(node, other_node, is_scratch=self._is_scratch)
        files = {key: self._names.files.pop(key, None) for key in (node.key, other_node.key)}
        for key, file in ((other_node.key, files[node.key]), (node.key, files[other_node.key])):
            if file is not None:
                file.moved(key, self._tree.file(key))
                self._names.files[key] = file

    def _rename_directory(self, old: str, new: str, flags: int) -> None:
        old_prefix = self._names.prefix(old)
        if not old_prefix:
            raise failure(errno.EBUSY, old)
        key, _ = self._names.locate_new(new, directory=True)
        new_prefix = key + "/"
        if new_prefix == old_prefix:
            return
        nameless = new_prefix == "/" and self._names.has_value(old_prefix[:-1])  # "" is no key
        if new_prefix.startswith(old_prefix) or nameless:
            raise failure(errno.EINVAL, new)
        self._check_directory_target(new, new_prefix, flags)
        self._tree.rename_directory(old_prefix, new_prefix, is_scratch=self._is_scratch)
        self._move_open(old_prefix, new_prefix)
        for path in [path for path in self._names.hidden if path.startswith(old + "/")]:
            self._names.hidden[new + path[len(old) :]] = self._names.hidden.pop(path)

    def _check_directory_target(self, path: str, prefix: str, flags: int) -> None:
        is_directory = self._tree.directory(prefix) is not None
        has_value = self._names.has_value(prefix[:-1])
        if (is_directory or has_value) and flags == NOREPLACE:
            raise failure(errno.EEXIST, path)
        if has_value and not is_directory:
            raise failure(errno.ENOTDIR, path)
        if is_directory and (has_value or not self._names.is_empty(prefix)):
            raise failure(errno.ENOTEMPTY, path)

    def _move_open(self, old: str, new: str) -> None:
        """Go on with the files open below a directory that was renamed."""
        for key in [key for key in self._names.files if key.startswith(old) or key == old[:-1]]:
            file = self._names.files.pop(key)
            moved = new[:-1] if key == old[:-1] else new + key[len(old) :]
            file.moved(moved, self._tree.file(moved) if file.stored else None)
            self._names.files[moved] = file
