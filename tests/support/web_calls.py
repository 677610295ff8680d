"""Calls of functions of the page, whose modules run in node: see tests/unit/server/web/calls.mjs."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kvassfs.entry import Delivery, Entry

from .node import run_module

Json = Any

_ENTRY = ("key", "timestamp", "counter", "processId", "urlToken", "size", "mode", "modTime", "seen", "origin")
"""What the page calls the parts of an entry."""


def pack(data: bytes | None) -> str | None:
    """Return bytes as a call has them."""
    return None if data is None else base64.b64encode(data).decode()


def pack_delivery(delivery: Delivery) -> Json:
    """Return a delivery as the page names its parts."""
    entry, sequence, value, blocks, counts = delivery
    return {
        "entry": pack_entry(entry),
        "sequence": sequence,
        "value": pack(value),
        "blocks": pack(blocks),
        "counts": list(counts),
    }


def pack_entry(entry: Entry) -> Json:
    """Return an entry as the page names its parts."""
    mod_time = None if entry.mod_time is None else str(entry.mod_time)
    return dict(zip(_ENTRY, entry, strict=True)) | {"modTime": mod_time}


def pack_deliveries(deliveries: Iterable[Delivery]) -> Json:
    """Return deliveries as the page names their parts."""
    return [*map(pack_delivery, deliveries)]


def call_module(module: Path, folder: Path, calls: list[Json]) -> list[Json]:
    """Return what functions of the page return, or their errors; ``folder`` is a place for the calls."""
    file = folder / "calls"
    file.write_text(json.dumps(calls))
    found: list[Json] = run_module(module, file)
    return found
