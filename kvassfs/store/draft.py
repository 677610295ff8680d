"""A value under construction: what is stored already, with changes on top."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from .contents import Change, Contents
from .database import Database
from .holds import Holds
from .values import StoredValue

if TYPE_CHECKING:
    from concurrent.futures import Future


T = TypeVar("T")


class _Stored(NamedTuple):
    """A block that is in the store already, and its length in bytes."""

    block: int
    length: int


class Draft:
    """The bytes of one value while they are read and changed.

    Changed blocks gather in memory; beyond ``Sizes.memory`` the complete ones go into the store,
    where nothing sees them until ``commit``. So memory is bounded whatever the size of the value.
    A long base is pinned until ``close``: then the draft is made inside the transaction that found it.
    """

    def __init__(self, database: Database, contents: Contents, holds: Holds, base: StoredValue | None = None) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._sizes = contents.sizes
        self._block_size = contents.sizes.block
        self._zeros = _zeros(self._block_size)
        self.size = 0
        self._base: int | None = None
        self._base_size = 0
        # By position: bytes are complete blocks, a bytearray is still growing or changing.
        self._memory: dict[int, bytes | bytearray] = {}
        self._stored: dict[int, _Stored] = {}
        self._cached: tuple[int, bytes] | None = None
        self._next: tuple[int, Future[bytes | None]] | None = None
        self._digests: dict[int, Future[bytes]] = {}
        self._short = b""
        if base is not None:
            self.size = base.size
            if base.data:
                self._memory[0] = base.data
            elif base.content is not None:
                self._holds.pin(base.content)
                self._base = base.content
                self._base_size = base.size

    # Reading

    def read(self, offset: int, size: int) -> bytes:
        """Return at most ``size`` bytes from ``offset``; fewer only at the end of the value."""
        end = min(offset + size, self.size)
        position, start = divmod(offset, self._block_size)
        if offset >= end:
            return b""
        if end <= (position + 1) * self._block_size:
            return self._piece(position, start, end - position * self._block_size)
        pieces = []
        while offset < end:
            position, start = divmod(offset, self._block_size)
            stop = min(self._block_size, end - position * self._block_size)
            pieces.append(self._piece(position, start, stop))
            offset += stop - start
        return b"".join(pieces)

    def _piece(self, position: int, start: int, stop: int) -> bytes:
        """Return bytes ``start`` to ``stop`` of a block, zeros beyond what is stored of it."""
        block = self._block(position)
        if start == 0 and stop == len(block) and type(block) is bytes:
            return block
        piece = bytes(block[start:stop])
        missing = stop - start - len(piece)
        return piece + self._zeros[:missing] if missing else piece

    def _block(self, position: int) -> bytes | bytearray:
        """Return what there is of a block; it may be shorter than the value requires."""
        block = self._memory.get(position)
        if block is not None:
            return block
        if self._cached is not None and self._cached[0] == position:
            return self._cached[1]
        data = self._read_block(position)
        self._cached = (position, data)
        return data

    def _read_block(self, position: int) -> bytes:
        stored = self._stored.get(position)
        if stored is not None:
            return self._contents.read_stored_block(stored.block)
        visible = self._base_size - position * self._block_size
        if self._base is None or visible <= 0:
            return b""
        data = self._read_base(self._base, position)
        return data if len(data) <= visible else data[:visible]

    def _read_base(self, base: int, position: int) -> bytes:
        """Return a block of the base; where blocks are read in order, the next one is read ahead."""
        data = None
        before = self._next
        if before is not None and before[0] == position:
            data = before[1].result()
        in_order = before is not None and before[0] == position
        if (in_order or position == 0) and (position + 1) * self._block_size < self._base_size:
            self._next = (position + 1, self._contents.prefetch_block(base, position + 1))
        else:
            self._next = None
        return self._contents.read_block(base, position) if data is None else data

    # Changing

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put ``data`` at ``offset``; a gap before it reads as zeros."""
        view = memoryview(data)
        if not view:
            return
        done = 0
        while done < len(view):
            if len(self._memory) > self._sizes.memory:
                self._spill()
            position, start = divmod(offset + done, self._block_size)
            length = min(self._block_size - start, len(view) - done)
            self._change(position, start, view[done : done + length])
            done += length
            self.size = max(self.size, offset + done)

    def _change(self, position: int, start: int, piece: memoryview) -> None:
        if len(piece) == self._block_size:
            self._complete(position, bytes(piece))
            return
        block = self._editable(position)
        if len(block) < start:
            block.extend(self._zeros[: start - len(block)])
        block[start : start + len(piece)] = piece
        if start + len(piece) == self._block_size:
            self._complete(position, bytes(block))

    def _complete(self, position: int, data: bytes) -> None:
        """Take a block that was written to its end: it is likely to stay so, and hashed meanwhile."""
        self._cached = None
        self._memory[position] = data
        self._digests[position] = self._contents.prefetcher.digest(data)

    def _editable(self, position: int) -> bytearray:
        self._digests.pop(position, None)
        block = self._memory.get(position)
        if type(block) is not bytearray:
            block = bytearray(self._block(position))
            self._cached = None  # it may be the block as it was
            self._memory[position] = block
        return block

    def truncate(self, size: int) -> None:
        """Cut or extend the value to ``size`` bytes; what is added reads as zeros."""
        if size < self.size:
            position, rest = divmod(size, self._block_size)
            cut = self._editable(position) if rest else bytearray()
            end = self._sizes.count(size)
            # What can fail comes first.
            self._unstage([at for at in self._stored if at >= end])
            del cut[rest:]
            for gone in [at for at in self._memory if at >= end]:
                del self._memory[gone]
                self._digests.pop(gone, None)
            self._base_size = min(self._base_size, size)
            self._cached = None
        self.size = size

    # Storing

    def _spill(self) -> None:
        """Store changed blocks, all but the last two positions, which are likely to be written next."""
        positions = sorted(self._memory)[:-2]
        with self._database.transaction:
            stored = {position: self._store(position) for position in positions}
        self._stored.update(stored)
        for position in positions:
            del self._memory[position]
            self._digests.pop(position, None)

    def _store(self, position: int) -> _Stored:
        block = self._add_block(position)
        self._holds.stage(block)
        before = self._stored.get(position)
        if before is not None:
            self._holds.unstage(before.block)
        return _Stored(block, self._length(position))

    def _add_block(self, position: int) -> int:
        hashed = self._digests.get(position)
        return self._contents.add_block(self._whole(position), None if hashed is None else hashed.result())

    def _length(self, position: int) -> int:
        """Return the length that the value's size gives to a block."""
        return min(self._block_size, self.size - position * self._block_size)

    def _whole(self, position: int) -> bytes | bytearray:
        return self._piece(position, 0, self._length(position))

    def _unstage(self, positions: list[int]) -> None:
        if positions:
            with self._database.transaction:
                for position in positions:
                    self._holds.unstage(self._stored[position].block)
            for position in positions:
                del self._stored[position]

    def commit(self, give: Callable[[int | None], T]) -> T:
        """Store the value and call ``give``, in one transaction; return what it returns.

        ``give`` is called with the id of the content that the value is stored as, ``None`` if it is empty, and gives it
        to an entry. After it, the draft goes on from what was stored; if it fails, nothing was stored and the draft
        is as before.
        """
        with self._database.transaction:
            content = self._add()
            self._let_go()
            if self.size > self._sizes.inline and content is not None:
                self._holds.pin(content)
            given = give(content)
        self._rebase(content)
        return given

    def _add(self) -> int | None:
        if self.size == 0:
            return None
        if self.size <= self._sizes.inline:
            self._short = self.read(0, self.size)
            return self._contents.add_inline(self._short)
        base_blocks = min(self._sizes.count(self._base_size), self._sizes.count(self.size))
        return self._contents.add_blocks(self.size, self._base, base_blocks, self._changes())

    def _changes(self) -> list[Change]:
        """Store the blocks that differ from the base's and return all that do, in order."""
        changes = []
        zeros: int | None = None
        for position in range(self._sizes.count(self.size)):
            length = self._length(position)
            stored = self._stored.get(position)
            if position not in self._memory:
                if stored is not None and stored.length == length:
                    changes.append(Change(position, stored.block))
                    continue
                visible = self._base_size - position * self._block_size
                if stored is None and min(visible, self._block_size) == length:
                    continue
                if stored is None and visible <= 0 and length == self._block_size:
                    zeros = zeros or self._contents.add_block(self._zeros)
                    changes.append(Change(position, zeros))
                    continue
            changes.append(Change(position, self._add_block(position)))
        return changes

    def _rebase(self, content: int | None) -> None:
        """Go on from ``content``, which was stored."""
        self._stored.clear()
        self._memory.clear()
        self._digests.clear()
        self._cached = self._next = None
        if self.size > self._sizes.inline:
            self._base = content
            self._base_size = self.size
        else:
            self._base = None
            self._base_size = 0
            if self.size:
                self._memory[0] = self._short

    def close(self) -> None:
        """Let go of everything; the draft is of no use afterwards."""
        if self._base is None and not self._stored:
            return
        self._database.retry_when_full(self._let_go)
        self._stored.clear()
        self._base = None
        self._base_size = 0

    def _let_go(self) -> None:
        for stored in self._stored.values():
            self._holds.unstage(stored.block)
        if self._base is not None:
            self._holds.unpin(self._base)


@cache
def _zeros(size: int) -> bytes:
    return bytes(size)
