"""Traces of what must not be known: looked for in files, messages and the memory of a process."""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path

PAGE = 4096

PIECE = 8 * 1024 * 1024
"""Bytes of memory that are looked at together."""

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r)(.)..\s\S+\s\S+\s(\d+)\s*(.*)")


def spell(secret: bytes) -> set[bytes]:
    """Return how bytes can stand somewhere: as they are, in hex, and in base64 of either kind, also in the middle of others."""
    spellings = {secret, secret.hex().encode()}
    for before in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            text = encode(bytes(before) + secret + bytes(2))
            whole = len(secret) - (3 - before) % 3
            start = 4 if before else 0
            spellings.add(text[start : start + whole // 3 * 4])
    return spellings


def find_traces(secrets: Mapping[str, bytes], places: Iterable[tuple[str, bytes]]) -> dict[str, set[str]]:
    """Return what of the secrets, by their names, is in which places."""
    spelt = {name: sorted(spell(secret)) for name, secret in secrets.items()}
    found: dict[str, set[str]] = {}
    for place, data in places:
        for name, spellings in spelt.items():
            if any(text in data for text in spellings):
                found.setdefault(place, set()).add(name)
    return found


def read_memory(pid: int) -> Iterator[bytes]:
    """Yield the memory of a process as a core has it: all that can be read, but for files that nobody has written to."""
    regions = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if (found := _REGION.match(line)) is None or found[6].startswith("[v"):
            continue
        start, stop = int(found[1], 16), int(found[2], 16)
        is_code = (found[4] == "-" and found[6].endswith((".so", ".py"))) or (".so." in found[6] and found[4] == "-")
        if not is_code:
            regions.append((start, stop))
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, stop in regions:
            for at in range(start, stop, PIECE):
                try:
                    memory.seek(at)
                    # A bit more, so that nothing is cut in two.
                    piece = memory.read(min(PIECE + PAGE, stop - at))
                except (OSError, ValueError):  # it is not there any more, or none of it can be read
                    continue
                yield from _split_written(piece)


def _split_written(piece: bytes) -> Iterator[bytes]:
    """Yield what is in a piece of memory, without the pages that nobody has written to: those are most of it."""
    pages = (piece[at : at + PAGE] for at in range(0, len(piece), PAGE))
    for is_empty, run in groupby(pages, key=lambda page: not page.strip(b"\0")):
        if not is_empty:
            yield b"".join(run)
