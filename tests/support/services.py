"""The service of a hub of one person, as tests make it."""

from __future__ import annotations

from typing import Any

from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome


def serve_file(path: str, **options: Any) -> Service:
    """Return the service of the one store at ``path``; ``options`` are those of ``FileHome`` and ``Service``."""
    own = {name: options.pop(name) for name in ("limits", "upkeep_interval") if name in options}
    return Service(FileHome(path, **options), **own)
