"""What a mount makes and removes is held back for a moment: editors and tools undo it at once. Pure functions."""

from __future__ import annotations

from .rows import DIRTY, HELD, KEPT, Row

TRANSIENT_TIME = 2_000_000
"""Microseconds: a key of the mount that is gone again after less than this, and was never sent to another device,
leaves no trace."""

SETTLING_TIME = 1_000_000_000
"""Nanoseconds for which the removal of a key in a mount is held back: editors move a file aside, or remove
it, just before they write it anew. Likewise that a directory lost its last name: it may be removed next."""

GATHERING_TIME = 300_000_000
"""The same for a new key of a mount: scripts make files to rename or remove them with their next command, and on a busy
machine that takes a tenth of a second to start."""

TEMPORARY_TIME = 2_000_000_000
"""The same for one that has the name of such a file: of git's locks for one, which stay as long as a commit takes."""

_TEMPORARY = (
    r"((^|/)(tmp[^/]*|(sed|XX)[A-Za-z0-9]{6})"  # of many; of sed and perl
    r"|\.o[A-Za-z0-9]{6}|\.lock|\.te?mp|\.part|\.partial|-journal|-wal)/?\Z"  # of patch; of many
)


def held_for(row: Row, now: int) -> int:
    """Return for how many more nanoseconds a version is held back at ``now`` (ns); 0 if it may be sent."""
    if row.dirty not in (HELD, KEPT):
        return 0
    if not row.live or row.dirty == KEPT:
        since, time = row.changed, SETTLING_TIME
    else:
        since, time = row.born * 1000, TEMPORARY_TIME if _is_temporary(row.key) else GATHERING_TIME
    age = now - since
    # A clock that was set back since says nothing of the time that has passed.
    return max(time - age, 0) if age >= 0 else 0


def _is_temporary(key: str) -> bool:
    import re  # noqa: PLC0415  a command holds nothing back

    return re.search(_TEMPORARY, key) is not None


def state_after_write(old: Row | None, *, transient: bool) -> int:
    """Return the state of a new version of a key; ``transient``: a mount writes it, so a new key is held back."""
    return HELD if transient and (old is None or not old.live or old.floor is None) else DIRTY


def is_transient(row: Row, now: int) -> bool:
    """Return True if the key came into being a moment before ``now`` (µs) and no other device has it.

    Or, however long ago, since the last name in a directory went.
    """
    # A clock that was set back since says nothing about how long the key has been there.
    return row.floor is None and (row.dirty == KEPT or 0 <= now - row.born < TRANSIENT_TIME)


def find_birth(old: Row | None, came: int | None, now: int) -> int:
    """Return when a key that is written at ``now`` came into being (µs).

    ``came`` is the age that a value brings along from another key. A key that was deleted a moment ago goes on with
    its age: editors delete and make a key anew while saving.
    """
    age = now if came is None else came
    return age if old is None or _is_long_gone(old, now) else min(old.born, age)


def _is_long_gone(row: Row, now: int) -> bool:
    """Return True if the key was deleted more than TRANSIENT_TIME before ``now``."""
    return not row.live and now - row.changed // 1000 >= TRANSIENT_TIME
