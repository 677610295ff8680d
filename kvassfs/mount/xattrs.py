"""Extended attributes: what an entry carries besides its value, read-only."""

from __future__ import annotations

from ..sharing.address import format_share_url
from ..store import Row

PREFIX = "user.kvass."


def describe(row: Row, base: str) -> dict[str, bytes]:
    """Return the extended attributes of an entry by name, each as text.

    ``base`` is what the addresses of shared entries begin with, ``""`` if that is not known.
    """
    fields: dict[str, str | int] = {
        "token": row.url_token,
        "timestamp": row.timestamp,
        "process_id": row.process_id,
        "counter": row.counter,
        "synced": int(not row.dirty),
    }
    if base:
        fields["url"] = format_share_url(base, row.url_token)
    return {PREFIX + name: str(value).encode() for name, value in fields.items()}
