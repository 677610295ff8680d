"""Conflicts: two versions of a key of which neither writer had seen the other's; pure functions.

What a writer had seen of a key stands in its entry as the text ``"7:12 9:3"``: for each other writer the newest version,
as a process id and a counter, the most recent one first; ``""`` where there was none. ``None`` is not known, as of the
original program. It is a version vector without the writer's own place, which the counters of one writer make needless.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .entry import Entry, have_same_value
from .tuples import NamedTuple

MOST_SEEN = 8
"""Versions that an entry names at most as seen by its writer."""


class Origin(NamedTuple):
    """What names a version among those of one key: its writer's process id and counter."""

    process_id: int
    counter: int

    def __str__(self) -> str:
        """Return the form that entries have."""
        return f"{self.process_id}:{self.counter}"


class Conflict(NamedTuple):
    """A version that lost to one of ``winner`` (a process id), whose writer had not seen it. Nobody has settled that.

    ``number`` names the version in the history of its key. ``met`` is this replica's clock when it found the conflict.
    """

    entry: Entry
    number: int
    winner: int
    met: int

    @property
    def loser(self) -> int:
        """Return the process id of the one who wrote the value that lost."""
        return find_origin(self.entry).process_id


def parse_seen(text: str | None) -> list[Origin]:
    """Return the versions that a writer had seen."""
    return [parse_origin(pair) for pair in text.split()] if text else []


def parse_origin(text: str) -> Origin:
    """Return the version that a text names."""
    process_id, _, counter = text.partition(":")
    return Origin(int(process_id), int(counter))


def format_seen(seen: Iterable[Origin]) -> str:
    """Return versions as the text that an entry has."""
    return " ".join(map(str, seen))


def find_origin(entry: Entry) -> Origin:
    """Return the version that wrote the value of an entry, which may itself have changed mode, times or token alone."""
    return Origin(entry.process_id, entry.counter) if entry.origin is None else parse_origin(entry.origin)


def note_seen(process_id: int, base: Entry | None, others: Iterable[Origin] = ()) -> str:
    """Return what the writer ``process_id`` has seen when it begins with the version ``base`` of the key.

    That is what the writer of ``base`` had seen, and that version itself; and ``others``, versions that lost and that the
    person was told of.
    """
    if not others and (base is None or (base.process_id == process_id and not base.seen)):
        return ""  # as mostly
    found: dict[int, Origin] = {}
    own = [] if base is None else [Origin(base.process_id, base.counter)]
    for origin in (*own, *others, *parse_seen(None if base is None else base.seen)):
        before = found.get(origin.process_id)
        if origin.process_id != process_id:
            found[origin.process_id] = origin if before is None or before < origin else before
    return format_seen(list(found.values())[:MOST_SEEN])


def has_seen(entry: Entry, version: Entry) -> bool:
    """Return True if whoever wrote ``entry`` knew the value of ``version``, as far as the entry tells.

    Where it does not tell, they are taken to have known it.
    """
    origin = find_origin(version)
    return (
        entry.seen is None
        or entry.process_id == origin.process_id
        or any(
            seen.process_id == origin.process_id and seen.counter >= origin.counter for seen in parse_seen(entry.seen)
        )
    )


def follows(entry: Entry, version: Entry) -> bool:
    """Return True if it is known that whoever wrote ``entry`` had ``version`` of the key before, or a later one of its writer."""
    if entry.process_id == version.process_id:
        return version.counter < entry.counter
    return any(
        seen.process_id == version.process_id and seen.counter >= version.counter for seen in parse_seen(entry.seen)
    )


def is_conflict(winner: Entry, loser: Entry) -> bool:
    """Return True if a version that loses to ``winner`` has a value of which nobody decided that it goes.

    Whether the values are the same although they were written apart is not looked at here.
    """
    is_other = loser.is_file and not have_same_value(winner, loser) and find_origin(winner) != find_origin(loser)
    return is_other and not has_seen(winner, loser)


def describe_conflict(conflict: Conflict, names: Mapping[int, str]) -> str:
    """Return a line that says which versions met, and how the one that lost is shown; ``names`` are those of devices."""
    from .replica import describe_device  # noqa: PLC0415  who sets a key has nothing described

    return (
        f"{conflict.entry.key!r}: the version of {describe_device(conflict.loser, names)} lost to that of"
        f" {describe_device(conflict.winner, names)}, and neither knew the other; `{find_command(conflict)}` shows it"
    )


def find_command(conflict: Conflict) -> str:
    """Return the command that shows the version that lost."""
    import shlex  # noqa: PLC0415  most keys are in no conflict

    key = shlex.quote(conflict.entry.key)
    return (
        f"kvass get --rev {conflict.number} -- {key}"
        if key.startswith("-")
        else f"kvass get {key} --rev {conflict.number}"
    )
