"""Saving what can be read of a damaged database, and saying what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ..errors import KvassError
from ..store.salvage import Salvage, salvage
from .finding import OK, WARNING, WRONG, Finding, find_error, type_line

MAX_NAMES: Final = 1000
"""Lost keys that are named."""


def save(path: str, target: str, *, now: int, report: Callable[[int, int], None]) -> Salvage:
    """Save what can be read of the database at ``path`` into the empty file ``target``, see ``salvage``."""
    return salvage(path, target, now=now, report=report)


def judge_loss(path: str, *, now: int, report: Callable[[int, int], None]) -> Iterator[Finding]:
    """Yield what is lost of a damaged database, as far as that can be told."""
    try:
        yield from _list_lost(save(path, "", now=now, report=report))
    except KvassError as error:
        yield find_error("lost", error)


def judge_salvage(saved: Salvage, path: str, file: str) -> Iterator[Finding]:
    """Yield what was saved into ``file``, and each key that is lost."""
    entries = "1 key" if saved.entries == 1 else f"{saved.entries} keys"
    versions = "1 earlier version" if saved.revisions == 1 else f"{saved.revisions} earlier versions"
    lost = list(_list_lost(saved))
    remedy = f"end what uses {path}, keep that file, and {type_line('mv', '--', file, path)}; then `kvass sync`"
    text = f"{entries} and {versions} are in {file}"
    yield Finding("saved", WARNING if lost else OK, text, remedy)
    yield from lost or [Finding("lost", OK, "nothing that was found; a value of up to 64 KiB has no checksum")]


def _list_lost(saved: Salvage) -> Iterator[Finding]:
    for key in saved.lost[:MAX_NAMES]:
        yield Finding("lost", WRONG, key)
    if len(saved.lost) > MAX_NAMES:
        yield Finding("lost", WRONG, f"and {len(saved.lost) - MAX_NAMES} more keys")
    if saved.versions:
        yield Finding("lost", WRONG, f"earlier versions: {saved.versions}")
    for part in saved.parts:
        text, _, remedy = part.partition("; ")
        yield Finding("lost", WRONG, text, remedy)
