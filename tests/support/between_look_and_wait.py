"""A mount in which something happens exactly between libfuse's look at its exit flag and its wait for a request.

Run it as a program, with the binding, the directory, the database, a file and what is to happen: the number of a
signal, or "unmount". It serves the mount in the foreground. Once the file is there, the next time that libfuse is
about to read a request, which is just behind its look at the flag, the file is removed and that happens; then it reads.

The seam is libfuse's table of addresses (the "global offset table"), in which those of the C library's read() and
splice() are replaced in memory.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from kvassfs.mount.binding import _library, choose
from kvassfs.mount.requirements import DEVICE
from kvassfs.mount.run import MountOptions, mount

DYNAMIC = 2  # PT_DYNAMIC
STRINGS, SYMBOLS, SIZE, RELOCATIONS, SIZE_OF_JUMPS, JUMPS = 5, 6, 8, 7, 2, 23  # DT_STRTAB, DT_SYMTAB, DT_RELASZ, …

# What libfuse reads requests by, with the descriptor first.
READERS = {
    "read": ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, use_errno=True),
    "splice": ctypes.CFUNCTYPE(
        ctypes.c_ssize_t,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        use_errno=True,
    ),
}

_libc = ctypes.CDLL(None, use_errno=True)


def read_memory(address: int, layout: str) -> tuple[int, ...]:
    return struct.unpack(layout, ctypes.string_at(address, struct.calcsize(layout)))


def find_base(library: str) -> int:
    """Return where a loaded library, given by its file's name, begins in memory."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if len(fields) > 5 and Path(fields[5]).name.startswith(library) and fields[2] == "00000000":
            return int(fields[0].partition("-")[0], 16)
    raise LookupError(library)


def read_dynamic(base: int) -> dict[int, int]:
    """Return the tags of a library of 64 bits; what is an address is one in memory."""
    (table,) = read_memory(base + 32, "Q")
    size, count = read_memory(base + 54, "HH")
    for header in range(base + table, base + table + size * count, size):
        if read_memory(header, "I") == (DYNAMIC,):
            (place,) = read_memory(header + 16, "Q")
            (length,) = read_memory(header + 40, "Q")
            pairs = [read_memory(base + place + at, "QQ") for at in range(0, length, 16)]
            tags = {tag: value for tag, value in pairs if tag}
            addresses = {STRINGS, SYMBOLS, RELOCATIONS, JUMPS}
            return {tag: value + base * (tag in addresses and value < base) for tag, value in tags.items()}
    raise LookupError("no dynamic section")


def find_slots(library: str) -> Iterator[tuple[str, int]]:
    """Yield the names of the functions that a library calls of others, and where their addresses are kept."""
    base = find_base(library)
    tags = read_dynamic(base)
    for start, size in ((JUMPS, SIZE_OF_JUMPS), (RELOCATIONS, SIZE)):
        for at in range(tags.get(start, 0), tags.get(start, 0) + tags.get(size, 0), 24):
            place, info, _ = read_memory(at, "QQq")
            if info >> 32:
                (name,) = read_memory(tags[SYMBOLS] + 24 * (info >> 32), "I")
                yield ctypes.string_at(tags[STRINGS] + name).decode(), base + place


def replace(slot: int, function: Any) -> None:
    page = slot // mmap.PAGESIZE * mmap.PAGESIZE
    writable = 3  # PROT_READ | PROT_WRITE
    if _libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), writable):
        raise OSError(ctypes.get_errno(), "mprotect")
    ctypes.c_void_p.from_address(slot).value = ctypes.cast(function, ctypes.c_void_p).value


def put_before_reads(library: str, act: Callable[[], None]) -> list[object]:
    """Have ``act`` be called before each read of a request; return what must live as long."""
    kept: list[object] = []
    for name, slot in find_slots(library):
        if name in READERS:
            real = READERS[name]((name, _libc))

            def read(descriptor: int, *arguments: int, real: Callable[..., int] = real) -> int:
                with suppress(OSError):
                    if os.readlink(f"/proc/self/fd/{descriptor}") == DEVICE:
                        act()
                return real(descriptor, *arguments)

            kept.append(READERS[name](read))
            replace(slot, kept[-1])
    assert len(kept) >= len(READERS), f"{library} calls neither {' nor '.join(READERS)}"
    return kept


def main(binding: str, directory: str, database: str, file: str, what: str) -> None:
    def act() -> None:
        if os.path.exists(file):
            os.unlink(file)
            if what == "unmount":
                subprocess.run(["fusermount3", "-u", "-z", directory], check=True)
            else:
                signal.raise_signal(int(what))

    library = Path(_library(choose(binding).major)).name
    kept = put_before_reads(library.partition(".so")[0] + ".so", act)
    mount(MountOptions(directory, database, foreground=True, binding=binding))
    del kept


if __name__ == "__main__":
    main(*sys.argv[1:])
