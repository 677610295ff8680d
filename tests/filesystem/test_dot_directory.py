"""The directory `.kvass/` in the root: found by its name alone, and never changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from tests.filesystem.direct_driver import DirectDriver
from tests.filesystem.driver import Driver, raises
from tests.filesystem.marks import on_kvassfs
from tests.filesystem.os_driver import OsDriver

REFUSED = (errno.EROFS, errno.EACCES)
"""Who is not root is kept out by the modes of the directories already."""


def name_of(filesystem: Driver) -> str:
    """Return the name of a test's directory in the root."""
    if isinstance(filesystem, DirectDriver):
        return "test"
    assert isinstance(filesystem, OsDriver)
    return filesystem.root.name


def versions(filesystem: Driver, root: Driver, key: str) -> list[bytes]:
    directory = f".kvass/history/{name_of(filesystem)}/{key}/%@"
    return [root.read_file(f"{directory}/{name}") for name in root.names(directory)]


@on_kvassfs
def test_the_root_does_not_list_it(root: Driver) -> None:
    assert ".kvass" not in root.names()
    assert stat.S_ISDIR(root.stat(".kvass").mode)
    assert {"deleted", "history"} <= set(root.names(".kvass"))


@on_kvassfs
def test_it_is_in_the_root_alone(filesystem: Driver) -> None:
    assert not filesystem.exists(".kvass")
    filesystem.mkdir(".kvass")
    filesystem.write_file(".kvass/file", b"mine")
    assert filesystem.names() == [".kvass"]
    assert filesystem.read_file(".kvass/file") == b"mine"


@on_kvassfs
def test_versions_are_read_in_the_order_of_their_times(filesystem: Driver, root: Driver) -> None:
    for number in range(12):
        filesystem.write_file("file.txt", b"%d" % number)
    assert versions(filesystem, root, "file.txt")[-3:] == [b"9", b"10", b"11"]


@on_kvassfs
def test_a_large_version_is_read_in_pieces(filesystem: Driver, root: Driver) -> None:
    value = os.urandom(1_000_003)
    filesystem.write_file("large", value)
    filesystem.write_file("large", b"small")
    directory = f".kvass/history/{name_of(filesystem)}/large/%@"
    (name,) = (name for name, status in root.listdir(directory).items() if status.size == len(value))
    with root.open(f"{directory}/{name}", os.O_RDONLY) as handle:
        assert handle.stat().size == len(value)
        assert handle.pread(10, len(value) - 7) == value[-7:]
        assert handle.pread(400_000, 262_000) == value[262_000:662_000]


@on_kvassfs
def test_it_cannot_be_changed(filesystem: Driver, root: Driver) -> None:
    filesystem.write_file("file", b"mine")
    own = f"{name_of(filesystem)}/file"
    changes: tuple[Callable[[], None], ...] = (
        lambda: root.mkdir(".kvass/new"),
        lambda: root.write_file(".kvass/new", b"x"),
        lambda: root.symlink("x", ".kvass/new"),
        lambda: root.rename(own, ".kvass/new"),
        lambda: root.rename(own, ".kvass/deleted/new"),
        lambda: root.rename(".kvass/history", "new"),
        lambda: root.rename(".kvass", "new"),
        lambda: root.rmdir(".kvass/history"),
        lambda: root.chmod(".kvass", 0o777),
        lambda: root.setxattr(".kvass", "user.x", b"1"),
    )
    for change in changes:
        with raises(*REFUSED):
            change()
    assert filesystem.read_file("file") == b"mine"
    assert not root.exists("new")


@on_kvassfs
def test_a_key_of_its_name_is_another(root: Driver) -> None:
    root.write_file("%.kvass", b"mine")
    assert root.read_file("%.kvass") == b"mine"
    assert "%.kvass" in root.names()
    assert stat.S_ISDIR(root.stat(".kvass").mode)
    root.unlink("%.kvass")
    assert not root.exists("%.kvass")
