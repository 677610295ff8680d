"""A store holds what a dictionary would, and loses nothing that stood for a while, whatever is done to it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kvassfs.entry import directory_of, parent
from kvassfs.errors import KeyMissing
from kvassfs.store import Bearer, Node, Store
from kvassfs.store.settling import TRANSIENT_TIME
from kvassfs.store.sizes import KEPT_TIME
from tests.support.searches import examples
from tests.support.stores import SMALL, Clock, audit, audit_clean, is_scratch, read, save

KEPT = 3
"""Revisions that are kept of a key here: few, so that the limit is met."""

FEW = SMALL._replace(revisions=KEPT)

KEYS = st.sampled_from(["a", "b", "b~", "c~", "d", "d/a", "d/b~", "d/e/a", "d/", "d!", "f/a", "f~/a", "f~/e/b~", "/"])
"""Keys, some of which have the name of a scratch file."""

PREFIXES = st.sampled_from(["d/", "d/e/", "f/", "f~/", "f~/e/", "g/", "d/g/", "/"])

SIZES = st.sampled_from([1, 10, 16, 17, 64, 100, 300])

PICKS = st.integers(0, 15)
"""Which of the keys that are there, in their order."""


class File(NamedTuple):
    """What a key should be: an entry or a scratch file, its bytes, and its extended attributes."""

    value: bytes
    scratch: bool
    xattrs: dict[bytes, bytes] = {}  # noqa: RUF012  never changed


class Place(NamedTuple):
    """Where a revision is: under a key, with a number, since a time (µs)."""

    key: str
    number: int
    replaced: int


def apart(old: str, new: str) -> bool:
    """Whether neither directory is within the other."""
    return not new.startswith(old) and not old.startswith(new)


class Stores(RuleBasedStateMachine):
    """A store, used through two connections, and a dictionary."""

    @initialize()
    def make(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.stack = ExitStack()
        self.clock = Clock()
        self.store = self.connection()
        self.other = self.connection()
        self.files: dict[str, File] = {}
        self.number = 0
        # Values that were entries for longer than transient ones are: never lost but by retention.
        self.owed: set[bytes] = set()
        self.current: set[bytes] = set()
        self.places: dict[bytes, set[Place]] = {}
        for key in ("a", "b", "d", "d/a", "d/e/a", "d/b~"):
            self.save(key, 100, False)
        self.wait()

    def picked(self, pick: int) -> str:
        """Return one of the keys that are there."""
        return sorted(self.files)[pick % len(self.files)]

    def connection(self) -> Store:
        store = self.stack.enter_context(Store.open(self.directory / "db", clock=self.clock, sizes=FEW))
        store._database.execute("PRAGMA synchronous=OFF")
        return store

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        try:
            audit_clean(self.store)
        finally:
            self.stack.close()
            shutil.rmtree(self.directory)

    def value(self, size: int) -> bytes:
        """Return a value that was never written before."""
        self.number += 1
        return b"%d " % self.number * (1 + size // 4) + b"x" * (size % 4)

    def node(self, key: str) -> Node:
        node = self.store.tree.file(key)
        assert node is not None
        return node

    # The command line, which is another connection

    @rule(key=KEYS, size=SIZES)
    def set(self, key: str, size: int) -> None:
        value = self.value(size)
        self.other.set(key, value)
        file = self.files.get(key)
        self.files[key] = File(value, False, {} if file is None or file.scratch else file.xattrs)

    @rule(key=KEYS)
    def set_to_nothing(self, key: str) -> None:
        self.other.set(key, b"")
        if key in self.files and not self.files[key].scratch:
            del self.files[key]

    @precondition(lambda self: self.files)
    @rule(pick=PICKS)
    def delete(self, pick: int) -> None:
        key = self.picked(pick)
        file = self.files.get(key)
        if file is None or file.scratch:
            with pytest.raises(KeyMissing):
                self.other.delete(key)
        else:
            self.other.delete(key)
            del self.files[key]

    # The mount

    @rule(key=KEYS, size=SIZES | st.just(0), amend=st.booleans())
    def save(self, key: str, size: int, amend: bool) -> None:
        value = self.value(size) if size else b""
        file = self.files.get(key)
        scratch = is_scratch(key) and (file is None or file.scratch)
        amends = None
        if amend and file is not None:
            amends = self.node(key).sequence
            self.owed.discard(file.value)
        save(self.store, key, value, scratch=is_scratch(key), amends=amends)
        self.files[key] = File(value, scratch, {} if file is None else file.xattrs)

    @precondition(lambda self: self.files)
    @rule(pick=PICKS, size=SIZES, amend=st.booleans())
    def save_again(self, pick: int, size: int, amend: bool) -> None:
        self.save(self.picked(pick), size, amend)

    @precondition(lambda self: self.files)
    @rule(pick=PICKS, name=st.sampled_from([b"user.a", b"user.b"]), value=st.sampled_from([b"", b"1", None]))
    def give_attribute(self, pick: int, name: bytes, value: bytes | None) -> None:
        key = self.picked(pick)
        with self.store.transaction:
            self.store.xattrs.put(Bearer(key), name, value)
        others = {other: data for other, data in self.files[key].xattrs.items() if other != name}
        self.files[key] = self.files[key]._replace(xattrs=others if value is None else {**others, name: value})

    @precondition(lambda self: self.files)
    @rule(pick=PICKS)
    def unlink(self, pick: int) -> None:
        key = self.picked(pick)
        self.store.tree.unlink(self.node(key), is_scratch=is_scratch)
        del self.files[key]

    @precondition(lambda self: self.files)
    @rule(pick=PICKS, new=KEYS)
    def rename(self, pick: int, new: str) -> None:
        old = self.picked(pick)
        if old != new:
            self.store.tree.rename(self.node(old), new, is_scratch=is_scratch)
            self.move(old, new)

    def move(self, old: str, new: str) -> None:
        target = self.files.get(new)
        scratch = is_scratch(new) and (target is None or target.scratch)
        self.files[new] = self.files.pop(old)._replace(scratch=scratch)

    @precondition(lambda self: self.files)
    @rule(pick=PICKS, other_pick=PICKS)
    def exchange(self, pick: int, other_pick: int) -> None:
        one, other = self.picked(pick), self.picked(other_pick)
        if one != other:
            self.store.tree.swap(self.node(one), self.node(other), is_scratch=is_scratch)
            a, b = self.files[one], self.files[other]
            self.files[one] = b._replace(scratch=is_scratch(one))
            self.files[other] = a._replace(scratch=is_scratch(other))

    @precondition(lambda self: any("/" in key for key in self.files))
    @rule(pick=PICKS, new=PREFIXES)
    def rename_directory(self, pick: int, new: str) -> None:
        store = self.store.tree
        prefixes = sorted({directory_of(key) for key in self.files} - {""})
        old = prefixes[pick % len(prefixes)]
        # The value of the directory's own key would become that of the empty one.
        possible = new != "/" or old[:-1] not in self.files
        if possible and store.directory(parent(new)) is not None and apart(old, new) and store.is_empty(new):
            store.rename_directory(old, new, is_scratch=is_scratch)
            for key in list(self.files):
                if key == old[:-1] or key.startswith(old):
                    self.move(key, (new + key[len(old) :]) if key.startswith(old) else new[:-1])
            assert store.directory(old) is None
            assert store.directory(new) is not None

    @rule(prefix=PREFIXES)
    def make_directory(self, prefix: str) -> None:
        if self.store.tree.directory(prefix) is None:
            self.store.tree.directories.make(prefix, 0o40755, is_scratch=is_scratch)

    @rule(prefix=PREFIXES)
    def remove_directory(self, prefix: str) -> None:
        below = any(key.startswith(prefix) or key == prefix[:-1] for key in self.files)
        if self.store.tree.is_empty(prefix):
            assert not below
            self.store.tree.directories.remove(prefix, is_scratch=is_scratch)
            assert self.store.tree.directory(prefix) is None

    # Time and clean-up

    @rule()
    def wait(self) -> None:
        self.clock.advance(TRANSIENT_TIME * 1000)
        self.owed |= {file.value for file in self.files.values() if file.value and not file.scratch}

    @precondition(lambda self: any(self.places.values()))
    @rule()
    def wait_long(self) -> None:
        self.wait()
        self.clock.advance(KEPT_TIME * 600)

    @rule()
    def clean(self) -> None:
        self.store.upkeep.clean()

    # What holds

    @invariant()
    def the_store_is_sound(self) -> None:
        audit(self.store)

    @invariant()
    def both_connections_see_what_the_dictionary_has(self) -> None:
        values = {key: file.value for key, file in self.files.items() if not file.scratch}
        assert list(self.other.keys()) == sorted(values)
        assert {key: self.other.get(key).read() for key in values} == values
        for key, file in self.files.items():
            node = self.node(key)
            assert node.is_scratch == file.scratch
            assert read(self.store, node) == file.value
            assert self.other.xattrs.of(Bearer(key)) == file.xattrs

    @invariant()
    def every_file_is_listed_in_its_directory(self) -> None:
        prefixes = {directory_of(key) for key in self.files}
        for prefix in list(prefixes):
            while prefix:
                prefix = parent(prefix)  # noqa: PLW2901
                prefixes.add(prefix)
        for prefix in prefixes:
            assert self.store.tree.directory(prefix) is not None
            children = list(self.store.tree.children(prefix))
            assert {prefix + child.component for child in children if child.node is not None} == {
                key for key in self.files if directory_of(key) == prefix
            }
            directories = {prefix + child.component + "/" for child in children if child.directory is not None}
            assert directories >= {below for below in prefixes if below and parent(below) == prefix}

    @invariant()
    def what_stood_is_current_or_a_revision_that_retention_keeps(self) -> None:
        current = {file.value for file in self.files.values() if not file.scratch}
        places: dict[bytes, set[Place]] = {}
        numbers: dict[str, list[int]] = {}
        for key in {key for (key,) in self.store._database.rows("SELECT DISTINCT key FROM revisions")}:
            revisions = self.store.revisions(key)
            numbers[key] = [revision.id for revision in revisions]
            assert len(revisions) <= KEPT
            for revision in revisions:
                value = b"".join(self.store._contents.read_all(revision.content, revision.entry.size))
                places.setdefault(value, set()).add(Place(key, revision.id, revision.replaced))
        for value in self.owed - current - places.keys():
            # What was current is not too old a moment later, nor are there newer ones.
            assert value not in self.current, f"lost: {value!r}"
            for place in self.places[value]:
                newer = [number for number in numbers.get(place.key, []) if number > place.number]
                age = self.clock.now // 1000 - place.replaced
                assert len(newer) == KEPT or age > KEPT_TIME, f"lost: {value!r} from {place}"
        self.owed &= current | places.keys()
        self.current, self.places = current, places


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=examples(20, long=1000), stateful_step_count=40)
