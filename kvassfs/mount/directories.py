"""Directories: making, removing and listing them."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from .. import paths
from ..store import Tree
from .namespace import Namespace, make_error, parent
from .open_files import OpenFiles
from .stat import Attributes, directory_attributes, file_attributes


class Directories:
    """Makes, removes and lists directories.

    ``is_scratch`` tells keys that stay on this machine, ``find_attributes`` returns the attributes at a path.
    """

    def __init__(
        self,
        tree: Tree,
        names: Namespace,
        open_files: OpenFiles,
        is_scratch: Callable[[str], bool],
        find_attributes: Callable[[str], Attributes],
    ) -> None:
        self._tree = tree
        self._names = names
        self._open_files = open_files
        self._is_scratch = is_scratch
        self._find_attributes = find_attributes

    def mkdir(self, path: str, mode: int) -> None:
        """Make a directory; the set-group-ID bit is that of the one above, as inode(7) says."""
        if path == "/":
            raise make_error(errno.EEXIST, path)
        key = self._names.locate_free(path, directory=True)
        above = self._tree.directory(self._names.prefix(parent(path)))
        inherited = 0 if above is None else above.mode & stat.S_ISGID
        permissions = stat.S_IMODE(mode) | inherited
        self._tree.directories.make(f"{key}/", stat.S_IFDIR | permissions, is_scratch=self._is_scratch)

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        prefix = self._names.prefix(path)
        if not prefix:
            raise make_error(errno.EBUSY, path)
        if not self._names.is_empty(prefix):
            raise make_error(errno.ENOTEMPTY, path)
        self._tree.directories.remove(prefix, is_scratch=self._is_scratch)

    def list(self, path: str) -> Iterator[tuple[str, Attributes]]:
        """Yield names and attributes of what is in a directory, ``.`` and ``..`` first.

        Others may be served before the last one: what is there all the time is among them.
        """
        prefix = self._names.prefix(path)
        in_root = not prefix
        yield ".", self._find_attributes(path)
        yield "..", self._find_attributes(parent(path))
        opened = {file.place.key[len(prefix) :]: file for file in self._open_files.in_directory(prefix)}
        shortened: list[str] = []
        for component, node, record in self._tree.children(prefix):
            file = opened.pop(component, None) if opened else None
            if paths.is_shortened(component):
                shortened.append(component)
            elif record is not None:
                inode = self._tree.directory_inode(f"{prefix}{component}/")
                yield paths.file_name(component, in_root=in_root), directory_attributes(record, inode)
            elif file is not None and not file.is_shown_as_stored:
                yield paths.file_name(component, in_root=in_root), file.attributes
            elif node is not None:
                yield paths.file_name(component, in_root=in_root), file_attributes(node)
        yield from self._look_up(path, (self._find_name(prefix, each) for each in (*shortened, *opened)))
        if len(prefix) > 1:
            yield from self._look_up(path, [paths.VALUE_NAME])

    def _find_name(self, prefix: str, component: str) -> str:
        """Return the name of a component, which may be shown as another one's shortened form."""
        siblings = {component}
        if paths.is_shortened(component):
            siblings.update(self._tree.siblings(prefix, paths.search_prefix(component)))
        return paths.listed_name(component, siblings, in_root=not prefix)

    def _look_up(self, path: str, names: Iterable[str]) -> Iterator[tuple[str, Attributes]]:
        """Yield those of the names in a directory that are there, with their attributes."""
        for name in names:
            with suppress(FileNotFoundError, NotADirectoryError):
                yield name, self._find_attributes(f"{path.rstrip('/')}/{name}")
