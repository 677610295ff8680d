"""Which names a file may have, and that they list back unchanged."""

from __future__ import annotations

import errno
import os

import pytest

from tests.filesystem.driver import RENAME_EXCHANGE, Driver, raises
from tests.filesystem.marks import on_kvassfs

SHORTENED = "%~0123456789abcdef"

NAMES = [
    "with space",
    " leading and trailing ",
    "new\nline",
    "tab\tand\x01control\x7f",
    "back\\slash",
    "quotes'\"`$(x)",
    "-rf",
    "--",
    "😀",
    "\u00e9 composed",
    "e\u0301 decomposed",
    "\u202eright to left",
    "\ufeffmark",
    "ｆｕｌｌ ｗｉｄｔｈ",
    "UPPER",
    "upper",
    ".hidden",
    "...",
    "..a",
    "a..",
    "%",
    "%%",
    "%%%",
    "%.",
    "%..",
    "%%.",
    "%...",
    "%%@",
    "%%%@",
    "a%@b",
    "a%@",
    "%@b",
    "%a",
    "100%",
    "%2F",
    "%00",
    "%~",
    SHORTENED,
    "x" * 227 + SHORTENED,
    "x" * 230 + SHORTENED,
    "x" * 231 + SHORTENED,
    "n" * 255,
    "\u00e9" * 127 + "x",
    "😀" * 63 + "xyz",
    "%" * 255,
    "%" * 254 + "@",
    "%" * 254 + ".",
    "file~",
    ".file.swp",
    "#file#",
    ".#file",
    "._file",
    ".DS_Store",
    "4913",
    "tmpab12cd",
    "x.tar.gz",
    "CON",
    "*",
    "[a]",
    "?",
]
assert all(len(name.encode()) <= 255 for name in NAMES)

TOO_LONG = ["n" * 256, "\u00e9" * 128, "😀" * 64, "%" * 256, "n" * 1000]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_file_of_any_name_lists_back_unchanged(filesystem: Driver, name: str) -> None:
    filesystem.write_file(name, name.encode())
    assert filesystem.names() == [name]
    assert filesystem.read_file(name) == name.encode()
    filesystem.unlink(name)
    assert filesystem.names() == []


@pytest.mark.parametrize("name", [".fuse_hidden_old", ".fuse_hidden1", ".fuse_hidden0000000200000001", ".fuse_hidden"])
def test_a_name_like_those_of_libfuse_is_one_like_others(filesystem: Driver, name: str) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"content")
    filesystem.rename("dir/file", f"dir/{name}")
    assert filesystem.names("dir") == [name]
    assert filesystem.read_file(f"dir/{name}") == b"content"
    filesystem.write_file(f"dir/{name}", b"more")
    assert filesystem.read_file(f"dir/{name}") == b"more"
    filesystem.rename(f"dir/{name}", "dir/file")
    filesystem.rename("dir/file", f"dir/{name}")
    filesystem.unlink(f"dir/{name}")
    filesystem.rmdir("dir")
    assert filesystem.names() == []


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_directory_of_any_name_lists_back_unchanged(filesystem: Driver, name: str) -> None:
    filesystem.mkdir(name)
    assert filesystem.names() == [name]
    filesystem.write_file(f"{name}/{name}", b"inside")
    assert filesystem.names(name) == [name]
    assert filesystem.read_file(f"{name}/{name}") == b"inside"
    filesystem.unlink(f"{name}/{name}")
    filesystem.rmdir(name)
    assert filesystem.names() == []


def test_files_of_all_these_names_stand_beside_each_other(filesystem: Driver) -> None:
    for name in NAMES:
        filesystem.write_file(name, name.encode())
    assert filesystem.names() == sorted(NAMES)
    for name in NAMES:
        assert filesystem.read_file(name) == name.encode()


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name[:20]))
def test_a_file_can_be_renamed_to_any_name_and_back(filesystem: Driver, name: str) -> None:
    filesystem.write_file("plain", b"content")
    filesystem.rename("plain", name)
    assert filesystem.names() == [name]
    assert filesystem.read_file(name) == b"content"
    filesystem.rename(name, "plain")
    assert filesystem.names() == ["plain"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("\u00e9", "e\u0301"), ("name", "Name"), ("\u00df", "SS"), ("\u0130", "i"), ("ﬁ", "fi"), ("a", "a ")],
)
def test_names_that_look_alike_are_different_files(filesystem: Driver, one: str, other: str) -> None:
    filesystem.write_file(one, b"one")
    with raises(errno.ENOENT):
        filesystem.stat(other)
    filesystem.write_file(other, b"other")
    assert filesystem.names() == sorted([one, other])
    assert filesystem.read_file(one) == b"one"


@pytest.mark.parametrize("name", TOO_LONG, ids=["ascii", "two bytes", "four bytes", "escapable", "1000"])
def test_a_name_of_more_than_255_bytes_is_refused(filesystem: Driver, name: str) -> None:
    filesystem.write_file("file", b"x")
    with raises(errno.ENAMETOOLONG):
        filesystem.write_file(name)
    with raises(errno.ENAMETOOLONG):
        filesystem.mkdir(name)
    with raises(errno.ENAMETOOLONG):
        filesystem.symlink("file", name)
    with raises(errno.ENAMETOOLONG):
        filesystem.rename("file", name)
    with raises(errno.ENAMETOOLONG):
        filesystem.stat(name)
    assert filesystem.names() == ["file"]


def test_dot_and_dot_dot_are_the_directory_and_its_parent(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"x")
    filesystem.write_file("dir/../dir/./inside", b"y")
    assert filesystem.read_file("dir/../file") == b"x"
    assert filesystem.read_file("dir/inside") == b"y"


# The value of a key that is a directory as well


@on_kvassfs
def test_a_directory_may_hold_a_value_of_its_own(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    filesystem.write_file("key/%@", b"the value of key")
    filesystem.write_file("key/below", b"the value of key/below")
    assert filesystem.names("key") == ["%@", "below"]
    assert filesystem.names() == ["key"]
    assert filesystem.read_file("key/%@") == b"the value of key"
    with raises(errno.ENOTEMPTY):
        filesystem.rmdir("key")


@on_kvassfs
def test_a_directory_stays_one_with_only_its_own_value_left(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    filesystem.write_file("key/below", b"x")
    filesystem.write_file("key/%@", b"value")
    filesystem.unlink("key/below")
    assert filesystem.names("key") == ["%@"]
    filesystem.unlink("key/%@")
    assert filesystem.names("key") == []
    filesystem.rmdir("key")
    assert filesystem.names() == []


@on_kvassfs
def test_a_directorys_value_moves_with_it_and_out_of_it(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    filesystem.write_file("key/%@", b"value")
    filesystem.write_file("key/below", b"x")
    filesystem.rename("key", "moved")
    assert filesystem.names() == ["moved"]
    assert filesystem.read_file("moved/%@") == b"value"
    filesystem.rename("moved/%@", "out")
    assert filesystem.names() == ["moved", "out"]
    assert filesystem.names("moved") == ["below"]
    filesystem.rename("out", "moved/%@")
    assert filesystem.read_file("moved/%@") == b"value"


@on_kvassfs
def test_a_value_being_written_follows_its_directory(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    with filesystem.open("key/%@", os.O_RDWR | os.O_CREAT) as handle:
        handle.write(b"one")
        filesystem.rename("key", "moved")
        handle.write(b"two")
    assert filesystem.read_file("moved/%@") == b"onetwo"


@on_kvassfs
def test_a_directorys_value_is_no_directory(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    filesystem.mkdir("other")
    with raises(errno.EINVAL):
        filesystem.mkdir("key/%@")
    with raises(errno.EINVAL):
        filesystem.rename("other", "key/%@")
    assert filesystem.names() == ["key", "other"]
    assert filesystem.names("key") == []


@on_kvassfs
def test_a_refused_exchange_leaves_open_files_where_they_are(filesystem: Driver) -> None:
    filesystem.mkdir("key")
    filesystem.write_file("key/%@", b"value")
    filesystem.mkdir("dir")
    filesystem.write_file("dir/file", b"content")
    with filesystem.open("key/%@", os.O_RDWR) as value, filesystem.open("dir/file", os.O_RDWR) as file:
        with raises(errno.EINVAL):
            filesystem.rename("dir", "key/%@", RENAME_EXCHANGE)
        value.pwrite(b"VALUE", 0)
        file.pwrite(b"CONTENT", 0)
    assert filesystem.names() == ["dir", "key"]
    assert filesystem.read_file("dir/file") == b"CONTENT"
    assert filesystem.read_file("key/%@") == b"VALUE"


@on_kvassfs
def test_the_root_has_no_value(root: Driver) -> None:
    before = root.names()
    with raises(errno.EINVAL):
        root.write_file("%@", b"value")
    with raises(errno.EINVAL):
        root.mkdir("%@")
    with raises(errno.EINVAL):
        root.symlink("x", "%@")
    with raises(errno.ENOENT):
        root.stat("%@")
    assert root.names() == before


@on_kvassfs
def test_the_empty_key_has_no_value(root: Driver) -> None:
    root.mkdir("key")
    root.write_file("key/%@", b"value")
    root.write_file("file", b"content")
    with raises(errno.EINVAL):
        root.write_file("%")
    with raises(errno.EINVAL):
        root.symlink("x", "%")
    with raises(errno.EINVAL):
        root.rename("file", "%")
    with raises(errno.EINVAL):
        root.rename("key", "%")
    root.mkdir("%")
    with raises(errno.EINVAL):
        root.rename("key/%@", "%/%@")
    root.write_file("%/below", b"below the empty key")
    assert root.names("%") == ["below"]
    for name in ("key/%@", "file", "%/below"):
        root.unlink(name)
    for name in ("key", "%"):
        root.rmdir(name)
