"""``kvass status``: the store, its hub, and how far they are in step."""

from __future__ import annotations

import json
from typing import Any

import click

from kvassfs.status import Hub, Status, inspect
from kvassfs.store import Follower

from .. import hub, status_text, streams
from ..database import DatabaseFile, pass_database
from ..formats import universal_time
from ..group import Command


@click.command("status", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object, for programs")
@hub.offline_option
@pass_database
def command(database: DatabaseFile, as_json: bool, offline: bool) -> None:
    """Show the store, whether its hub answers, who is in touch with it, and what waits to be pushed."""
    with database.open() as store:
        status = inspect(store, offline=offline)
    text = json.dumps(as_object(status), indent=2) + "\n" if as_json else status_text.shown(status)
    streams.write([text.encode("utf-8", "surrogateescape")])


def as_object(status: Status) -> dict[str, Any]:
    """Return the status for programs: times in ISO 8601, sizes in bytes, ``None`` for what is not known."""
    hub = status.hub
    return {
        "store": {"path": status.path, "size": status.size, "entries": status.entries},
        "hub": hub and _hub_object(hub),
        "waiting": hub and {"entries": hub.waiting, "size": hub.waiting_size},
        "last_exchange": hub and _moment(hub.exchanged),
        "in_touch": status.in_touch,
        "followers": [_follower_object(follower) for follower in status.followers],
        "devices": [{"process_id": device.process_id, "last_seen": _moment(device.seen)} for device in status.devices],
    }


def _hub_object(hub: Hub) -> dict[str, Any]:
    return {
        "address": hub.address,
        "answers": hub.answers,
        "error": hub.error or None,
        "protocol_version": hub.version or None,
        "clock_difference": None if hub.difference is None else hub.difference / 1_000_000,
    }


def _follower_object(follower: Follower) -> dict[str, Any]:
    return {
        "pid": follower.pid,
        "mount": follower.place or None,
        "since": _moment(follower.since),
        "last_heard": _moment(follower.reached),
        "error": follower.error or None,
    }


def _moment(moment: int) -> str | None:
    return universal_time(moment) if moment else None
