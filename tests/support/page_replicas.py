"""Replicas of the page, in one process of node: they keep everything in memory, and can die and be set back."""

from __future__ import annotations

import atexit
import base64
import json
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from kvassfs.errors import HubFailed, HubUnreachable, KvassError, NotAHub, WrongKey
from tests.support.replicas import ADDRESS, KEY, SMALL_LIMITS, Version
from tests.support.stores import SMALL, YEAR_2024, Clock

MODULE = Path(__file__).with_suffix(".mjs")

KEEPING_SIZES = {
    "whole": SMALL_LIMITS.whole_bytes,
    "page": SMALL_LIMITS.page_bytes,
    "pageBlocks": SMALL_LIMITS.page_blocks,
    "revisions": 10_000,
    "keptTime": 10**15,
}
"""Every revision is kept, and messages are short."""

SMALL_SIZES = KEEPING_SIZES | {"block": SMALL.block}
"""And blocks are as small as in other stores."""

NOT_HERE = b"(not here)"
"""What stands for a value that a page has not got."""

Carry = Callable[[str, bytes, float], bytes]


class PageCrashed(BaseException):
    """The page was closed in the middle of what it did."""


class PageFailed(KvassError):
    """What the page was asked for has failed; ``kind`` is the class of its error."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Kept(NamedTuple):
    """A value that a page has, current or not."""

    key: str
    url_token: str
    value: bytes


class State(NamedTuple):
    """All that a page has: versions with their values, ``NOT_HERE`` where that is so, what is dirty, open conflicts, and what was refused."""

    versions: dict[str, Version]
    dirty: set[str]
    kept: list[Kept]
    conflicts: list[tuple[str, int, int, str | None]]
    refused: dict[str, str]


class Pages:
    """The process. ``ask`` has one of its replicas do something; ``carry`` carries what that posts."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "--no-warnings", str(MODULE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        atexit.register(self.close)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def ask(self, what: dict[str, Any], carry: Carry | None = None) -> Any:
        """Have something done and return the result.

        Raises:
            PageFailed: it failed.
            PageCrashed: ``carry`` has said so.
        """
        crash: PageCrashed | None = None
        said = self._say(what)
        while "post" in said:
            assert carry is not None, "it must not call the hub"
            try:
                body = base64.b64decode(said["body"])
                said = self._say({"answer": base64.b64encode(carry(said["post"], body, said["wait"])).decode()})
            except PageCrashed as error:
                crash = error
                said = self._say({"error": "Crash"})
            except KvassError as error:
                said = self._say(describe_error(error))
        if crash is not None:
            raise crash
        if "error" in said:
            raise PageFailed(said["error"], f"{said['message']}\n{said['stack']}")
        return said["result"]

    def _say(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, "node has ended"
        answer: dict[str, Any] = json.loads(said)
        return answer


def describe_error(error: KvassError) -> dict[str, Any]:
    """Return what a post has failed with as the page knows it."""
    if isinstance(error, HubFailed):
        return {"error": "HubFailed", "status": error.status}
    for kind in (HubUnreachable, WrongKey, NotAHub):
        if isinstance(error, kind):
            return {"error": kind.__name__}
    raise error


@cache
def pages() -> Pages:
    """Return the one process that is enough for all histories."""
    return Pages()


class PageReplica:
    """A device in a page, with a clock of its own. ``carry`` carries what it posts;

    ``sealed``: its hub cannot read. ``lazy``: it gets no value that comes in blocks, as nobody looks at any.
    """

    def __init__(
        self, number: int, process_id: int, clock: Clock, carry: Carry, seed: int, *, sealed: bool = False, lazy: bool
    ) -> None:
        self.number = number
        self.clock = clock
        self._carry = carry
        sizes = KEEPING_SIZES if sealed else SMALL_SIZES
        self.lazy = lazy
        make = {
            "do": "make",
            "processId": process_id,
            "key": encode(KEY),
            "sealed": sealed,
            "lazy": lazy,
            "sizes": sizes,
            "seed": seed,
        }
        pages().ask({"who": number, **make})

    def ask(self, action: str, **values: Any) -> Any:
        """Have something done, by the present clock."""
        clock = {"now": self.clock.now // 1000, "uptime": (self.clock.true - YEAR_2024) // 1000}
        return pages().ask({"who": self.number, "do": action, **clock, **values}, self._carry)

    def set(self, key: str, value: bytes) -> str:
        """Set a key and return the token of its version."""
        return str(self.ask("set", key=key, value=encode(value)))

    def synchronise(self, what: str, *, anew: bool = True) -> int:
        """Exchange with the hub, and get all values; return how many entries moved."""
        return int(self.ask("synchronise", what=what, anew=anew))

    def acknowledged(self) -> dict[str, tuple[int, int, int]]:
        """Return keys whose current version the hub is taken to have or to have beaten, and its order."""
        return {
            key: (timestamp, counter, -process_id)
            for key, timestamp, counter, process_id in self.ask("listAcknowledged")
        }

    def describe(self) -> State:
        """Return all that it has."""
        state = self.ask("describe")
        versions = {
            key: Version(
                (timestamp, counter, -process_id),
                token,
                mode,
                None if mod_time is None else int(mod_time),
                seen,
                origin,
                NOT_HERE if value is None else base64.b64decode(value),
            )
            for key, timestamp, counter, process_id, token, mode, mod_time, seen, origin, value, _ in state["versions"]
        }
        return State(
            versions,
            {row[0] for row in state["versions"] if row[-1]},
            [Kept(key, token, base64.b64decode(value)) for key, token, value in state["kept"]],
            [tuple(conflict) for conflict in state["conflicts"]],
            state["refused"],
        )


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def unreachable() -> HubUnreachable:
    return HubUnreachable(ADDRESS, "no answer")
