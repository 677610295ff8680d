"""A value under construction: what is stored already, with changes on top."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ValueTooLarge
from .contents import Contents, make_zeros
from .database import Database
from .holds import Holds
from .runs import CachedBlock, Run, StoredBlock

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import TypeVar

    T = TypeVar("T")

    from .prefetch import BlockRun
    from .values import StoredValue
    from .views import View


class Draft:
    """The bytes of one value while they are read and changed.

    Changed blocks gather in memory; beyond ``Sizes.memory`` the complete ones go into the store,
    where nothing sees them until ``commit``. So memory is bounded whatever the size of the value. What is
    neither written nor of the base is a hole, which costs nothing.
    A long base is pinned until ``close``: then the draft is made inside the transaction that found it; or it is read
    from a ``view``, where nobody could write, and pinned before it is changed.
    """

    def __init__(
        self,
        database: Database,
        contents: Contents,
        holds: Holds,
        base: StoredValue | None = None,
        view: View | None = None,
    ) -> None:
        self._database = database
        self._contents = contents
        self._holds = holds
        self._sizes = contents.sizes
        self._block_size = contents.sizes.block
        self._zeros = make_zeros(self._block_size)
        self.size = 0
        self._view: View | None = None
        self._base: int | None = None
        self._base_size = 0
        self._base_room: int | None = None
        # By position: bytes are complete blocks, a bytearray is still growing or changing.
        self._memory: dict[int, bytes | bytearray] = {}
        self._stored: dict[int, StoredBlock] = {}
        self._cached: CachedBlock | None = None
        self._next: tuple[int, Future[BlockRun | None]] | None = None
        self._digests: dict[int, Future[bytes]] = {}
        self._short = b""
        self._original_size = 0 if base is None else base.size
        if base is not None:
            self._go_on_from(base, view)
        if view is not None and self._view is None:
            view.close()

    def _go_on_from(self, base: StoredValue, view: View | None) -> None:
        self.size = base.size
        if base.data:
            self._memory[0] = base.data
        elif base.content is not None:
            if view is None:
                self._holds.pin(base.content)
            self._view = view
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
        stored, cached = self._stored.get(position), self._cached
        # A run of the base goes on behind blocks that were written.
        if cached is not None and cached.start <= position < (cached.start + 1 if stored else cached.stop):
            return cached.data
        self._cached = self._read_block(position, stored)
        return self._cached.data

    def _read_block(self, position: int, stored: StoredBlock | None) -> CachedBlock:
        if stored is not None:
            return CachedBlock(position, position + 1, self._contents.read_stored_block(stored.block))
        visible = self._visible(position)
        if self._base is None or not visible:
            return CachedBlock(position, position + 1, b"")
        data, stop = self._read_base(self._base, position)
        if visible < len(data):
            return CachedBlock(position, position + 1, data[:visible])
        return CachedBlock(position, max(position + 1, min(stop, self._base_size // self._block_size)), data)

    @property
    def _base_contents(self) -> Contents:
        """Where the base is read from."""
        return self._contents if self._view is None else self._view.contents

    def _visible(self, position: int) -> int:
        """Return how many bytes of a block the base has."""
        return max(0, min(self._base_size - position * self._block_size, self._block_size))

    def _read_base(self, base: int, position: int) -> BlockRun:
        """Return a block of the base; where blocks are read in order, the next one is read ahead."""
        before, self._next = self._next, None
        in_order = before is not None and before[0] == position
        run = before[1].result() if before is not None and in_order else None
        if run is None:
            run = self._base_contents.read_run(base, position)
        if self._view is None and (in_order or position == 0) and run.stop * self._block_size < self._base_size:
            self._next = (run.stop, self._contents.prefetch_run(base, run.stop))
        return run

    # Holes

    def count_holes(self) -> int:
        """Return how many bytes take no room, at least."""
        if self._base_room is None:
            self._base_room = 0 if self._base is None else self._base_contents.find_room(self._base)
        written = (len(self._memory) + len(self._stored)) * self._block_size
        grown = min(self.size, self._sizes.count(self._base_size) * self._block_size) - self._base_size
        return max(0, self.size - self._base_room - grown - written)  # the base's last block takes room when it grows

    def find_data(self, offset: int) -> int | None:
        """Return where the next data are from ``offset`` on, ``None`` if there are none."""
        return self._find_kind(offset, holes=False) if offset < self.size else None

    def find_hole(self, offset: int) -> int:
        """Return where the next hole begins from ``offset`` on; there is one at the end."""
        found = self._find_kind(offset, holes=True)
        return self.size if found is None else found

    def _find_kind(self, offset: int, *, holes: bool) -> int | None:
        if self._memory or self._stored or self._base is None or self._base_size != self.size:
            return None if holes else offset  # until it is saved, all counts as data
        position = self._base_contents.find_kind(self._base, offset // self._block_size, zeros=holes)
        return None if position is None else max(offset, position * self._block_size)

    # Changing

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put ``data`` at ``offset``; a gap before it reads as zeros.

        Raises:
            ValueTooLarge
        """
        view = memoryview(data)
        if not view:
            return
        self.check_size(offset + len(view))
        self._own_base()
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
        """Cut or extend the value to ``size`` bytes; what is added reads as zeros.

        Raises:
            ValueTooLarge
        """
        self.check_size(size)
        self._own_base()
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

    def _own_base(self) -> None:
        """Pin a base that is read from a view.

        Raises:
            ValueReplaced: the key has another value by now.
        """
        if self._view is not None and self._base is not None:
            self._view.hand_over(self._base, self._database, self._holds)
            self._view = None

    def check_size(self, size: int) -> None:
        """Raise ``ValueTooLarge`` if no value can have so many bytes."""
        if size > self._sizes.largest:
            raise ValueTooLarge(self._sizes.largest)

    # Storing

    def _spill(self) -> None:
        """Store changed blocks, all but the last two positions, which are likely to be written next.

        Where many are stored, they become a value, which nothing names: it is the base from then on, and what is left
        for ``commit`` is little, however much was written.
        """
        positions = sorted(self._memory)[:-2]
        self._stored.update(self._database.retry_when_full(lambda: self._store_all(positions)))
        for position in positions:
            del self._memory[position]
            self._digests.pop(position, None)
        self._cached = None
        if len(self._stored) >= self._sizes.segment:
            self.commit(self._contents.drop)

    def _store_all(self, positions: list[int]) -> dict[int, StoredBlock]:
        self._database.transaction.stores_value = True
        return {position: self._store(position) for position in positions}

    def _store(self, position: int) -> StoredBlock:
        block = self._add_block(position)
        self._holds.stage(block)
        before = self._stored.get(position)
        if before is not None:
            self._holds.unstage([before.block])
        return StoredBlock(block, self._length(position))

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
            blocks = [self._stored[position].block for position in positions]
            self._database.retry_when_full(lambda: self._holds.unstage(blocks))
            for position in positions:
                del self._stored[position]

    def commit(self, give: Callable[[int | None], T]) -> T:
        """Store the value and call ``give``, in one transaction; return what it returns.

        ``give`` is called with the id of the content that the value is stored as, ``None`` if it is empty, and gives it
        to an entry. After it, the draft goes on from what was stored; if it fails, nothing was stored and the draft
        is as before.
        """
        self._own_base()
        content, given = self._database.retry_when_full(lambda: self._give(give))
        self._rebase(content)
        return given

    def _give(self, give: Callable[[int | None], T]) -> tuple[int | None, T]:
        self._database.transaction.stores_value |= self.size > self._original_size
        content = self._add()
        self._let_go()
        if self.size > self._sizes.inline and content is not None:
            self._holds.pin(content)
        return content, give(content)

    def _add(self) -> int | None:
        if self.size == 0:
            return None
        if self.size <= self._sizes.inline:
            self._short = self.read(0, self.size)
            return self._contents.add_inline(self._short)
        base_blocks = min(self._sizes.count(self._base_size), self._sizes.count(self.size))
        return self._contents.add_blocks(self.size, self._base, base_blocks, self._changes())

    def _changes(self) -> list[Run]:
        """Store the blocks that differ from the base's and return all that do, in order."""
        end = self._sizes.count(self.size)
        hole = self._sizes.count(self._base_size)  # where the base ends
        changes = []
        for position in self._find_changed(end):
            changes += self._make_hole(hole, position)
            changes.append(Run(position, self._change_block(position)))
            hole = max(hole, position + 1)
        return changes + self._make_hole(hole, end)

    def _find_changed(self, end: int) -> list[int]:
        """Return the positions before ``end`` of blocks that are neither the base's nor a whole block of zeros."""
        written = {position for positions in (self._memory, self._stored) for position in positions if position < end}
        # Where base and value end, a block may have to be longer or shorter.
        for position in (self._base_size // self._block_size, end - 1):
            if position < end and self._visible(position) not in (self._length(position), 0):
                written.add(position)
        if self._length(end - 1) < self._block_size and not self._visible(end - 1):
            written.add(end - 1)
        return sorted(written)

    def _make_hole(self, start: int, end: int) -> list[Run]:
        return [Run(start, self._contents.add_zeros(), end - start)] if start < end else []

    def _change_block(self, position: int) -> int:
        """Return the block that is stored as what was written at a position, or store it."""
        stored = self._stored.get(position)
        if position not in self._memory and stored is not None and stored.length == self._length(position):
            return stored.block
        return self._add_block(position)

    def _rebase(self, content: int | None) -> None:
        """Go on from ``content``, which was stored."""
        self._stored.clear()
        self._memory.clear()
        self._digests.clear()
        self._cached = self._next = self._base_room = None
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
        if self._view is not None:
            self._view.close()
        self._holds.let_go(
            self._base if self._view is None else None, [stored.block for stored in self._stored.values()]
        )
        self._view = None
        self._stored.clear()
        self._base = None
        self._base_size = 0

    def _let_go(self) -> None:
        self._holds.unstage(stored.block for stored in self._stored.values())
        if self._base is not None:
            self._holds.unpin(self._base)
