"""Extended attributes: what an entry carries besides its value, read-only."""

from __future__ import annotations

from ..store import Row

PREFIX = "user.kvass."


def values(row: Row) -> dict[str, bytes]:
    """Return the extended attributes of an entry by name, each as text."""
    fields = {
        "token": row.url_token,
        "timestamp": row.timestamp,
        "process_id": row.process_id,
        "counter": row.counter,
        "synced": int(not row.dirty),
    }
    return {PREFIX + name: str(value).encode() for name, value in fields.items()}
