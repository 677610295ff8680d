"""Extended attributes: those that users set, and the facts of an entry, which are read by name alone.

The facts (``user.kvass.…``) are in no list, so that no program copies them along: they are of the entry and not of
the file, and an address lets whoever has it read the value. What copied them earlier, from elsewhere, may set them
here: that changes nothing and is no error.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping

from ..errors import KeyMissing
from ..kind import Kind
from ..sharing.address import choose_base_url, format_share_url
from ..store import Bearer, Row, Store
from .namespace import Namespace, make_error
from .openfile import OpenFile

NAMESPACE = b"user."
FACTS = b"user.kvass."

CREATE = 1
REPLACE = 2
"""Flags of setxattr(2)."""

MAX_VALUE = 64 * 1024
"""Bytes of a value, as for the kernel and ext4."""

MAX_NAMES = 64 * 1024
"""Bytes of all names of one file with the NUL behind each: listxattr(2) gives no more."""

MAX_VALUES = 1024 * 1024
"""Bytes of all values of one file, so that renaming or removing it takes no time to speak of."""


def describe(row: Row, base: str) -> dict[bytes, bytes]:
    """Return the facts of an entry by name, each as text.

    ``base`` is what the addresses of shared entries begin with, ``""`` if that is not known.
    """
    fields: dict[bytes, str | int] = {
        b"token": row.url_token,
        b"timestamp": row.timestamp,
        b"process_id": row.process_id,
        b"counter": row.counter,
        b"synced": int(not row.dirty),
    }
    if base:
        fields[b"url"] = format_share_url(base, row.url_token)
    return {FACTS + name: str(value).encode() for name, value in fields.items()}


def find_refusal(present: Mapping[bytes, bytes], name: bytes, value: bytes, flags: int) -> int:
    """Return the errno by which an attribute may not be set beside those that are present, 0 if it may."""
    if len(value) > MAX_VALUE:
        return errno.E2BIG
    if name == NAMESPACE:
        return errno.EINVAL
    if flags & CREATE and name in present:
        return errno.EEXIST
    if flags & REPLACE and name not in present:
        return errno.ENODATA
    after = {**present, name: value}
    fits = sum(map(len, after)) + len(after) <= MAX_NAMES and sum(map(len, after.values())) <= MAX_VALUES
    return 0 if fits else errno.ENOSPC


class FileXattrs:
    """Reads and changes the extended attributes of files and directories. ``clock`` returns ns since the epoch.

    An open file that is not in the store has them itself.
    """

    def __init__(self, store: Store, names: Namespace, clock: Callable[[], int]) -> None:
        self._store = store
        self._tree = store.tree
        self._names = names
        self._clock = clock

    def get(self, path: str, name: bytes) -> bytes:
        """Return an attribute, or a fact of the entry."""
        _check_namespace(path, name)
        found = self._facts(path) if name.startswith(FACTS) else self._of(self._find(path))
        if name not in found:
            raise make_error(errno.ENODATA, path)
        return found[name]

    def list(self, path: str) -> list[bytes]:
        """Return the names of the attributes that were set."""
        return list(self._of(self._find(path)))

    def set(self, path: str, name: bytes, value: bytes, flags: int) -> None:
        """Set an attribute; a fact stays as it is."""
        _check_namespace(path, name)
        if name.startswith(FACTS):
            return
        bearer = self._find(path)
        refusal = find_refusal(self._of(bearer), name, value, flags)
        if refusal:
            raise make_error(refusal, path)
        self._put(path, bearer, name, value)

    def remove(self, path: str, name: bytes) -> None:
        """Remove an attribute; facts cannot be removed."""
        _check_namespace(path, name)
        if name.startswith(FACTS):
            raise make_error(errno.EPERM, path)
        bearer = self._find(path)
        if name not in self._of(bearer):
            raise make_error(errno.ENODATA, path)
        self._put(path, bearer, name, None)

    def _find(self, path: str) -> OpenFile | Bearer:
        """Return what has the attributes of what is at ``path``."""
        file = self._names.open_file(path)
        if file is not None:
            return Bearer(file.place.key) if file.xattrs is None else file
        if self._names.is_directory(path):
            return Bearer(self._names.prefix(path), is_directory=True)
        return Bearer(self._names.file(path).key)

    def _of(self, bearer: OpenFile | Bearer) -> Mapping[bytes, bytes]:
        return self._store.xattrs.of(bearer) if isinstance(bearer, Bearer) else bearer.xattrs or {}

    def _put(self, path: str, bearer: OpenFile | Bearer, name: bytes, value: bytes | None) -> None:
        if isinstance(bearer, OpenFile):
            bearer.put_xattr(name, value)
            return
        with self._store.transaction:
            self._note_change(path, bearer)
            self._store.xattrs.put(bearer, name, value)

    def _note_change(self, path: str, bearer: Bearer) -> None:
        """Change the ctime."""
        if bearer.is_directory:
            self._tree.directories.note_change(bearer.key)
            return
        node = self._tree.file(bearer.key)
        if node is None:
            raise KeyMissing(bearer.key)
        file = self._names.open_file(path)
        if file is not None:
            file.set_times(None, None)
        self._tree.set_times(node, None, None, self._clock() if file is None else file.ctime)

    def _facts(self, path: str) -> dict[bytes, bytes]:
        bearer = self._find(path)
        row = self._tree.entry(bearer.key) if isinstance(bearer, Bearer) and not bearer.is_directory else None
        if row is None:
            return {}
        settings = self._store.settings
        if settings.kind() != Kind.PLAIN:
            # An address that opens what is sealed is a key, and is asked for by `kvass url`.
            return describe(row, "")
        return describe(row, choose_base_url(settings.public_url(), settings.config().remote))


def _check_namespace(path: str, name: bytes) -> None:
    if not name.startswith(NAMESPACE):
        raise make_error(errno.ENOTSUP, path)
