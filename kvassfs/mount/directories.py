"""Directories: making, removing and listing them."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from .. import paths
from ..store import Child, Tree
from .namespace import Namespace, make_error, parent
from .open_files import OpenFiles
from .openfile import OpenFile
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
        yield ".", self._find_attributes(path)
        yield "..", self._find_attributes(parent(path))
        opened = {file.place.key[len(prefix) :]: file for file in self._open_files.in_directory(prefix)}
        shortened: list[str] = []
        for child in self._tree.children(prefix):
            file = opened.pop(child.component, None) if opened else None
            if paths.is_shortened(child.component):
                shortened.append(child.component)
            else:
                yield paths.file_name(child.component, in_root=not prefix), self._describe(prefix, child, file)
        yield from self._look_up(path, (self._find_name(prefix, each) for each in (*shortened, *opened)))
        if len(prefix) > 1:
            yield from self._look_up(path, [paths.VALUE_NAME])

    def _describe(self, prefix: str, child: Child, file: OpenFile | None) -> Attributes:
        """Return the attributes of what is listed, of which ``file`` may be open and newer than the store."""
        if child.directory is not None:
            return directory_attributes(child.directory, self._tree.directory_inode(f"{prefix}{child.component}/"))
        if file is not None and not file.is_shown_as_stored:
            return file.attributes
        assert child.node is not None, "what is no directory is a file"
        return file_attributes(child.node)

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
