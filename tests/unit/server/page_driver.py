"""Somebody who asks a hub for pages, without a network."""

from __future__ import annotations

import asyncio
import hashlib
import re
from base64 import b64encode
from contextlib import contextmanager
from typing import Any

from kvassfs.server.application import Service
from kvassfs.server.homes import FileHome
from tests.unit.server.driver import Answer, ask, served


class ManyHome(FileHome):
    """A home with stores below their paths."""

    @contextmanager
    def open_stores(self) -> Any:  # type: ignore[override]
        yield None


def ask_service(service: Service, path: str, **options: Any) -> Answer:
    """Make a request and return the answer to it."""

    async def talk() -> Answer:
        async with served(service) as app:
            return await ask(app, path, **{"method": "GET", **options})

    return asyncio.run(asyncio.wait_for(talk(), 60))


def check_hashes(document: str, policy: str) -> None:
    """Check that a policy names the one script and the one style of a document, and nothing inline beside them."""
    for name, directive in (("style", "style-src"), ("script", "script-src")):
        (source,) = re.findall(rf"<{name}[^>]*>(.*?)</{name}>", document, re.DOTALL)
        digest = b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
