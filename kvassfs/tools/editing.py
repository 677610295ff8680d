"""What an editor made of a value: decided from what there was, and what is in its file. Pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

from ..entry import Entry, directory_of, have_same_value

LONGEST_NAME: Final = 200
"""Bytes of the name of a file to edit; editors name files after it, and no name has more than 255."""

_LONGEST_EXTENSION: Final = 16


class Fingerprint(NamedTuple):
    """What tells whether bytes are the same: how many there are, and a hash of them."""

    size: int
    digest: bytes


class Outcome(Enum):
    """What became of a value while it was edited."""

    UNCHANGED = "it is as it was, and nothing is set"
    CHANGED = "it is another one"
    EMPTIED = "nothing is left of it: an empty file"


def take_fingerprint(chunks: Iterable[bytes]) -> Fingerprint:
    """Return the fingerprint of bytes."""
    size, digest = 0, hashlib.sha256()
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    return Fingerprint(size, digest.digest())


def decide_outcome(before: Fingerprint, after: Fingerprint) -> Outcome:
    """Return what became of a value with these fingerprints; of a new key, ``before`` is that of nothing."""
    if before == after:
        return Outcome.UNCHANGED
    return Outcome.CHANGED if after.size else Outcome.EMPTIED


def describe_meanwhile(key: str, began: Entry | None, now: Entry | None) -> str | None:
    """Return what to say where a key got another value while it was edited, from its entries then and now."""
    if began is None and now is None:
        return None
    if now is None:
        return f"{key} was removed meanwhile, and is there again as you saved it"
    if began is not None and have_same_value(began, now):
        return None
    verb = "made" if began is None else "changed"
    return f"{key} was {verb} meanwhile: it is as you saved it, and the other version is kept (`kvass log` shows it)"


def name_file(key: str) -> str:
    """Return the name of the file in which a key is edited: its last part, by whose extension editors tell what it is."""
    name = key[len(directory_of(key)) :]
    if name in {"", ".", ".."}:
        return "value"
    if len(name.encode()) <= LONGEST_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    end = f".{extension}" if dot and len(extension.encode()) <= _LONGEST_EXTENSION else ""
    kept = (stem if end else name).encode()[: LONGEST_NAME - len(end.encode())]
    return kept.decode("utf-8", "ignore") + end
