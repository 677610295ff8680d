"""kvassfs.doctor.mounts"""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from kvassfs.doctor.finding import Finding
from kvassfs.doctor.mounts import Mount, collect_closed, collect_mounts, judge_closed, judge_mounts
from kvassfs.mount.mountpoint import KIND, Mounted
from kvassfs.store import Store

TABLE = [
    Mounted("/alive", KIND, "/db"),
    Mounted("/dead", KIND, "/db"),
    Mounted("/elsewhere", "fuse.sshfs", "host:"),
    Mounted("/another's", KIND, "/db"),
    Mounted("/alive", KIND, "/db"),
]


def ask(directory: str) -> None:
    numbers = {"/dead": errno.ENOTCONN, "/another's": errno.EACCES, "/elsewhere": errno.ENOTCONN}
    if directory in numbers:
        raise OSError(numbers[directory], "")


def test_the_dead_are_told_from_the_living_and_what_is_none_of_ours_is_left_alone() -> None:
    assert collect_mounts(table=lambda: TABLE, ask=ask) == [
        Mount("/alive", "alive", "/db"),
        Mount("/dead", "dead", "/db"),
        Mount("/another's", "alive", "/db"),
    ]


def test_one_that_hangs_is_not_waited_for() -> None:
    released = threading.Event()
    assert collect_mounts(0.05, table=lambda: TABLE[:1], ask=lambda _: released.wait(30)) == [
        Mount("/alive", "silent", "/db")
    ]
    released.set()


def test_where_there_is_no_table_there_is_no_mount() -> None:
    def fail() -> Iterable[Mounted]:
        raise FileNotFoundError

    assert collect_mounts(table=fail) == []


@pytest.mark.parametrize(
    ("mounts", "findings"),
    [
        ([], [Finding("mounts", "ok", "nothing is mounted")]),
        ([Mount("/a", "alive", "/db"), Mount("/b", "alive", "/db")], [Finding("mounts", "ok", "/a, /b")]),
        (
            [Mount("/a b", "dead", "/db")],
            [
                Finding(
                    "mounts",
                    "wrong",
                    "/a b: its process died (Transport endpoint is not connected)",
                    "type: kvass umount '/a b'",
                )
            ],
        ),
        (
            [Mount("/a", "alive", "/db"), Mount("/-b", "silent", "/db")],
            [
                Finding("mounts", "wrong", "/-b does not answer", "type: kvass umount --lazy /-b"),
                Finding("mounts", "ok", "/a"),
            ],
        ),
        (
            [Mount("/a", "dead", "/other"), Mount("/b", "silent", "/other"), Mount("/c", "dead", "relative")],
            [
                Finding(
                    "mounts",
                    "warning",
                    "/a: its process died (Transport endpoint is not connected)",
                    "type: kvass umount /a",
                ),
                Finding("mounts", "warning", "/b does not answer", "type: kvass umount --lazy /b"),
                Finding(
                    "mounts",
                    "wrong",
                    "/c: its process died (Transport endpoint is not connected)",
                    "type: kvass umount /c",
                ),
            ],
        ),
    ],
)
def test_how_the_mounts_are_in_words(mounts: list[Mount], findings: list[Finding]) -> None:
    assert list(judge_mounts(mounts, "/db")) == findings


def test_a_directory_that_a_killed_mount_left_closed_is_known(tmp_path: Path) -> None:
    with Store.open(tmp_path / "db") as store:
        for directory in ("/open", "/a b", "/open"):
            store.processes.note_mount_point(directory)
        closed = collect_closed(store, lambda directory: directory == "/a b")
    assert closed == ["/a b"]
    (finding,) = judge_closed(closed)
    assert (finding.level, finding.remedy) == ("warning", "type: kvass mount '/a b'")
    assert finding.text == (
        "/a b is closed to writing, as its mount was killed; `kvass umount` opens it, a mount shows the keys"
    )
