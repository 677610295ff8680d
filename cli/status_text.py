"""The status of a store as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kvassfs.clocks import describe_difference
from kvassfs.conflict import Conflict, describe_conflict
from kvassfs.kind import Kind
from kvassfs.status import HubStatus, Status
from kvassfs.store import Device, Follower, RefusedEntry, Space, Upload
from kvassfs.sync.refused_news import describe_refused

from .formats import format_age, format_entry_count, format_left, format_local_time, format_size, format_span
from .notices import escape_controls

NOTHING = "(None)"

SEALED = {Kind.DEVICE: "the hub cannot read this store", Kind.HUB: "this is the hub, and cannot read what is here"}
"""What is said of a store whose hub cannot read it."""

MOST_REFUSED = 10
"""Entries that were not taken that are told in full."""

MOST_CONFLICTS = 10
"""Conflicts that are told in full where they are not what was asked for."""


def format_status(status: Status) -> str:
    """Return the status as lines, in columns as those of ``config show``."""
    return "".join(
        f"{title + ':' if title else '':<17}\t{escape_controls(text)}\n" for title, text in _list_facts(status)
    )


def _list_facts(status: Status) -> Iterator[tuple[str, str]]:
    """Yield titles and texts; a line without a title goes on with the one above."""
    yield "Store", f"{status.path}, {format_size(status.size)}, {format_entry_count(status.entries)}"
    if status.obstacle:
        yield "", f"can only be read: {status.obstacle}"
    for user in status.strays:
        yield (
            "",
            f"warning: process {user.pid} ({user.command}) has a file open that was this database; it saves no more",
        )
    yield "Space", format_space(status.space)
    if not status.gives_back:
        yield "", "what is free stays with it until `kvass gc` has written it anew once"
    yield "Hub", status.hub.address if status.hub else NOTHING
    if status.hub:
        yield from _list_hub_facts(status.hub, status.now)
    if status.kind:
        yield "Sealed", SEALED[status.kind]
        yield from (("", line) for line in list_refused(status.refused))
    yield from _list_texts("Followers", [format_follower(follower, status.now) for follower in status.followers])
    yield from _list_texts("Devices", [format_device(device, status.now) for device in status.devices])
    if status.conflicts:
        yield from _list_texts("Conflicts", list(list_conflicts(status.conflicts, status.names)))


def list_refused(refused: Sequence[RefusedEntry]) -> Iterator[str]:
    """Yield what the hub of a sealed store has that was not taken, and why; of many, the latest in full."""
    for entry in refused[:MOST_REFUSED]:
        yield describe_refused(entry.name, entry.reason)
    if len(refused) > MOST_REFUSED:
        yield f"and {format_entry_count(len(refused) - MOST_REFUSED)} more"


def format_space(space: Space) -> str:
    """Return what takes the room of a store."""
    parts = (
        ("current", space.current),
        ("history", space.history),
        ("to be cleaned up", space.dropped),
        ("free", space.free),
    )
    return ", ".join(f"{format_size(size)} {name}" for name, size in parts)


def _list_hub_facts(hub: HubStatus, now: int) -> Iterator[tuple[str, str]]:
    exchanged = f"{format_local_time(hub.exchanged)}, {format_age(hub.exchanged, now)}" if hub.exchanged else "never"
    yield "Answers", format_response(hub)
    difference = hub.difference if hub.responds and not hub.error else None
    yield "Clock", format_clock(difference)
    if (warning := describe_difference(difference)) is not None:
        yield "", f"warning: {warning}"
    yield "Waiting", f"{format_entry_count(hub.waiting)} ({format_size(hub.waiting_size)})"
    if hub.push_failure:
        yield "", f"not pushed: {hub.push_failure}"
    if hub.upload is not None:
        yield "", format_upload(hub.upload)
    yield "Last exchange", exchanged


def format_upload(upload: Upload) -> str:
    """Return how far what sends the entries that wait is, with rate and time left."""
    seconds = max(upload.time, 1) / 1_000_000
    parts = [
        f"on the way: {format_size(upload.sent)} of {format_size(upload.sent + upload.left)} sent",
        f"{format_size(round(upload.sent / seconds))}/s",
    ]
    parts += [format_left(seconds / upload.sent * upload.left)] if upload.sent and upload.left else []
    return ", ".join(parts)


def _list_texts(title: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the title with the first text, and the others below."""
    for text in texts or [NOTHING]:
        yield title, text
        title = ""


def format_response(hub: HubStatus) -> str:
    """Return whether the hub responds, or why not."""
    if hub.responds is None:
        return "not asked"
    if hub.error:
        return f"yes, but: {hub.error}" if hub.responds else f"no: {hub.error}"
    return f"yes, protocol version {hub.version}"


def format_clock(difference: int | None) -> str:
    """Return how the hub's clock differs from ours, by ``difference`` µs."""
    if difference is None:
        return "not known"
    seconds = abs(difference) / 1_000_000
    if seconds < 0.05:
        return "that of the hub agrees"
    amount = format_span(round(seconds)) if seconds >= 60 else f"{seconds:.1f} s"
    return f"hub is {amount} {'ahead' if difference > 0 else 'behind'}"


def format_follower(follower: Follower, now: int) -> str:
    """Return who follows the hub since when, and when it last heard from it, or why it does not."""
    who = f"mount {follower.place}" if follower.place else "kvass sync --follow"
    heard = f"heard from the hub {format_age(follower.reached, now)}" if follower.reached else "not in touch"
    reason = f": {follower.error}" if follower.error else ""
    return f"{who} (pid {follower.pid}) since {format_local_time(follower.since)}, {heard}{reason}"


def format_device(device: Device, now: int) -> str:
    """Return which device it is, and when it was seen last."""
    who = f"{device.name} ({device.process_id})" if device.name else str(device.process_id)
    return f"{who}, {format_age(device.seen, now)}"


def list_conflicts(conflicts: Sequence[Conflict], names: Mapping[int, str]) -> Iterator[str]:
    """Yield a line for each conflict, of the first ones; ``names`` are those of devices, by process id."""
    for conflict in conflicts[:MOST_CONFLICTS]:
        yield describe_conflict(conflict, names)
    if len(conflicts) > MOST_CONFLICTS:
        yield f"and {len(conflicts) - MOST_CONFLICTS} more: `kvass log --conflicts` lists them"
