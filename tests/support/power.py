"""What a power cut may leave of files, as `disk_calls` wrote down what was done to them.

The model is that of POSIX, and thus worse than any disk: what was written to a file since it was last synchronised is
there or not, each sector of 512 bytes by itself; a change of its size likewise; and a name of a directory is as it was at
any moment since the directory was last synchronised, whatever became of other names. Only a rename is all or nothing, and
a sector is never half written (SQLite assumes no more: https://sqlite.org/psow.html, https://sqlite.org/atomiccommit.html).
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.support.disk_calls import Operation, Record

SECTOR = 512

Choose = Callable[[], bool]
"""Tells of something that no synchronisation has secured whether it is there."""


class Kept(enum.Enum):
    """What is there of all that no synchronisation has secured."""

    ALL = "all"
    """As if the process had been killed."""
    NOTHING = "nothing"
    CALLS = "some calls"
    SECTORS = "some sectors"
    NAMES = "all bytes, some names"
    BYTES = "some sectors, all names"


SAMPLED = (Kept.CALLS, Kept.SECTORS, Kept.NAMES, Kept.BYTES)


@dataclass
class _File:
    """A file: what of it is on the disk, and what was done to it since, in order."""

    secured: bytearray = field(default_factory=bytearray)
    changes: list[Record] = field(default_factory=list)

    def synchronise(self, begun: int) -> None:
        """Have on the disk what was done before ``begun``."""
        for change in self.changes:
            if change.at < begun:
                _apply(change, self.secured, lambda: True)
        self.changes = [change for change in self.changes if change.at >= begun]

    def read(self, whole: Choose, sector: Choose) -> bytes:
        """Return what may be there."""
        data = bytearray(self.secured)
        for change in self.changes:
            if whole():
                _apply(change, data, sector)
        return bytes(data)


def _apply(change: Record, data: bytearray, sector: Choose) -> None:
    if change.operation is Operation.WROTE:
        for start in range(0, len(change.data), SECTOR):
            piece, at = change.data[start : start + SECTOR], change.offset + start
            if sector():
                data.extend(bytes(max(0, at + len(piece) - len(data))))
                data[at : at + len(piece)] = piece
    elif change.operation is Operation.EXTENDED:
        data.extend(bytes(max(0, change.offset - len(data))))
    else:
        del data[change.offset :]
        data.extend(bytes(change.offset - len(data)))


@dataclass
class _Naming:
    """A change of names: each of them leads to a file now, or to none."""

    names: dict[str, _File | None]
    at: int


class Disk:
    """A directory as processes see it after the records that it was given, and as a power cut may leave it.

    ``directory`` is where they did it. What was there before the first record is on the disk.
    """

    def __init__(self, directory: Path, before: dict[str, bytes] | None = None) -> None:
        self._directory = str(directory.resolve())
        self._files: dict[int, _File] = {}
        self._names: dict[str, _File] = {}
        self._secured: dict[str, _File] = {}
        self._pending: list[_Naming] = []
        self._before = dict(before or {})
        self.number = 0
        """How many records there were."""

    def take(self, record: Record) -> None:
        """Take in what was done next."""
        self.number += 1
        match record.operation:
            case Operation.OPENED:
                self._open(record)
            case Operation.WROTE | Operation.TRUNCATED | Operation.EXTENDED:
                self._files[record.file].changes.append(record)
            case Operation.SYNCED:
                self._synchronise(record)
            case Operation.UNLINKED:
                self._name(record, {record.names[0]: None})
            case Operation.RENAMED:
                old, new = record.names
                self._name(record, {old: None, new: self._names[old]})
            case Operation.LINKED:
                old, new = record.names
                self._name(record, {new: self._names[old]})

    def _open(self, record: Record) -> None:
        (path,) = record.names
        if path == self._directory:
            return
        file = self._names.get(path)
        if file is None or self._files.get(record.file) is not file:
            file = self._files[record.file] = _File()
            known = self._before.pop(os.path.basename(path), None)
            if known is None:
                self._name(record, {path: file})
            else:
                file.secured += known
                self._names[path] = self._secured[path] = file
        if record.offset:  # O_TRUNC
            file.changes.append(record._replace(operation=Operation.TRUNCATED, offset=0))

    def _name(self, record: Record, names: dict[str, _File | None]) -> None:
        self._pending.append(_Naming(names, record.at))
        _rename(self._names, names)

    def _synchronise(self, record: Record) -> None:
        if record.file in self._files:
            self._files[record.file].synchronise(record.begun)
            return
        for naming in self._pending:
            if naming.at < record.begun:
                _rename(self._secured, naming.names)
        self._pending = [naming for naming in self._pending if naming.at >= record.begun]

    def cut(self, kept: Kept, random: Random) -> dict[str, bytes]:
        """Return the files, by their names, that a power cut leaves now."""

        def some() -> bool:
            return random.random() < share

        def every() -> bool:
            return True

        def none() -> bool:
            return False

        share = random.choice((0.1, 0.5, 0.9))
        whole, sector, naming = {
            Kept.ALL: (every, every, every),
            Kept.NOTHING: (none, none, none),
            Kept.CALLS: (some, every, some),
            Kept.SECTORS: (every, some, some),
            Kept.NAMES: (every, every, some),
            Kept.BYTES: (every, some, every),
        }[kept]
        files = {os.path.basename(path): file.read(whole, sector) for path, file in self._cut_names(naming).items()}
        return self._before | files

    def _cut_names(self, is_there: Choose) -> dict[str, _File]:
        """Return the names that are left: of changes that share one, some first ones."""
        names, gone = dict(self._secured), set[str]()
        for naming in self._pending:
            if gone.isdisjoint(naming.names) and is_there():
                _rename(names, naming.names)
            else:
                gone.update(naming.names)
        return names


def _rename(all_names: dict[str, _File], names: dict[str, _File | None]) -> None:
    for path, file in names.items():
        if file is None:
            all_names.pop(path, None)
        else:
            all_names[path] = file


@dataclass(frozen=True)
class Cut:
    """A power cut: after so many records, what it left, and what had been marked in the log by then."""

    number: int
    kept: Kept
    files: dict[str, bytes]
    marks: Sequence[str]

    def write(self, directory: Path) -> None:
        """Have a directory hold these files and no others."""
        for path in directory.iterdir():
            path.unlink()
        for name, data in self.files.items():
            (directory / name).write_bytes(data)

    def __str__(self) -> str:
        return f"after record {self.number}, {self.kept.value} of the rest"


def power_cuts(
    directory: Path,
    records: Iterable[Record],
    random: Random,
    *,
    share: float = 1.0,
    samples: int = 1,
    before: dict[str, bytes] | None = None,
) -> Iterator[Cut]:
    """Yield power cuts before the first record and after each, or after a ``share`` of them and after every mark.

    Each time with all that was not secured, with nothing of it, and with so many ``samples`` of it. What leaves the same
    as another one with the same marks is left out.
    """
    disk, marks = Disk(directory, before), list[str]()
    seen = set[int]()
    for record in [None, *records]:
        if record is not None:
            disk.take(record)
            if record.operation is Operation.MARK:
                marks.append(record.data.decode())
            elif random.random() >= share:
                continue
        for kept in (Kept.ALL, Kept.NOTHING, *random.choices(SAMPLED, k=samples)):
            files = disk.cut(kept, random)
            known = hash((len(marks), *sorted(files.items())))
            if known not in seen:
                seen.add(known)
                yield Cut(disk.number, kept, files, tuple(marks))


def without_directories_of_sqlite(records: Iterable[Record], directory: Path) -> list[Record]:
    """Return what is left where SQLite was built not to synchronise directories, which it does with ``fdatasync``."""
    number = directory.stat().st_ino
    return [each for each in records if each.operation is not Operation.SYNCED or each.file != number or each.offset]
