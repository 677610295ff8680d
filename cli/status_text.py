"""What ``kvass status`` shows to a person."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .formats import ago, entries, local_time, size, span
from .notices import one_line

if TYPE_CHECKING:
    from kvassfs.status import Hub, Status
    from kvassfs.store import Device, Follower

NOTHING = "(None)"


def shown(status: Status) -> str:
    """Return the status as lines, in columns as those of ``config show``."""
    return "".join(f"{title + ':' if title else '':<17}\t{one_line(text)}\n" for title, text in lines(status))


def lines(status: Status) -> Iterator[tuple[str, str]]:
    """Yield titles and texts; a line without a title goes on with the one above."""
    yield "Store", f"{status.path}, {size(status.size)}, {entries(status.entries)}"
    yield "Hub", status.hub.address if status.hub else NOTHING
    if status.hub:
        yield from hub_lines(status.hub, status.now)
    yield from listed("Followers", [follower_text(follower, status.now) for follower in status.followers])
    yield from listed("Devices", [device_text(device, status.now) for device in status.devices])


def hub_lines(hub: Hub, now: int) -> Iterator[tuple[str, str]]:
    """Yield what is known of the hub at ``now``, µs since the epoch."""
    yield "Answers", answer_text(hub)
    yield "Clock", clock_text(hub.difference if hub.answers else None)
    yield "Waiting", f"{entries(hub.waiting)} ({size(hub.waiting_size)})"
    yield "Last exchange", f"{local_time(hub.exchanged)}, {ago(hub.exchanged, now)}" if hub.exchanged else "never"


def listed(title: str, texts: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the title with the first text, and the others below."""
    for text in texts or [NOTHING]:
        yield title, text
        title = ""


def answer_text(hub: Hub) -> str:
    """Return whether the hub answers, or why not."""
    if hub.answers is None:
        return "not asked"
    return f"yes, protocol version {hub.version}" if hub.answers else f"no: {hub.error}"


def clock_text(difference: int | None) -> str:
    """Return how the hub's clock differs from ours, by ``difference`` µs."""
    if difference is None:
        return "not known"
    seconds = abs(difference) / 1_000_000
    if seconds < 0.05:
        return "that of the hub agrees"
    amount = span(round(seconds)) if seconds >= 60 else f"{seconds:.1f} s"
    return f"hub is {amount} {'ahead' if difference > 0 else 'behind'}"


def follower_text(follower: Follower, now: int) -> str:
    """Return who follows the hub since when, and when it last heard from it, or why it does not."""
    who = f"mount {follower.place}" if follower.place else "kvass sync --follow"
    heard = f"heard from the hub {ago(follower.reached, now)}" if follower.reached else "not in touch"
    reason = f": {follower.error}" if follower.error else ""
    return f"{who} (pid {follower.pid}) since {local_time(follower.since)}, {heard}{reason}"


def device_text(device: Device, now: int) -> str:
    """Return which device it is, and when it was seen last."""
    return f"{device.process_id}, {ago(device.seen, now)}"
