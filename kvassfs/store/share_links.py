"""What tokens lead to: current versions of keys, and links to keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..entry import Entry, check_key, new_token
from ..errors import KeyMissing
from ..share_link import LINKS, ShareLink, parse_record, record_prefix
from ..tuples import NamedTuple
from .database import Database
from .entries import Entries
from .rows import Written
from .values import StoredValue

if TYPE_CHECKING:
    from ..veil.keys import Keys

_WITH_DATA = f"SELECT {', '.join(Entry._fields)}, content, (SELECT data FROM contents WHERE id = content) FROM entries"


class Shared(NamedTuple):
    """A version of a key that can be had; ``link`` is what led there, if it was a link."""

    entry: Entry
    value: StoredValue
    link: ShareLink | None = None


def choose_shared(found: Iterable[tuple[Entry, StoredValue]], token: str) -> Shared | ShareLink | None:
    """Return what a token leads to, of the current versions that have it: the version that it is of, or the link."""
    for entry, value in found:
        if entry.is_file:
            return Shared(entry, value)
        if (link := parse_record(entry.key)) is not None and link.token == token:
            return link
    return None


class ShareLinks:
    """Finds, makes and ends what leads to entries. ``random(n)`` returns n random bytes.

    ``find_keys`` returns the keys of a sealed store, in which links name their keys as the hub does; ``None`` in others.
    """

    def __init__(
        self,
        database: Database,
        entries: Entries,
        random: Callable[[int], bytes],
        find_keys: Callable[[], Keys | None] = lambda: None,
    ) -> None:
        self._database = database
        self._find_keys = find_keys
        self._entries = entries
        self._random = random

    # Finding

    def find(self, token: str) -> Shared | ShareLink | None:
        """Return the version that a token is of, or the link; ``None`` if there is no such thing (any more)."""
        return choose_shared(map(_read, self._database.rows(f"{_WITH_DATA} WHERE url_token = ?", (token,))), token)

    def resolve(self, link: ShareLink) -> Shared | None:
        """Return what a link leads to, ``None`` if the key has gone."""
        row = self._database.row(f"{_WITH_DATA} WHERE key = ? AND is_file", (link.key,))
        if row is None:
            return None
        return Shared(*_read(row), link)

    def has_ended(self, token: str) -> bool:
        """Whether a token once led to something, as far as that is remembered here."""
        beginning = record_prefix(token)
        return bool(
            self._database.row(
                "SELECT EXISTS (SELECT 1 FROM revisions WHERE url_token = ?)"
                " OR EXISTS (SELECT 1 FROM entries WHERE url_token = ?)"
                " OR EXISTS (SELECT 1 FROM entries WHERE key >= ? AND key < ?)",
                (token, token, beginning, beginning[:-1] + "0"),
            )[0]
        )

    def list_all(self) -> list[ShareLink]:
        """Return the links that nobody has ended; their time may be over."""
        rows = self._database.rows(
            "SELECT key, url_token FROM entries WHERE key >= ? AND key < ?", (LINKS, LINKS[:-1] + "0")
        )
        found = [(parse_record(record), token) for record, token in rows]
        return [link for link, token in found if link is not None and link.token == token]

    def list_to(self, key: str) -> list[ShareLink]:
        """Return the links to a key among ``list_all``."""
        links = self.list_all()
        name = self._name_all([key])[0] if links else ""
        return [link for link in links if link.key == name]

    def _name_all(self, keys: Iterable[str]) -> list[str]:
        """Return what links name keys: in a sealed store what they are called at the hub."""
        sealed = self._find_keys()
        if sealed is None:
            return list(keys)
        from ..veil.keys import hide_key  # noqa: PLC0415  a plain store has no need of it

        return [hide_key(sealed, key) for key in keys]

    # Making and ending

    def create(self, key: str, *, expires: int = 0, once: bool = False) -> ShareLink:
        """Make a link to a key that is there; the parameters are those of ``ShareLink``.

        Raises:
            InvalidKey, KeyMissing
        """
        link = ShareLink(new_token(self._random), check_key(key), expires, once)
        self.add(link, key)
        return link

    def add(self, link: ShareLink, key: str, *, anew: bool = False) -> None:
        """Keep a link to a key that is there; ``anew``: its version is saved anew, so that whoever has the link can open it.

        Raises:
            KeyMissing
        """
        with self._database.transaction:
            row = self._entries.current(key)
            if row is None or not row.is_file:
                raise KeyMissing(key)
            self._entries.write(
                link.record, Written(url_token=link.token), old=self._entries.current(link.record), listing=None
            )
            if anew:
                self._entries.renew_token(row)

    def end(self, link: ShareLink) -> bool:
        """End a link for good; ``False`` if it has been already, so of several who try only one is told ``True``."""
        with self._database.transaction:
            row = self._entries.current(link.record)
            if row is None or row.live or row.url_token != link.token:
                return False
            self._entries.write(link.record, Written(), old=row, listing=None)
            return True

    def end_to(self, *keys: str, below: bool = False) -> None:
        """End the links to keys, and with ``below`` those to the keys below them."""
        links = self.list_all()
        if not links:
            return
        wanted, prefixes = set(keys), tuple(f"{key}/" for key in keys) if below else ()
        if self._find_keys() is not None:
            for prefix in prefixes:  # of those that went, there are tombstones
                wanted |= self._find_below(prefix)
            wanted, prefixes = set(self._name_all(wanted)), ()
        for link in links:
            if link.key in wanted or link.key.startswith(prefixes):
                self.end(link)

    def _find_below(self, prefix: str) -> set[str]:
        rows = self._database.rows("SELECT key FROM entries WHERE key >= ? AND key < ?", (prefix, f"{prefix[:-1]}0"))
        return {key for (key,) in rows}

    def renew_token(self, token: str) -> bool:
        """Give the version of a key that has ``token`` another one; ``False`` if there is none.

        The same value goes on as a newer version, which leaves no revision here.
        """
        with self._database.transaction:
            found = self.find(token)
            row = self._entries.current(found.entry.key) if isinstance(found, Shared) else None
            if row is None:
                return False
            self._entries.renew_token(row)
            return True


def _read(row: tuple[Any, ...]) -> tuple[Entry, StoredValue]:
    """Return the entry of a result row with the columns of ``_WITH_DATA``, and its value."""
    *fields, content, data = row
    entry = Entry(*fields)
    return entry, StoredValue.of_row(entry.size, content, data)
