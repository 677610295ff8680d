"""The paths of a hub for many: each store lies below its own, ``/s/NAME``."""

from __future__ import annotations

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from ..keeping.store_names import is_store_name, name_store
from .homes import STORE

BEGINNING: Final = "/s/"


class StorePaths:
    """An ASGI application that has ``of_store`` respond below the path of a store, and ``beside`` elsewhere.

    ``of_store`` gets the path behind the name, and the name as ``STORE`` of the scope. Whether there is such a store makes no
    difference here.
    """

    def __init__(self, of_store: ASGIApp, beside: ASGIApp) -> None:
        self._of_store = of_store
        self._beside = beside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a request, or run the lifespan."""
        name, path = split_path(scope["path"]) if scope["type"] == "http" else (None, "")
        if name is None:
            await self._beside(scope, receive, send)
            return
        scope["path"] = path
        scope[STORE] = str(name_store(name))
        await self._of_store(scope, receive, send)


def split_path(path: str) -> tuple[str | None, str]:
    """Return the name of the store that a path lies below, and the rest of it; ``None`` and all of it, where it is none."""
    if path.startswith(BEGINNING):
        name, slash, rest = path[len(BEGINNING) :].partition("/")
        if slash and is_store_name(name):
            return name, f"/{rest}"
    return None, path
