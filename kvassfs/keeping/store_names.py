"""The names of a hub's stores."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final
from uuid import UUID

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")


def is_store_name(name: str) -> bool:
    """Return True for what a store can be called: what stands in the path of an address as it is."""
    return _NAME.fullmatch(name) is not None


def name_store(name: str) -> UUID:
    """Return what all rows of the store with a name begin with."""
    return UUID(bytes=sha256(name.encode()).digest()[:16])
