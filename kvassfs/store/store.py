"""The store: what the command line does with keys, values and configuration."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol, Self

from ..entry import DEFAULT_MODE, MAX_PROCESS_ID, Entry, check_key
from ..errors import InvalidConfiguration, KeyMissing, KvassError
from . import takeover
from .contacts import Contacts
from .contents import INLINE_LIMIT, Contents, Value
from .creation import initialise, new_process_id, upgrade
from .database import Database, connect
from .draft import Draft
from .entries import Entries, Revision, Row, Written
from .exchange import Exchange
from .links import Links
from .local import Journal, directory_of
from .place import place_of
from .transit import Transit
from .tree import Tree

CLEAN_LIMIT = 64
"""Blocks and revisions that one step of the clean-up removes (16 MiB)."""

DEFAULT_TIMEOUTS = (1.0, 10.0)
"""Seconds for connecting to the hub, and for which it may make no progress."""

READ_SIZE = 1024 * 1024
"""Bytes read at a time from a stream."""


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none only at the end."""


class Config(NamedTuple):
    """The configuration of a replica. ``remote`` is ``""`` where there is none."""

    encryption_key: bytes
    process_id: int
    remote: str
    clock: int


class Store:
    """An open kvass database. For one thread; any number of processes may have it open.

    Made by ``Store.open``. ``clock`` returns ns since the epoch, ``random(n)`` n random bytes.
    """

    def __init__(self, database: Database, clock: Callable[[], int], random: Callable[[int], bytes]) -> None:
        self.path = database.path
        self._random = random
        self.database = database
        self.contents = Contents(database)
        self.entries = Entries(database, self.contents, clock, random)
        self.links = Links(database, self.entries, random)
        self.journal = Journal(database, int.from_bytes(random(6), "big"))
        self.tree = Tree(database, self.contents, self.entries, self.journal, clock)
        self.transit = Transit(database, self.contents, clock)
        self.exchange = Exchange(database, self.contents, self.entries, self.tree, self.transit, clock)
        self.contacts = Contacts(database, clock, self.journal.writer)

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        clock: Callable[[], int] = time.time_ns,
        random: Callable[[int], bytes] = os.urandom,
        notice: Callable[[str], None] = lambda _: None,
        alone_if_full: bool = False,
    ) -> Self:
        """Open the database at ``path``, made with mode 0600 if it is missing.

        A database of the original program is taken over; ``notice`` is told so in one line. With ``alone_if_full``,
        one on a disk without any space can be read from too, while no other process uses it; so not for long.

        Raises:
            StoreUnavailable, NotAStore, NewerStore, DamagedStore, DiskFull: the file is as it was.
        """
        database = connect(
            os.fspath(path),
            initialise=lambda empty: initialise(empty, clock, random),
            take_over=lambda original: takeover.take_over(original, clock, random, notice),
            upgrade=upgrade,
            alone_if_full=alone_if_full,
        )
        return cls(database, clock, random)

    def close(self) -> None:
        """Let go of what this process holds, and close the file."""
        try:
            if self.contents.holds:
                with self.database.transaction:
                    self.contents.release_holder()
        finally:
            self.contents.ahead.close()
            self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Keys and values

    def keys(self) -> Iterator[str]:
        """Yield the keys that have a value, in the order of their UTF-8 bytes."""
        for (key,) in self.database.iterate(
            "SELECT key FROM entries INDEXED BY entries_live WHERE live AND size > 0 ORDER BY key"
        ):
            yield key

    def entry(self, key: str) -> Entry:
        """Return the entry of a key that has a value.

        Raises:
            InvalidKey, KeyMissing
        """
        return self._present(key).entry

    def get(self, key: str) -> Value:
        """Return the value of a key.

        Raises:
            InvalidKey, KeyMissing
        """
        return Value(self.database, self.contents, lambda: self._located(key))

    def _located(self, key: str) -> tuple[int | None, int]:
        row = self._present(key)
        return row.content, row.size

    def _present(self, key: str) -> Row:
        row = self.entries.current(check_key(key))
        if row is None or row.size == 0:
            raise KeyMissing(key)
        return row

    def set(self, key: str, value: bytes) -> Entry:
        """Give a key a value; an empty one deletes it. On return it has reached the disk.

        Raises:
            InvalidKey, DiskFull
        """
        check_key(key)
        draft = self.draft_of(value)
        try:
            return self._put(key, draft)
        finally:
            self._clean_up(draft)

    def set_stream(self, key: str, stream: Readable) -> Entry:
        """Like ``set``, with a value of any size read from ``stream`` to its end."""
        check_key(key)
        head = b""
        while len(head) <= INLINE_LIMIT:
            piece = stream.read(READ_SIZE)
            if not piece:
                return self.set(key, head)
            head += piece
        draft = self.draft_of(head)
        try:
            while piece := stream.read(READ_SIZE):
                draft.write(draft.size, piece)
            return self._put(key, draft)
        finally:
            self._clean_up(draft)

    def draft_of(self, value: bytes) -> Draft:
        """Return a draft that holds ``value``."""
        if len(value) > INLINE_LIMIT:
            self.contents.register()
        draft = Draft(self.database, self.contents)
        draft.write(0, value)
        return draft

    def _put(self, key: str, draft: Draft) -> Entry:
        with self.database.transaction:
            old = self.entries.current(key)
            if draft.size == 0:
                return self._delete(key, old).entry
            content = draft.commit()
            was_link = old is not None and old.mode is not None and stat.S_ISLNK(old.mode)
            # A value is no target of a link.
            row = self.entries.replace(key, old, Written(draft.size, content, DEFAULT_MODE if was_link else None))
            self.tree.drop_scratch(key)
            if old is None or not old.live:
                self.tree.note_name(directory_of(key))
        draft.rebase(content)
        return row.entry

    def delete(self, key: str) -> Entry:
        """Delete a key and the links to it, and return its tombstone. On return that has reached the disk.

        Raises:
            InvalidKey, KeyMissing
        """
        with self.database.transaction:
            tombstone = self._delete(key, self._present(key))
        self._clean_up()
        return tombstone.entry

    def _delete(self, key: str, old: Row | None) -> Row:
        if old is None or not old.live:
            return self.entries.put(key, Written())
        self.entries.remove(old)
        for link in self.links.to(key):
            self.links.end(link)
        self.tree.note_name(directory_of(key), keep=True)
        tombstone = self.entries.current(key)
        assert tombstone is not None
        return tombstone

    def revisions(self, key: str) -> list[Revision]:
        """Return the earlier versions of a key, newest first."""
        return self.entries.revisions(check_key(key))

    def sync(self) -> None:
        """Wait until everything committed so far has reached the disk, whoever committed it."""
        with self.database.durably(), self.database.transaction:
            self.database.execute("UPDATE syncs SET number = number + 1")

    # Clean-up

    def clean(self) -> bool:
        """Do one bounded step of the clean-up; return whether more may be left."""
        with self.database.transaction:
            more = self.entries.expire(CLEAN_LIMIT)
            more = self.transit.expire(CLEAN_LIMIT) or more
            return self.contents.clean(CLEAN_LIMIT) or more

    def release_dead_holders(self) -> None:
        """Let go of what processes held that are no more."""
        with self.database.transaction:
            self.contents.release_dead_holders()

    def tidy(self) -> bool:
        """Do one step of the clean-up if there is something to do; return whether more may be left."""
        if not (self.contents.anything_dropped() or self.entries.anything_expired() or self.transit.anything_expired()):
            return False
        self.release_dead_holders()
        return self.clean()

    def _clean_up(self, draft: Draft | None = None) -> None:
        # What was stored is stored, whatever becomes of the clean-up; the next one goes on with it.
        with suppress(KvassError):
            if draft is not None:
                draft.close()
            while self.tidy():
                pass

    # Configuration

    def config(self) -> Config:
        """Return the configuration as it is now."""
        return Config._make(self.database.only_row("SELECT encryption_key, process_id, remote, clock FROM replica"))

    def set_encryption_key(self, key: bytes) -> None:
        """Set the key that all devices of one person share, 32 bytes; all entries are pushed anew.

        Raises:
            InvalidConfiguration: it has another length.
        """
        if len(key) != 32:
            raise InvalidConfiguration("an encryption key has 32 bytes: 64 hexadecimal digits")
        self._change_hub("encryption_key", key)

    def set_process_id(self, process_id: int) -> None:
        """Set the id of this replica; the lower one wins where two writes are equal otherwise.

        Raises:
            InvalidConfiguration: it is outside 1 … 2**32 - 1.
        """
        if not 1 <= process_id <= MAX_PROCESS_ID:
            raise InvalidConfiguration(f"a process id is a number from 1 to {MAX_PROCESS_ID}")
        self._configure("process_id", process_id)

    def part_from_original(self) -> None:
        """Take a new process id if the file is a copy of another store, and no more the place that it was made in.

        Else each would take what the other writes for its own. What only the copy has, goes on under the new id.
        """
        place = place_of(self.path)
        known = self.database.row("SELECT value FROM settings WHERE name = 'place'")
        if known is not None and known[0] == place:
            return
        with self.database.transaction:
            before = self.config().process_id
            self.database.execute("INSERT OR REPLACE INTO settings VALUES ('place', ?)", (place,))
            if known is not None:
                process_id = new_process_id(self._random)
                self.set_process_id(process_id)
                self.database.execute(
                    "UPDATE entries SET process_id = ? WHERE dirty AND process_id = ?", (process_id, before)
                )

    def start_over(self, counter: int) -> None:
        """Take a new process id, and a clock beyond ``counter``; all is pulled and pushed anew.

        For a store that was set back to a backup: what it wrote after that would else be taken for its own.
        """
        with self.database.transaction:
            self.set_process_id(new_process_id(self._random))
            self.database.execute("UPDATE replica SET clock = max(clock, ?)", (counter,))
            self.contacts.forget_hub()

    def set_remote(self, remote: str) -> None:
        """Set the hub; ``""`` means none. All entries are pushed to it."""
        self._change_hub("remote", remote)

    def _change_hub(self, column: str, value: bytes | str) -> None:
        with self.database.transaction:
            self._configure(column, value)
            self.contacts.forget_hub()

    def _configure(self, column: str, value: bytes | int | str) -> None:
        with self.database.transaction:
            self.database.execute(f"UPDATE replica SET {column} = ?", (value,))

    def public_url(self) -> str:
        """Return the address under which others reach the hub, ``""`` if that is the remote's."""
        row = self.database.row("SELECT value FROM settings WHERE name = 'url'")
        return "" if row is None else str(row[0])

    def set_public_url(self, url: str) -> None:
        """Set what ``public_url`` returns."""
        with self.database.transaction:
            self.database.execute("INSERT OR REPLACE INTO settings VALUES ('url', ?)", (url,))

    def timeouts(self) -> tuple[float, float]:
        """Return for how many seconds to try to connect to the hub, and to wait for progress after that."""
        row = self.database.row("SELECT value FROM settings WHERE name = 'timeout'")
        connect, progress = DEFAULT_TIMEOUTS if row is None else json.loads(row[0])
        return float(connect), float(progress)

    def set_timeouts(self, connect: float | None, progress: float | None) -> None:
        """Set what ``timeouts`` returns; ``None`` goes back to the default of one."""
        default_connect, default_progress = DEFAULT_TIMEOUTS
        timeouts = [default_connect if connect is None else connect, default_progress if progress is None else progress]
        with self.database.transaction:
            self.database.execute("INSERT OR REPLACE INTO settings VALUES ('timeout', ?)", (json.dumps(timeouts),))

    def scratch_patterns(self) -> tuple[str, ...] | None:
        """Return the user's patterns of scratch names; ``None`` means the default ones."""
        row = self.database.row("SELECT value FROM settings WHERE name = 'scratch'")
        return None if row is None else tuple(json.loads(row[0]))

    def set_scratch_patterns(self, patterns: Sequence[str] | None) -> None:
        """Set the patterns of scratch names; ``None`` goes back to the default ones."""
        with self.database.transaction:
            if patterns is None:
                self.database.execute("DELETE FROM settings WHERE name = 'scratch'")
            else:
                self.database.execute(
                    "INSERT OR REPLACE INTO settings VALUES ('scratch', ?)", (json.dumps(list(patterns)),)
                )
