"""A draft holds what a bytearray would, however it is written, cut, saved and opened again."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from kvassfs.store import Draft, Store, Written
from kvassfs.store.database import Database
from tests.support.searches import examples
from tests.support.stores import REGULAR, SMALL, Clock, audit, audit_clean, read, save

# Blocks have 64 bytes, and segments four of them.
OFFSETS = st.one_of(
    st.integers(0, 400),
    st.sampled_from([0, 15, 16, 17, 63, 64, 65, 70, 128, 130, 192, 256, 512]),
    st.sampled_from([1024, 1500, 4096, 4200, 9999]),  # with holes of whole segments before
)

SIZES = st.one_of(st.integers(0, 300), st.sampled_from([0, 1, 3, 16, 64, 128, 256]))


class Drafts(RuleBasedStateMachine):
    """Several drafts of one key, each with what it should hold."""

    drafts: Bundle[tuple[Draft, bytearray]] = Bundle("drafts")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.stack = ExitStack()
        self.store = self.stack.enter_context(Store.open(self.directory / "db", clock=Clock(), sizes=SMALL))
        self.database: Database = self.store._database
        self.database.execute("PRAGMA synchronous=OFF")
        self.saved: bytes | None = None
        self.open: list[tuple[Draft, bytearray]] = []
        self.written = 0

    def teardown(self) -> None:
        try:
            for draft, expected in self.open:
                self.end(draft, expected)
            audit_clean(self.store)
        finally:
            self.stack.close()
            shutil.rmtree(self.directory)

    def bytes_of(self, size: int) -> bytes:
        """Return bytes unlike those written before, or every third time blocks that are often the same, or zeros."""
        self.written += 1
        if self.written % 5 == 0:
            return bytes(size)
        return b"x" * size if self.written % 3 == 0 else (b"%d " % self.written * size)[:size]

    def opened(self, draft: Draft, expected: bytes) -> tuple[Draft, bytearray]:
        self.open.append((draft, bytearray(expected)))
        return self.open[-1]

    @precondition(lambda self: len(self.open) < 3)
    @rule(target=drafts)
    def begin(self) -> tuple[Draft, bytearray]:
        return self.opened(self.store.tree.draft(), b"")

    @precondition(lambda self: len(self.open) < 3)
    @rule(target=drafts)
    def open_what_is_saved(self) -> tuple[Draft, bytearray]:
        draft = self.store.tree.draft() if self.saved is None else self.store.tree.open("a")[1]
        return self.opened(draft, self.saved or b"")

    @rule(one=drafts, offset=OFFSETS, size=SIZES)
    def write(self, one: tuple[Draft, bytearray], offset: int, size: int) -> None:
        draft, expected = one
        data = self.bytes_of(size)
        draft.write(offset, data)
        if data:
            expected.extend(bytes(max(0, offset - len(expected))))
            expected[offset : offset + size] = data

    @rule(one=drafts, size=SIZES)
    def append(self, one: tuple[Draft, bytearray], size: int) -> None:
        self.write(one, len(one[1]), size)

    @rule(one=drafts, position=st.integers(0, 5), inside=st.integers(0, 63), size=st.integers(1, 64))
    def write_a_block_and_into_it(self, one: tuple[Draft, bytearray], position: int, inside: int, size: int) -> None:
        self.write(one, position * 64, 64)
        self.write(one, position * 64 + inside, size)

    @rule(one=drafts, position=st.integers(0, 5))
    def write_what_was_just_read_and_others(self, one: tuple[Draft, bytearray], position: int) -> None:
        self.read(one, position * 64, 10)
        self.write(one, position * 64 + 5, 10)
        self.write(one, (position + 1) * 64, 300)
        self.read(one, position * 64, 64)

    @rule(one=drafts, size=OFFSETS)
    def truncate(self, one: tuple[Draft, bytearray], size: int) -> None:
        draft, expected = one
        draft.truncate(size)
        del expected[size:]
        expected.extend(bytes(size - len(expected)))

    @rule(one=drafts, offset=OFFSETS, size=SIZES)
    def read(self, one: tuple[Draft, bytearray], offset: int, size: int) -> None:
        draft, expected = one
        assert draft.read(offset, size) == expected[offset : offset + size]

    @rule(one=drafts)
    def read_in_order(self, one: tuple[Draft, bytearray]) -> None:
        draft, expected = one
        pieces = [draft.read(offset, 50) for offset in range(0, len(expected), 50)]
        assert b"".join(pieces) == expected

    @rule(one=drafts)
    def look_for_holes(self, one: tuple[Draft, bytearray]) -> None:
        """What is no hole must be told as data, and no byte of a hole may be anything but zero."""
        draft, expected = one
        offset, data = 0, bytearray(len(expected))
        while (start := draft.find_data(offset)) is not None:
            offset = draft.find_hole(start)
            data[start:offset] = expected[start:offset]
        assert data == expected
        blocks = [expected[at : at + 64] for at in range(0, len(expected), 64)]
        assert draft.count_holes() <= sum(len(block) for block in blocks if not any(block))

    @rule(one=drafts)
    def save(self, one: tuple[Draft, bytearray]) -> None:
        draft, expected = one
        written = Written(mode=REGULAR)
        node = self.store.tree.save("a", draft, written, scratch=False, now=10**15, amends=None).node
        assert node.size == len(expected)
        self.saved = bytes(expected)

    @rule(one=consumes(drafts))
    def close(self, one: tuple[Draft, bytearray]) -> None:
        self.open = [kept for kept in self.open if kept[0] is not one[0]]
        self.end(*one)

    @staticmethod
    def end(draft: Draft, expected: bytearray) -> None:
        try:
            assert draft.read(0, len(expected) + 1) == expected
        finally:
            draft.close()

    @rule(size=SIZES)
    def replace_otherwise(self, size: int) -> None:
        self.saved = self.bytes_of(size)
        save(self.store, "a", self.saved)

    @rule()
    def forget_revisions(self) -> None:
        with self.database.transaction:
            for revision in self.store.revisions("a"):
                self.store._revisions._forget(revision.id, revision.content)

    @rule()
    def clean(self) -> None:
        self.store.upkeep.clean()

    @invariant()
    def every_draft_has_its_size(self) -> None:
        for draft, expected in self.open:
            assert draft.size == len(expected)

    @invariant()
    def what_is_saved_stays(self) -> None:
        if self.saved is not None:
            assert read(self.store, self.store.tree.file("a")) == self.saved

    @invariant()
    def the_store_is_sound(self) -> None:
        audit(self.store)


TestDrafts = Drafts.TestCase
TestDrafts.settings = settings(max_examples=examples(25, long=1000), stateful_step_count=40)
