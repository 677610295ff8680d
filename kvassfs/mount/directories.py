"""Directories: making, removing and listing them."""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator

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
        """Yield names and attributes of what is in a directory, ``.`` and ``..`` among them."""
        prefix = self._names.prefix(path)
        yield ".", self._find_attributes(path)
        yield "..", self._find_attributes(parent(path))
        found: dict[str, Attributes] = {}
        for component, node, record in self._tree.children(prefix):
            if record is not None:
                found[component] = directory_attributes(record, self._tree.directory_inode(f"{prefix}{component}/"))
            elif node is not None:
                found[component] = file_attributes(node)
        self._add_open(prefix, found)
        if any(paths.is_shortened(component) for component in found):
            names = paths.listed_names(found, in_root=not prefix)
            yield from ((name, found[component]) for name, component in names.items())
        else:
            yield from ((paths.file_name(each, in_root=not prefix), attributes) for each, attributes in found.items())
        if len(prefix) > 1 and self._names.has_value(prefix[:-1]):
            yield paths.VALUE_NAME, self._find_attributes(f"{path}/{paths.VALUE_NAME}")

    def _add_open(self, prefix: str, found: dict[str, Attributes]) -> None:
        """Add what is open in the directory and newer than the store."""
        for file in self._open_files.in_directory(prefix):
            component = file.place.key[len(prefix) :]
            hides_directory = component in found and stat.S_ISDIR(found[component].mode)
            if not file.is_shown_as_stored and not hides_directory:
                found[component] = file.attributes
