"""kvassfs.mount.fstab: what mount(8) was seen to pass on, and what it might."""

from __future__ import annotations

import pytest

from kvassfs.mount.errors import MountError
from kvassfs.mount.fstab import Request, parse_request


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["a b.db", "/m", "-o", "rw"], Request("a b.db", "/m")),
        (["/db", "/m"], Request("/db", "/m")),
        (
            ["/db", "/m", "-o", "ro,noatime,noexec,nosuid,nodev,allow_other,user,_netdev,nofail"],
            Request("/db", "/m", True, True, flags=["noatime", "noexec", "nosuid", "nodev"]),
        ),
        (["/db", "/m", "-s", "-f", "-n", "-v", "-o", "ro"], Request("/db", "/m", True, sloppy=True, pretended=True)),
        (["/db", "/m", "-sfnv", "-t", "fuse.kvassfs"], Request("/db", "/m", sloppy=True, pretended=True)),
        (["-r", "/db", "/m"], Request("/db", "/m", True)),
        (["/db", "/m", "-o", "ro,rw"], Request("/db", "/m")),
        (["/db", "/m", "-o", "user=me,x-systemd.automount,X-a=b,comment=c,noauto,defaults"], Request("/db", "/m")),
        (["/db", "/m", "-s", "-o", "weird=1,ro"], Request("/db", "/m", True, sloppy=True)),
        (["/db", "/m", "-o", r"log=/a\,b,ro"], Request("/db", "/m", True, log="/a,b")),
        (["/db", "/m", "-o", ""], Request("/db", "/m")),
    ],
)
def test_what_is_asked_for(arguments: list[str], request_: Request) -> None:
    assert parse_request(arguments) == request_


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["/db", "/m", "-o", "weird=1"], "unknown option weird=1; known are ro, rw, allow_other, log=FILE, "),
        (["/db", "/m", "-o", "remount,ro"], "unknown option remount; "),
        (["/db", "/m", "-o", "log=relative"], "unknown option log=relative; "),
        (["/db", "/m", "-N", "ns"], "unknown option -N; "),
        (["/db", "/m", "-o"], "unknown option -o; "),
        (["/db"], "it is called as: mount -t fuse.kvassfs DATABASE DIRECTORY"),
        (["/db", "/m", "/n"], "it is called as: "),
        (["", "/m"], "it is called as: "),
        ([], "it is called as: "),
    ],
)
def test_what_cannot_be_understood_is_refused_in_a_line(arguments: list[str], said: str) -> None:
    with pytest.raises(MountError) as caught:
        parse_request(arguments)
    assert str(caught.value).startswith(f"mount.fuse.kvassfs: {said}")
