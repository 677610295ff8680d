"""Processes of this machine that work on the store: which one pushes, and which keep it in step with the hub."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from ..errors import StoreBusy
from ..tuples import NamedTuple
from .database import Database
from .machine import Machine
from .schema import IN_TOUCH_TIME
from .setting_rows import PUSH_FAILURE, read_json, read_setting, write_json, write_setting

UPLOAD_TIME = 1_000_000
"""Microseconds for which a push goes on before it is noted how far it is, and then again."""

UPLOAD = "upload"
"""The row of settings for that: the writer that pushes, and an ``Upload``."""

MOUNT_POINTS = "mount points"
"""The row of settings for where the store was mounted, so that it is seen what a mount left that was killed."""

MAX_MOUNT_POINTS = 100
"""Directories in it at most, the latest."""


class Follower(NamedTuple):
    """What keeps this store in step with the hub; the schema explains the columns. Times in µs.

    ``pid`` is the process to end it by: where it serves a mount, the mount's, which ends its helper.
    """

    pid: int
    place: str
    since: int
    reached: int
    error: str


class Upload(NamedTuple):
    """How far a push of another process is: bytes sent and left to send, and for how many µs it had been going then."""

    sent: int
    left: int
    time: int


class Processes:
    """Reads and writes which processes push and follow. ``writer`` tells this open store from others."""

    def __init__(self, database: Database, clock: Callable[[], int], writer: int, machine: Machine) -> None:
        self._database = database
        self._clock = clock
        self._writer = writer
        self._machine = machine
        self._push_begun = self._push_noted = 0

    # Pushing

    def begin_push(self) -> bool:
        """Become the one that pushes; ``False`` if another process is it already."""
        if self._somebody_pushes():
            return False
        with self._database.transaction:
            if self._somebody_pushes():
                return False
            self._database.execute("DELETE FROM pusher")
            self._database.execute(
                "INSERT INTO pusher VALUES (?, ?, ?)", (self._writer, os.getpid(), self._machine.find_own_start())
            )
            self._push_begun = self._push_noted = self._clock() // 1000
            return True

    def _somebody_pushes(self) -> bool:
        row = self._database.row("SELECT writer, pid, started FROM pusher")
        return row is not None and row[0] != self._writer and self._machine.find_start(row[1]) == row[2]

    def note_upload(self, sent: int, left: int) -> None:
        """Note how far the push of this process is, for others to show: once it takes long, and now and then."""
        now = self._clock() // 1000
        if now - self._push_noted >= UPLOAD_TIME:
            self._push_noted = now
            upload = Upload(sent, left, now - self._push_begun)
            write_json(self._database, UPLOAD, [self._writer, *upload])

    def upload(self) -> Upload | None:
        """Return how far the push of another process is; ``None`` if there is none that takes long."""
        noted = read_json(self._database, UPLOAD)
        if noted is None or not self._somebody_pushes():
            return None
        writer, *numbers = noted
        is_current = self._database.row("SELECT 1 FROM pusher WHERE writer = ?", (writer,)) is not None
        return Upload(*numbers) if is_current else None

    def end_push(self) -> None:
        """Let others push."""
        with self._database.transaction:
            self._database.execute("DELETE FROM pusher WHERE writer = ?", (self._writer,))
            if self._push_noted != self._push_begun:
                write_setting(self._database, UPLOAD, None)

    def note_push_failure(self, reason: str | None) -> None:
        """Note why the last push failed, whoever made it; ``None``: it did not."""
        if self.push_failure() != reason:
            with self._database.transaction:
                write_setting(self._database, PUSH_FAILURE, reason)

    def push_failure(self) -> str | None:
        """Return why the last push to the present hub failed, although that could be reached; ``None`` if it did not."""
        return read_setting(self._database, PUSH_FAILURE)

    # Serving

    def note_served(self, url: str) -> None:
        """Note that this process serves the store as the hub, at ``url`` as its socket has it."""
        own = (os.getpid(), self._machine.find_own_start())
        with self._database.transaction:
            others = [row for row in self._read_served() if tuple(row[:2]) != own]
            write_json(self._database, "served", [*others, [*own, url]])

    def served(self) -> list[str]:
        """Return the URLs at which living processes serve the store as the hub, the latest at the end."""
        return [url for _, _, url in self._read_served()]

    def _read_served(self) -> list[tuple[int, str, str]]:
        known = read_json(self._database, "served") or []
        return [(pid, begun, url) for pid, begun, url in known if self._machine.find_start(pid) == begun]

    # Mounts

    def note_mount_point(self, directory: str) -> None:
        """Note that this store is mounted at a directory. Where that is known, nothing is written."""
        known = self.mount_points()
        if directory not in known:
            write_json(self._database, MOUNT_POINTS, [*known, directory][-MAX_MOUNT_POINTS:])

    def mount_points(self) -> list[str]:
        """Return where this store is mounted or was."""
        known: list[str] | None = read_json(self._database, MOUNT_POINTS)
        return known or []

    # Followers

    def follow(self, place: str) -> None:
        """Note that this process keeps the store in step, for the mount at ``place`` or on its own."""
        with self._database.transaction:
            for pid, since in self._database.rows("SELECT pid, started FROM followers"):
                if self._machine.find_start(pid) != since:
                    self._database.execute("DELETE FROM followers WHERE pid = ?", (pid,))
            self._database.execute(
                "INSERT OR REPLACE INTO followers VALUES (?, ?, ?, ?, 0, '')",
                (os.getpid(), self._machine.find_own_start(), place, self._clock() // 1000),
            )

    def note_contact(self, error: str | None = None) -> None:
        """Note that this process, which follows, is in touch with the hub, or why it is not.

        Not while another process has the lock: it is noted again and again.
        """
        reached = self._clock() // 1000 if error is None else 0
        known = self._database.row("SELECT reached, error FROM followers WHERE pid = ?", (os.getpid(),))
        if error is None and known is not None and not known[1] and abs(reached - known[0]) < IN_TOUCH_TIME // 2:
            return
        with suppress(StoreBusy), self._database.waiting(0), self._database.transaction:
            self._database.execute(
                "UPDATE followers SET reached = ?, error = ? WHERE pid = ?", (reached, error or "", os.getpid())
            )

    def unfollow(self) -> None:
        """Note that this process follows no more."""
        with self._database.transaction:
            self._database.execute("DELETE FROM followers WHERE pid = ?", (os.getpid(),))

    def followers(self) -> list[Follower]:
        """Return the processes that keep the store in step and are alive."""
        rows = self._database.rows("SELECT pid, started, place, since, reached, error FROM followers ORDER BY since")
        return [
            Follower(self._machine.find_parent(pid) if place else pid, place, *rest)
            for pid, begun, place, *rest in rows
            if self._machine.find_start(pid) == begun
        ]

    def is_in_touch(self) -> bool:
        """Whether a process that is in touch with the hub keeps this store current."""
        now = self._clock() // 1000
        return any(
            follower.reached and abs(now - follower.reached) < IN_TOUCH_TIME and not follower.error
            for follower in self.followers()
        )
