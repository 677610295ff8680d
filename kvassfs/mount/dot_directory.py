"""The dot directory, ``.kvass/`` in the root of a mount: what was, and how things stand. Nothing in it can be changed.

It is found by its name alone, since the root does not list it: what walks through all files does not meet it. `dot_paths`
says what is where.
"""

from __future__ import annotations

import errno
import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from ..entry import DEFAULT_MODE
from ..errors import KeyMissing, RevisionMissing
from ..paths import VALUE_NAME, InvalidName, listed_names
from ..store import DIRECTORY_MODE, Draft, Store, Version, new_inode
from .dot_paths import DELETED, HISTORY, name_version, split_dotted
from .namespace import find_prefix, make_error, parent, read_target
from .open_files import OpenFiles
from .openfile import OpenFile
from .stat import Attributes

DOT_MODE = stat.S_IFDIR | 0o500
"""Of directories; nobody but the user of the mount comes in, whatever the modes are below."""

TEXT_MODE = stat.S_IFREG | 0o400

TEXT_AGE = 300_000_000
"""Nanoseconds for which a text stays as it is: who asks for its size reads it next."""

TEXT_REST = 10
"""A text stays as it is for this many times the time that it took to make: meanwhile the mount serves others."""

Describe = Callable[[Store], str]
"""Returns the text of a file, of the store as it is now."""


class Shown(NamedTuple):
    """What is at a path: a file whose value ``open`` returns, or a directory. The number in ``attributes`` is not set yet.

    ``is_fixed``: there is never another value at that path.
    """

    attributes: Attributes
    open: Callable[[], Draft] | None = None
    is_fixed: bool = False


class Text(NamedTuple):
    """A text, when it was made, and for how long it stays as it is (ns)."""

    data: bytes
    made: int
    age: int


class Tree(Protocol):
    """A directory, and all below it, by the file names that lead there."""

    def find(self, names: list[str]) -> Shown | None:
        """Return what is there. May raise InvalidName where nothing is."""

    def children(self, names: list[str]) -> Iterable[tuple[str, Shown]]:
        """Yield what is in a directory that is there."""


class HistoryTree:
    """``history``: a directory for each key that has versions, and for each one above; in its ``%@``, the versions."""

    def __init__(self, store: Store, since: int) -> None:
        self._store = store
        self._directory = make_directory(DOT_MODE, since)

    def find(self, names: list[str]) -> Shown | None:
        """Return what is there."""
        prefix, rest = self._locate(names)
        versions = self._versions(prefix)
        if not rest:
            return self._directory if not prefix or versions or any(self._components(prefix)) else None
        if len(rest) == 1:
            return self._directory if versions else None
        version = versions.get(rest[1])
        return self._show(version) if version is not None and len(rest) == 2 else None

    def children(self, names: list[str]) -> Iterator[tuple[str, Shown]]:
        """Yield what is in a directory that is there."""
        prefix, rest = self._locate(names)
        versions = self._versions(prefix)
        if rest:
            yield from ((name, self._show(version)) for name, version in versions.items())
            return
        for name in listed_names(self._siblings(prefix, ""), in_root=not prefix):
            yield name, self._directory
        if versions:
            yield VALUE_NAME, self._directory

    def _locate(self, names: list[str]) -> tuple[str, list[str]]:
        return locate(names, self._siblings)

    def _siblings(self, prefix: str, beginning: str) -> list[str]:
        """Return the components below ``prefix`` that begin so."""
        return sorted({each[len(prefix) :].removesuffix("/") for each in self._components(prefix + beginning)})

    def _components(self, beginning: str) -> Iterator[str]:
        """Yield how keys that have a value, or had one, go on; some twice."""
        yield from self._store.level(beginning)
        yield from self._store.history.level(beginning)

    def _versions(self, prefix: str) -> dict[str, Version]:
        """Return the versions of the key that is a directory's name, by their own names."""
        if len(prefix) < 2:  # the root has no key, nor has the directory of an empty component in it
            return {}
        try:
            versions = self._store.history.versions(prefix[:-1])
        except KeyMissing:
            return {}
        return {name_version(each.entry, each.number): each for each in versions if each.number}

    def _show(self, version: Version) -> Shown:
        entry = version.entry
        mode = stat.S_IFLNK | 0o777 if _is_symlink(version) else TEXT_MODE
        return show_version(self._store, version, mode, entry.timestamp * 1000)._replace(is_fixed=True)


class DeletedTree:
    """``deleted``: each key that is removed and whose last value is kept, as it would be if it was there.

    So what is copied from here has the mode and the time that it had. While it is copied, it is deleted no more; so a
    directory is found for as long as history has anything that was removed from it, though it is listed no more.
    """

    def __init__(self, store: Store, since: int) -> None:
        self._store = store
        self._top = make_directory(DOT_MODE, since)
        self._directory = make_directory(DIRECTORY_MODE, since)

    def find(self, names: list[str]) -> Shown | None:
        """Return what is there."""
        prefix, rest = locate(names, self._siblings)
        if not prefix:
            return None if rest else self._top
        is_directory = self._store.history.had_removed(prefix)
        if is_directory and not rest:
            return self._directory
        return self._value(prefix) if rest == ([VALUE_NAME] if is_directory else []) else None

    def children(self, names: list[str]) -> Iterator[tuple[str, Shown]]:
        """Yield what is in a directory that is there."""
        prefix, _ = locate(names, self._siblings)
        found: dict[str, Shown] = {}
        for version in self._store.history.removed(prefix):
            component, slash, _ = version.entry.key[len(prefix) :].partition("/")
            is_directory = slash or self._store.history.had_removed(f"{prefix}{component}/")
            found[component] = self._directory if is_directory else self._show(version)
        for name, component in listed_names(found, in_root=not prefix).items():
            yield name, found[component]
        value = self._value(prefix)
        if value is not None:
            yield VALUE_NAME, value

    def _siblings(self, prefix: str, beginning: str) -> set[str]:
        """Return the components below ``prefix`` that begin so."""
        removed = self._store.history.removed(prefix + beginning)
        return {version.entry.key[len(prefix) :].partition("/")[0] for version in removed}

    def _value(self, prefix: str) -> Shown | None:
        """Return the value of the key that is a directory's name."""
        version = self._store.history.find_removed(prefix[:-1])
        return None if version is None else self._show(version)

    def _show(self, version: Version) -> Shown:
        entry = version.entry
        mode = DEFAULT_MODE if entry.mode is None else entry.mode
        mtime = entry.timestamp * 1000 if entry.mod_time is None else entry.mod_time
        return show_version(self._store, version, mode, mtime)


def locate(names: list[str], siblings: Callable[[str, str], Iterable[str]]) -> tuple[str, list[str]]:
    """Return the prefix of the keys in the directory that names lead to, and the names from `VALUE_NAME` on."""
    length = names.index(VALUE_NAME) if VALUE_NAME in names else len(names)
    return find_prefix(names[:length], siblings), names[length:]


def make_directory(mode: int, time: int) -> Shown:
    """Return a directory that was last changed at ``time`` (ns)."""
    return Shown(Attributes(mode, 0, time, time, time, 0))


def show_version(store: Store, version: Version, mode: int, mtime: int) -> Shown:
    """Return the file of a version, whose ctime is when it was replaced."""
    entry = version.entry
    changed = (version.replaced or entry.timestamp) * 1000
    attributes = Attributes(mode, entry.size, mtime, mtime, changed, 0)
    return Shown(attributes, lambda: store.history.open(entry.key, version.number))


def _is_symlink(version: Version) -> bool:
    return version.entry.mode is not None and stat.S_ISLNK(version.entry.mode)


def make_number(path: str) -> int:
    """Return the number of a file or directory: of its path, and of nothing else in the mount."""
    return new_inode(lambda size: hashlib.blake2b(path.encode(), digest_size=size, person=b"dot directory").digest())


class DotDirectory:
    """Shows the dot directory of a mount of ``store``.

    ``texts`` returns the text of each file directly in it, by name; ``clock`` returns ns since the epoch. What is read is
    in ``open_files`` as a file that lost its name. Paths are such as `is_dotted` tells; what is not there is ENOENT.
    """

    def __init__(
        self, store: Store, open_files: OpenFiles, *, texts: Mapping[str, Describe], clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._open_files = open_files
        self._texts = texts
        self._clock = clock
        self._since = clock()
        self._written: dict[str, Text] = {}
        self._trees: dict[str, Tree] = {
            HISTORY: HistoryTree(store, self._since),
            DELETED: DeletedTree(store, self._since),
        }

    def getattr(self, path: str) -> Attributes:
        """Return the attributes of a file or directory."""
        return self._present(path).attributes._replace(inode=make_number(path))

    def listdir(self, path: str, find_attributes: Callable[[str], Attributes]) -> Iterator[tuple[str, Attributes]]:
        """Yield names and attributes of what is in a directory, ``.`` and ``..`` first.

        ``find_attributes`` returns the attributes at a path, also at that of the root.
        """
        if self._present(path).open is not None:
            raise make_error(errno.ENOTDIR, path)
        yield ".", find_attributes(path)
        yield "..", find_attributes(parent(path))
        for name, shown in self._children(split_dotted(path)):
            yield name, shown.attributes._replace(inode=make_number(f"{path}/{name}"))

    def open(self, path: str, flags: int) -> int:
        """Open a file to read it, and return a handle: its value stays as it is, whatever becomes of it."""
        shown = self._present(path)
        attributes = shown.attributes._replace(inode=make_number(path))
        file = OpenFile.unnamed(self._store.tree, self._clock, self._draft(path, shown), attributes)
        file.apart = not shown.is_fixed
        return self._open_files.open(file, flags)

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link."""
        shown = self._present(path)
        if not stat.S_ISLNK(shown.attributes.mode):
            raise make_error(errno.EINVAL, path)
        draft = self._draft(path, shown)
        try:
            return read_target(draft, path)
        finally:
            draft.close()

    def _present(self, path: str) -> Shown:
        try:
            shown = self._find(split_dotted(path))
        except InvalidName:
            shown = None
        if shown is None:
            raise make_error(errno.ENOENT, path)
        return shown

    def _draft(self, path: str, shown: Shown) -> Draft:
        if shown.open is None:
            raise make_error(errno.EISDIR, path)
        try:
            return shown.open()
        except (KeyMissing, RevisionMissing) as error:  # it went meanwhile
            raise make_error(errno.ENOENT, path) from error

    def _find(self, names: list[str]) -> Shown | None:
        if not names:
            return make_directory(DOT_MODE, self._since)
        first, *rest = names
        if first in self._trees:
            return self._trees[first].find(rest)
        return self._show_text(first) if first in self._texts and not rest else None

    def _children(self, names: list[str]) -> Iterable[tuple[str, Shown]]:
        if names:
            return self._trees[names[0]].children(names[1:])
        trees = [(name, make_directory(DOT_MODE, self._since)) for name in self._trees]
        return [*trees, *((name, self._show_text(name)) for name in self._texts)]

    def _show_text(self, name: str) -> Shown:
        """Return the file of a text, which is made anew where it is no more that of this moment."""
        text, now = self._written.get(name), self._clock()
        if text is None or abs(now - text.made) > text.age:
            data = self._texts[name](self._store).encode("utf-8", "surrogateescape")
            made = self._clock()
            text = self._written[name] = Text(data, made, max(TEXT_AGE, TEXT_REST * (made - now)))
        data, made, _ = text
        return Shown(Attributes(TEXT_MODE, len(data), made, made, made, 0), lambda: self._make_draft(data))

    def _make_draft(self, data: bytes) -> Draft:
        draft = self._store.tree.draft()
        draft.write(0, data)
        return draft
