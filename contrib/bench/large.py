"""Measure one large value: written and read through the mount and the command line, then changed in small steps.

Prints the time of each step (reading includes the SHA-256 by which the bytes are compared), the peak memory of each
process, and for each requirement whether it is met. The value is 2 GiB unless `--size` says otherwise; the disk needs
three times as much. The exit status is 1 where bytes that were read are not those written, otherwise 0 whatever the
figures are.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import checkout  # noqa: F401
from measured import MB, met
from rounds import can_drop_caches, drop_caches

from kvassfs.store import BLOCK_SIZE, Store
from tests.support.mounts import binding_environment, mount_command, mounted_by
from tests.support.processes import KVASS, peak_memory

MIB = 1024 * 1024
STEP = 4096
"""Bytes appended and changed at a time."""

CHANGES = 10
"""Small changes, by turns at the end and in the middle; each leaves a revision, and so many revisions are kept."""

MOUNTED, COMMANDED = "written by mount", "written by kvass set"
"""The two keys."""

WANTED_MEMORY = 150.0
WANTED_SECONDS = 1.0
WANTED_GROWTH = 2 * BLOCK_SIZE + 64 * 1024


class Differs(Exception):
    """Bytes that were read are not those that were written."""


class Content:
    """A value that can be made again, in which no two blocks are alike, with changes on top."""

    def __init__(self, mebibytes: int, seed: str) -> None:
        self.size = mebibytes * MIB
        self.changes: list[tuple[int, bytes]] = []
        self.random = random.Random(seed)  # noqa: S311 (no secret)
        self.block = self.random.randbytes(BLOCK_SIZE)
        self.written = self.digest()

    def chunks(self, changes: int = 0) -> Iterator[bytes]:
        """Give the value with its first `changes` changes, about 1 MiB at a time."""
        made = self.changes[:changes]
        for start in range(0, self.size, MIB):
            numbers = range(start, start + MIB, BLOCK_SIZE)
            chunk = bytearray().join(number.to_bytes(8) + self.block[8:] for number in numbers)
            for offset, data in made:
                if start <= offset < start + MIB:
                    chunk[offset - start : offset - start + len(data)] = data
            yield bytes(chunk)
        yield b"".join(data for offset, data in made if offset >= self.size)

    def change(self, number: int) -> tuple[int, bytes]:
        """Make a new change: even numbers append, odd ones change the middle; return its offset and its bytes."""
        appended = sum(offset >= self.size for offset, _ in self.changes)
        offset = self.size // 2 + number * 10_000 if number % 2 else self.size + appended * STEP
        self.changes.append((offset, self.random.randbytes(STEP)))
        return self.changes[-1]

    def digest(self, changes: int = 0) -> str:
        """Return the SHA-256 of the value with its first `changes` changes."""
        return digest(self.chunks(changes))


@dataclass
class Figures:
    """What was found: seconds, peak memory in MB of 1,000,000 bytes, and growth of the database's files in bytes."""

    size: int
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    change_seconds: list[float] = field(default_factory=list)
    change_growth: list[int] = field(default_factory=list)
    revisions: int = 0


def digest(chunks: Iterator[bytes]) -> str:
    """Return the SHA-256 of all of it."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def same(what: str, wanted: str, found: str) -> None:
    """Raise Differs where the digests do."""
    if wanted != found:
        raise Differs(f"{what}: the bytes differ")


class Trial:
    """The steps, on a database and a mount of it in a directory that is empty at first."""

    def __init__(self, base: Path, mebibytes: int, binding: str) -> None:
        self.database = base / "kvass.sqlite"
        self.kvass = [*KVASS, "--db", str(self.database)]
        self.directory = base / "mount"
        self.directory.mkdir()
        self.figures = Figures(mebibytes * MIB)
        self.contents = {MOUNTED: Content(mebibytes, "mount"), COMMANDED: Content(mebibytes, "kvass")}
        self.environment = binding_environment(binding)

    def run(self, say: Callable[[str], None]) -> Figures:
        """Do every step."""
        command = mount_command(self.database, self.directory)
        with mounted_by(command, self.directory, self.environment) as server:
            for name, step in self.steps().items():
                if can_drop_caches():
                    os.sync()
                    drop_caches()
                start = time.perf_counter()
                step()
                self.figures.seconds[name] = time.perf_counter() - start
                say(f"{name}: {self.figures.seconds[name]:.1f} s")
            self.make_changes()
            say("read the revisions")
            self.read_revisions()
            self.figures.memory["mount"] = peak_memory(server.pid) / MB
        return self.figures

    def steps(self) -> dict[str, Callable[[], None]]:
        """Return what is timed, by name."""
        return {
            "write through the mount": self.write_mount,
            "read through the mount": lambda: self.read_mount(MOUNTED),
            "kvass get": lambda: self.read_kvass(MOUNTED),
            "kvass set": self.write_kvass,
            "read through the mount what kvass set": lambda: self.read_mount(COMMANDED),
        }

    def write_mount(self) -> None:
        """Write and close a file."""
        with (self.directory / MOUNTED).open("wb", buffering=0) as stream:
            for chunk in self.contents[MOUNTED].chunks():
                stream.write(chunk)

    def read_mount(self, key: str) -> None:
        """Read a file and compare it."""
        with (self.directory / key).open("rb", buffering=0) as stream:
            found = digest(iter(lambda: stream.read(MIB), b""))
        same(f"{key}, read through the mount", self.contents[key].written, found)

    def write_kvass(self) -> None:
        """Set a key from standard input."""
        with subprocess.Popen([*self.kvass, "set", COMMANDED], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for chunk in self.contents[COMMANDED].chunks():
                process.stdin.write(chunk)
            process.stdin.close()
            self.note_memory("kvass set", process)

    def read_kvass(self, key: str) -> None:
        """Get a key on standard output and compare it."""
        with subprocess.Popen([*self.kvass, "get", key], stdout=subprocess.PIPE) as process:
            stream = process.stdout
            assert stream is not None
            found = digest(iter(lambda: stream.read(MIB), b""))
            self.note_memory("kvass get", process)
        same(f"{key}, read by kvass get", self.contents[key].written, found)

    def note_memory(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Wait for the process and note its peak memory."""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise Differs(f"{name} failed with {process.returncode}")
        self.figures.memory[name] = usage.ru_maxrss * 1024 / MB

    def make_changes(self) -> None:
        """Append and change a little, through the mount."""
        for number in range(CHANGES):
            offset, data = self.contents[MOUNTED].change(number)
            before = self.disk()
            start = time.perf_counter()
            descriptor = os.open(self.directory / MOUNTED, os.O_WRONLY)
            os.pwrite(descriptor, data, offset)
            os.close(descriptor)
            self.figures.change_seconds.append(time.perf_counter() - start)
            self.figures.change_growth.append(self.disk() - before)

    def disk(self) -> int:
        """Return the bytes that the database takes on the disk, once everything is in its place."""
        with Store.open(self.database) as store:
            store.upkeep.checkpoint()
        return sum(file.stat().st_blocks * 512 for file in self.database.parent.glob(f"{self.database.name}*"))

    def read_revisions(self) -> None:
        """Read the value and every revision of it, and compare each with what it was."""
        content = self.contents[MOUNTED]
        self.figures.revisions = 0
        same("the value after the changes", content.digest(CHANGES), self.digest_of_file())
        with Store.open(self.database) as store:
            revisions = store.revisions(MOUNTED)
            for age, revision in enumerate(revisions, start=1):
                found = digest(store._contents.read_all(revision.content, revision.entry.size))
                same(f"revision {age}", content.digest(CHANGES - age), found)
                self.figures.revisions += 1

    def digest_of_file(self) -> str:
        """Return the SHA-256 of the changed file."""
        with (self.directory / MOUNTED).open("rb", buffering=0) as stream:
            return digest(iter(lambda: stream.read(MIB), b""))


def lines(figures: Figures) -> Iterator[str]:
    """Give the report for people."""
    mebibytes = figures.size / MIB
    for name, seconds in figures.seconds.items():
        yield f"{name:40} {seconds:8.1f} s {mebibytes / seconds:8.0f} MiB/s"
    for name, memory in figures.memory.items():
        yield f"{'peak memory of ' + name:40} {memory:8.1f} MB   {met(memory < WANTED_MEMORY)}: < {WANTED_MEMORY:g} MB"
    for what, number in (("append 4 KiB", 0), ("change 4 KiB in the middle", 1)):
        worst = max(figures.change_seconds[number::2])
        yield f"{what + ', slowest':40} {worst:8.3f} s    {met(worst < WANTED_SECONDS)}: < {WANTED_SECONDS:g} s"
        growth = sum(figures.change_growth[number::2]) / len(figures.change_growth[number::2]) / 1024
        wanted = WANTED_GROWTH / 1024
        yield f"{what + ', disk, mean':40} {growth:8.0f} KiB  {met(growth < wanted)}: < {wanted:g} KiB"
    yield f"{'revisions that read as they were':40} {figures.revisions:8}      {met(figures.revisions == CHANGES)}: {CHANGES}"


def main() -> None:
    """Run the trial and print what it found."""
    options = parser().parse_args()
    base = Path(tempfile.mkdtemp(prefix="large-", dir=options.directory))
    print(f"{options.size} MiB, {options.binding}, {platform.platform()}, {os.cpu_count()} processors", file=sys.stderr)
    try:
        figures = Trial(base, options.size, options.binding).run(lambda line: print(line, file=sys.stderr))
    except Differs as error:
        sys.exit(f"large.py: {error}")
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(json.dumps(asdict(figures), indent=1) if options.json else "\n".join(lines(figures)))


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    new = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    new.add_argument("--size", type=int, default=2048, metavar="MIB", help="of the value (default: 2048)")
    new.add_argument("--binding", choices=["mfusepy", "fusepy"], default="mfusepy", help="default: mfusepy")
    new.add_argument("--directory", type=Path, help="where to work (default: where temporary files go)")
    new.add_argument("--json", action="store_true", help="print the figures for machines")
    return new


if __name__ == "__main__":
    main()
