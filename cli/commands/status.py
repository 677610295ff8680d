"""``kvass status``: the store, its hub, and how far they are in step."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

from kvassfs.conflict import Conflict, find_command
from kvassfs.replica import describe_device
from kvassfs.status import HubStatus, Status, inspect
from kvassfs.store import Follower

from .. import streams
from ..database import DatabaseFile, pass_database
from ..formats import format_utc
from ..group import Command
from ..offline import offline_option
from ..status_text import format_status


@click.command("status", cls=Command, example="kvass status --json")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object, for programs")
@offline_option
@pass_database
def command(database: DatabaseFile, as_json: bool, offline: bool) -> None:
    """Show the store, whether its hub answers, who is in touch with it, and what waits to be pushed."""
    with database.open_existing() as store:
        status = inspect(store, offline=offline)
    text = json.dumps(build_object(status), indent=2) + "\n" if as_json else format_status(status)
    streams.write([text.encode("utf-8", "surrogateescape")])


def build_object(status: Status) -> dict[str, Any]:
    """Return the status for programs: times in ISO 8601, sizes in bytes, ``None`` for what is not known."""
    hub = status.hub
    return {
        "store": {
            "path": status.path,
            "read_only": status.obstacle or None,
            "size": status.size,
            "entries": status.entries,
            "space": status.space._asdict(),
            "gives_back": status.gives_back,
        },
        "hub": hub and _build_hub(hub),
        "waiting": hub and _build_waiting(hub),
        "last_exchange": hub and _format_moment(hub.exchanged),
        "in_touch": status.in_touch,
        "followers": [_build_follower(follower) for follower in status.followers],
        "devices": [
            {
                "process_id": device.process_id,
                "name": device.name or None,
                "last_seen": _format_moment(device.seen),
            }
            for device in status.devices
        ],
        "sealed": status.kind or None,
        "refused": [
            {"name": entry.name, "reason": entry.reason, "time": _format_moment(entry.time)} for entry in status.refused
        ],
        "conflicts": [_build_conflict(conflict, status.names) for conflict in status.conflicts],
    }


def _build_conflict(conflict: Conflict, names: Mapping[int, str]) -> dict[str, Any]:
    return {
        "key": conflict.entry.key,
        "number": conflict.number,
        "time": format_utc(conflict.entry.timestamp),
        "device": describe_device(conflict.loser, names),
        "lost_to": describe_device(conflict.winner, names),
        "command": find_command(conflict),
    }


def _build_waiting(hub: HubStatus) -> dict[str, Any]:
    upload = hub.upload
    return {
        "entries": hub.waiting,
        "size": hub.waiting_size,
        "failure": hub.push_failure or None,
        "upload": upload and {"sent": upload.sent, "left": upload.left, "seconds": upload.time / 1_000_000},
    }


def _build_hub(hub: HubStatus) -> dict[str, Any]:
    return {
        "address": hub.address,
        "answers": hub.responds,
        "error": hub.error or None,
        "protocol_version": hub.version or None,
        "clock_difference": None if hub.difference is None else hub.difference / 1_000_000,
    }


def _build_follower(follower: Follower) -> dict[str, Any]:
    return {
        "pid": follower.pid,
        "mount": follower.place or None,
        "since": _format_moment(follower.since),
        "last_heard": _format_moment(follower.reached),
        "error": follower.error or None,
    }


def _format_moment(moment: int) -> str | None:
    return format_utc(moment) if moment else None
