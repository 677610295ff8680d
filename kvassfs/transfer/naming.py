"""Keys as names in directories and archives: as the mount shows them, see ``paths``.

The root of an export is like that of a mount, whatever prefix it has: so each key comes back below any other.

A component that is too long for a file name is shown shortened, from which it cannot be told. So an export with such
names has a list of them, a file under a name that no key has: `LIST_NAME` in its root.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from .. import paths
from ..entry import directory_of
from .items import LeftOut, Reason, Siblings

LIST_NAME = paths.VALUE_NAME
"""The value of the key of the root, which has none: the list of shortened names."""

LEAST_LONG = 229
"""Bytes of the shortest key in which a component is shown shortened, or looks so: see ``paths.is_shortened``."""

_DOT_NAMES = {paths.DOT_NAME, f"%{paths.DOT_NAME}"}
"""The key of the latter in the root is the former, which no export has there; elsewhere it may well be a name."""

MOST_LIST = 64 * 1024 * 1024
"""Bytes of the longest list that is read."""


class PathFinder:
    """Finds the paths of keys below ``prefix``; ``siblings`` are those in the store."""

    def __init__(self, prefix: str, siblings: Siblings) -> None:
        self._prefix = prefix
        self._siblings = siblings
        self._directory = ("", "")  # the last one, and its path

    def directory(self, prefix: str) -> str:
        """Return the path of a directory, which ends in ``/``; that of the root is empty. Both are relative."""
        if self._directory[0] != prefix:
            path = ""
            at = 0
            while at < len(prefix):
                end = prefix.index("/", at)
                path += self._name(prefix[:at], prefix[at:end]) + "/"
                at = end + 1
            self._directory = (prefix, path)
        return self._directory[1]

    def file(self, key: str, *, is_directory: bool) -> str:
        """Return the path of a value, in the directory of its key where that ``is_directory`` too."""
        if is_directory:
            return self.directory(f"{key}/") + paths.VALUE_NAME
        above = directory_of(key)
        return self.directory(above) + self._name(above, key[len(above) :])

    def _name(self, above: str, component: str) -> str:
        in_root = not above
        if not paths.is_shortened(component):
            return paths.file_name(component, in_root=in_root)
        siblings = self._siblings(self._prefix + above, paths.search_prefix(component))
        return paths.listed_name(component, siblings, in_root=in_root)

    def list_shortened(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the components of ``keys`` that are not to be told from their names, by their paths."""
        found = {}
        for key in keys:
            at = 0
            while at <= len(key):
                end = key.find("/", at)
                end = len(key) if end < 0 else end
                name = self._name(key[:at], key[at:end])
                if paths.is_shortened(name):
                    found[self.directory(key[:at]) + name] = key[at:end]
                at = end + 1
        return found


def encode_list(shortened: Mapping[str, str]) -> bytes:
    """Return the list of shortened names as the content of its file."""
    return json.dumps(shortened, ensure_ascii=False, indent=1).encode() + b"\n"


def decode_list(content: bytes) -> dict[str, str] | None:
    """Return the list; ``None`` for a file that is none."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return None
    is_list = isinstance(fields, dict) and all(isinstance(component, str) for component in fields.values())
    return fields if is_list else None


class KeyFinder:
    """Finds the keys of paths, by the list of shortened names where there is one, else by the keys of the store."""

    def __init__(self) -> None:
        self.shortened: Mapping[str, str] = {}
        self.siblings: Siblings = lambda _prefix, _beginning: []
        self._dot_name = ""

    def find(self, name: str, *, is_directory: bool) -> str | LeftOut:
        """Return the key of a relative path, or why nothing can have it; that of a directory ends in ``/``.

        ``.`` and repeated ``/`` in it mean nothing. Nobody is led anywhere by what archives call their members.
        """
        if name.startswith("/"):
            return LeftOut(name, Reason.ABSOLUTE)
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if ".." in parts:
            return LeftOut(name, Reason.UPWARDS)
        if not parts:
            return "" if is_directory else LeftOut(name, Reason.REFUSED, "it has no name")
        if parts[0] in _DOT_NAMES:
            self._dot_name = self._dot_name or parts[0]
            if parts[0] != self._dot_name:
                return LeftOut(name, Reason.REFUSED, f"{self._dot_name} is there too, and has the same key")
        try:
            return self._find(parts, is_directory=is_directory)
        except paths.InvalidName as error:
            return LeftOut(name, Reason.REFUSED, str(error))

    def _find(self, parts: list[str], *, is_directory: bool) -> str:
        *above, last = parts
        prefix = path = ""
        for part in above:
            prefix += self._component(prefix, path, part) + "/"
            path += part + "/"
        if last == paths.VALUE_NAME and prefix and not is_directory:
            return prefix[:-1]
        return prefix + self._component(prefix, path, last) + ("/" if is_directory else "")

    def _component(self, prefix: str, path: str, name: str) -> str:
        in_root = not path
        if in_root and name == paths.DOT_NAME:
            return name
        if not paths.is_shortened(name):
            return paths.component(name, in_root=in_root)
        known = self.shortened.get(path + name)
        if known is not None and known and "/" not in known:
            return known
        return paths.resolve(name, self.siblings(prefix, paths.search_prefix(name)), in_root=in_root)


def make_siblings(find: Callable[[str, str], list[str]], prefix: str) -> Siblings:
    """Return what looks up components below a prefix that is relative to ``prefix``."""
    return lambda below, beginning: find(prefix + below, beginning)
