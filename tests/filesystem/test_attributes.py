"""Extended attributes: those that users set, and facts about an entry, which are read by name alone."""

from __future__ import annotations

import errno
import os
import re
import time
from contextlib import suppress
from functools import partial

import pytest

from tests.filesystem.driver import RENAME_EXCHANGE, Driver, Times, raises
from tests.filesystem.marks import on_kernel, on_kvassfs
from tests.filesystem.os_driver import OsDriver

FORMS = {
    "user.kvass.token": rb"[A-Za-z0-9_-]{22}",
    "user.kvass.timestamp": rb"[0-9]{16}",
    "user.kvass.process_id": rb"[1-9][0-9]{0,9}",
    "user.kvass.counter": rb"[1-9][0-9]*",
    "user.kvass.synced": rb"[a-z0-9]+",
}


@on_kvassfs
def test_a_file_tells_the_facts_of_its_entry(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    for name, form in FORMS.items():
        assert re.fullmatch(form, filesystem.getxattr("file", name)), name


@on_kvassfs
def test_no_program_finds_facts_to_copy(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    assert filesystem.listxattr("file") == []


@on_kvassfs
@pytest.mark.parametrize("name", ["file", "file~", "dir"])
@pytest.mark.parametrize("flags", [0, os.XATTR_CREATE, os.XATTR_REPLACE])
def test_setting_a_fact_succeeds_and_changes_nothing(filesystem: Driver, name: str, flags: int) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file", b"content")
    filesystem.write_file("file~", b"content")
    filesystem.setxattr(name, "user.kvass.token", b"of another file", flags)
    filesystem.setxattr(name, "user.kvass.unknown", b"of another program", flags)
    assert filesystem.listxattr(name) == []
    assert re.fullmatch(FORMS["user.kvass.token"], filesystem.getxattr("file", "user.kvass.token"))
    with raises(errno.ENODATA):
        filesystem.getxattr(name, "user.kvass.unknown")


@on_kvassfs
def test_a_fact_cannot_be_removed(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    with raises(errno.EPERM):
        filesystem.removexattr("file", "user.kvass.token")
    filesystem.getxattr("file", "user.kvass.token")


@on_kvassfs
def test_the_timestamp_is_that_of_the_last_save(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    first = int(filesystem.getxattr("file", "user.kvass.timestamp"))
    assert abs(first - time.time() * 1e6) < 5e6
    filesystem.write_file("file", b"changed")
    assert int(filesystem.getxattr("file", "user.kvass.timestamp")) > first


@on_kvassfs
def test_a_save_makes_a_new_token_and_a_greater_counter(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    token = filesystem.getxattr("file", "user.kvass.token")
    counter = int(filesystem.getxattr("file", "user.kvass.counter"))
    filesystem.write_file("file", b"changed")
    assert filesystem.getxattr("file", "user.kvass.token") != token
    assert int(filesystem.getxattr("file", "user.kvass.counter")) > counter


@on_kvassfs
def test_a_rename_keeps_the_token(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    token = filesystem.getxattr("file", "user.kvass.token")
    filesystem.rename("file", "other")
    assert filesystem.getxattr("other", "user.kvass.token") == token


@on_kvassfs
@pytest.mark.parametrize("name", ["user.other", "user.kvass.unknown", "user.kvass"])
def test_an_attribute_that_is_not_there_is_missing(filesystem: Driver, name: str) -> None:
    filesystem.write_file("file", b"content")
    with raises(errno.ENODATA):
        filesystem.getxattr("file", name)


@on_kvassfs
def test_directories_and_scratch_files_have_no_entry_and_no_facts(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file~", b"scratch")
    for name in ("dir", "file~"):
        with raises(errno.ENODATA):
            filesystem.getxattr(name, "user.kvass.token")


def is_entry(filesystem: Driver, path: str) -> bool:
    with suppress(OSError):
        return bool(filesystem.getxattr(path, "user.kvass.token"))
    return False


@on_kvassfs
def test_what_loses_its_scratch_name_becomes_an_entry_and_what_takes_one_does_not_stay_one(filesystem: Driver) -> None:
    filesystem.mkdir("dir~")
    filesystem.write_file("dir~/file", b"content")
    filesystem.write_file("dir~/kept~", b"scratch")
    filesystem.rename("dir~", "dir")
    assert is_entry(filesystem, "dir/file")
    assert not is_entry(filesystem, "dir/kept~")
    filesystem.rename("dir/kept~", "dir/key")
    assert is_entry(filesystem, "dir/key")
    filesystem.rename("dir", "dir~")
    assert not is_entry(filesystem, "dir~/file")
    assert filesystem.read_file("dir~/key") == b"scratch"


@on_kvassfs
@pytest.mark.parametrize("trash", [".Trash-1000", ".Trash"])
def test_what_is_in_the_trash_is_no_entry_until_it_is_restored(filesystem: Driver, trash: str) -> None:
    for path in (trash, f"{trash}/files", "dir"):
        filesystem.mkdir(path)
    filesystem.write_file("dir/file", b"content", 0o640)
    filesystem.rename("dir", f"{trash}/files/dir")
    assert not is_entry(filesystem, f"{trash}/files/dir/file")
    assert filesystem.read_file(f"{trash}/files/dir/file") == b"content"
    filesystem.rename(f"{trash}/files/dir", "dir")
    assert is_entry(filesystem, "dir/file")
    assert filesystem.stat("dir/file").permissions == 0o640


# Attributes that users set


@pytest.fixture
def bearing(filesystem: Driver) -> Driver:
    """The directory ``dir``, and in it ``file`` and the scratch file ``file~``, on what keeps attributes of users."""
    filesystem.mkdir("dir")
    for name in ("dir/file", "dir/file~"):
        filesystem.write_file(name, b"content")
    try:
        filesystem.setxattr("dir", "user.probe", b"")
    except OSError as error:
        if error.errno != errno.ENOTSUP or filesystem.capabilities.kvassfs:
            raise
        pytest.skip("the disk keeps no attributes")
    filesystem.removexattr("dir", "user.probe")
    return filesystem


def attributes(filesystem: Driver, path: str) -> dict[str, bytes]:
    return {name: filesystem.getxattr(path, name) for name in filesystem.listxattr(path)}


on_each = pytest.mark.parametrize("path", ["dir", "dir/file", "dir/file~"])


@on_each
def test_an_attribute_is_kept_replaced_and_removed(bearing: Driver, path: str) -> None:
    bearing.setxattr(path, "user.one", b"1")
    bearing.setxattr(path, "user.two", b"")
    assert attributes(bearing, path) == {"user.one": b"1", "user.two": b""}
    bearing.setxattr(path, "user.one", bytes(range(256)))
    assert attributes(bearing, path) == {"user.one": bytes(range(256)), "user.two": b""}
    bearing.removexattr(path, "user.one")
    assert attributes(bearing, path) == {"user.two": b""}
    with raises(errno.ENODATA):
        bearing.getxattr(path, "user.one")
    with raises(errno.ENODATA):
        bearing.removexattr(path, "user.one")


@on_each
def test_flags_say_whether_it_may_be_there(bearing: Driver, path: str) -> None:
    with raises(errno.ENODATA):
        bearing.setxattr(path, "user.one", b"1", os.XATTR_REPLACE)
    bearing.setxattr(path, "user.one", b"1", os.XATTR_CREATE)
    with raises(errno.EEXIST):
        bearing.setxattr(path, "user.one", b"2", os.XATTR_CREATE)
    bearing.setxattr(path, "user.one", b"3", os.XATTR_REPLACE)
    assert attributes(bearing, path) == {"user.one": b"3"}


@pytest.mark.parametrize(
    "name", ["user.kvass", "user.kvassx", "user.café", "user.\udcff\udcfe", "user.a b\n", "user." + "n" * 250]
)
def test_any_name_of_a_user_is_kept(bearing: Driver, name: str) -> None:
    bearing.setxattr("dir/file", name, b"value")
    assert attributes(bearing, "dir/file") == {name: b"value"}


@pytest.mark.parametrize(
    ("name", "number"), [("user.", errno.EINVAL), ("user", errno.ENOTSUP), ("other.name", errno.ENOTSUP)]
)
def test_a_name_of_no_namespace_is_refused(bearing: Driver, name: str, number: int) -> None:
    with raises(number):
        bearing.setxattr("dir/file", name, b"value")
    assert bearing.listxattr("dir/file") == []


@on_kvassfs
@pytest.mark.parametrize("name", ["trusted.name", "security.name", "system.posix_acl_access"])
def test_other_namespaces_are_refused(bearing: Driver, name: str) -> None:
    with raises(errno.ENOTSUP):
        bearing.setxattr("dir/file", name, b"value")
    with raises(errno.ENOTSUP):
        bearing.getxattr("dir/file", name)
    with raises(errno.ENOTSUP):
        bearing.removexattr("dir/file", name)


@on_kernel
def test_names_and_values_have_the_limits_of_the_kernel(bearing: Driver) -> None:
    with raises(errno.ERANGE):
        bearing.setxattr("dir/file", "user." + "n" * 251, b"value")
    with raises(errno.E2BIG):
        bearing.setxattr("dir/file", "user.one", bytes(65537))


@on_kvassfs
@on_each
def test_attributes_are_bounded(bearing: Driver, path: str) -> None:
    with raises(errno.E2BIG):
        bearing.setxattr(path, "user.one", bytes(65537))
    for number in range(16):
        bearing.setxattr(path, f"user.{number}", b"x" * 65536)
    with raises(errno.ENOSPC):
        bearing.setxattr(path, "user.more", b"x")
    bearing.setxattr(path, "user.0", b"")
    bearing.setxattr(path, "user.more", b"x")
    assert bearing.getxattr(path, "user.15") == b"x" * 65536


@on_kvassfs
def test_all_names_can_be_listed(bearing: Driver) -> None:
    names = [f"user.{number:0250}" for number in range(256)]
    for name in names:
        bearing.setxattr("dir/file", name, b"")
    with raises(errno.ENOSPC):
        bearing.setxattr("dir/file", "user.more", b"")
    assert sorted(bearing.listxattr("dir/file")) == names


@on_each
def test_they_follow_a_rename(bearing: Driver, path: str) -> None:
    bearing.setxattr(path, "user.one", b"1")
    for new in ("new", "new~", "newer"):
        bearing.rename(path, new)
        assert attributes(bearing, new) == {"user.one": b"1"}
        path = new


def test_they_follow_the_rename_of_a_directory_above(bearing: Driver) -> None:
    bearing.mkdir("dir/sub")
    for path in ("dir", "dir/sub", "dir/file", "dir/file~"):
        bearing.setxattr(path, "user.path", path.encode())
    bearing.mkdir("dirs")
    bearing.setxattr("dirs", "user.path", b"dirs")
    bearing.mkdir("new")
    bearing.setxattr("new", "user.gone", b"")
    bearing.rename("dir", "new")
    for path in ("", "/sub", "/file", "/file~"):
        assert attributes(bearing, f"new{path}") == {"user.path": f"dir{path}".encode()}
    assert attributes(bearing, "dirs") == {"user.path": b"dirs"}
    bearing.mkdir("dir")
    assert attributes(bearing, "dir") == {}


@pytest.mark.parametrize(("one", "other"), [("dir/file", "dir/file~"), ("dir", "top"), ("dir", "tops")])
def test_they_are_swapped_with_the_names(bearing: Driver, one: str, other: str) -> None:
    if not bearing.capabilities.exchange:
        pytest.skip("no RENAME_EXCHANGE here")
    bearing.write_file("top", b"top")
    bearing.mkdir("tops")
    bearing.setxattr(one, "user.one", b"1")
    bearing.setxattr(other, "user.other", b"2")
    bearing.rename(one, other, RENAME_EXCHANGE)
    assert attributes(bearing, one) == {"user.other": b"2"}
    assert attributes(bearing, other) == {"user.one": b"1"}


@pytest.mark.parametrize("name", ["file", "file~"])
def test_they_go_with_a_file(bearing: Driver, name: str) -> None:
    bearing.setxattr(f"dir/{name}", "user.one", b"1")
    bearing.unlink(f"dir/{name}")
    bearing.write_file(f"dir/{name}", b"another")
    assert attributes(bearing, f"dir/{name}") == {}


def test_they_go_with_a_directory(bearing: Driver) -> None:
    bearing.mkdir("empty")
    bearing.setxattr("empty", "user.one", b"1")
    bearing.rmdir("empty")
    bearing.mkdir("empty")
    assert attributes(bearing, "empty") == {}


def test_a_file_that_takes_the_name_of_another_has_its_own(bearing: Driver) -> None:
    for name in ("plain", "marked", "target"):
        bearing.write_file(name, name.encode())
    bearing.setxattr("target", "user.target", b"")
    bearing.setxattr("marked", "user.marked", b"")
    bearing.rename("marked", "target")
    assert attributes(bearing, "target") == {"user.marked": b""}
    bearing.rename("plain", "target")
    assert attributes(bearing, "target") == {}


def test_they_survive_a_save_in_place(bearing: Driver) -> None:
    bearing.setxattr("dir/file", "user.one", b"1")
    bearing.write_file("dir/file", b"saved")
    with bearing.open("dir/file", os.O_RDWR) as handle:
        handle.truncate(1)
    bearing.chmod("dir/file", 0o755)
    assert attributes(bearing, "dir/file") == {"user.one": b"1"}


@pytest.mark.parametrize("name", ["new", "new~"])
def test_a_file_has_them_before_its_first_save(bearing: Driver, name: str) -> None:
    with bearing.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
        bearing.setxattr(name, "user.one", b"1")
        bearing.setxattr(name, "user.two", b"2")
        handle.write(b"content")
        bearing.removexattr(name, "user.two")
        assert attributes(bearing, name) == {"user.one": b"1"}
        bearing.rename(name, f"moved-{name}")
        assert attributes(bearing, f"moved-{name}") == {"user.one": b"1"}
    assert attributes(bearing, f"moved-{name}") == {"user.one": b"1"}
    assert bearing.read_file(f"moved-{name}") == b"content"


def test_a_new_file_that_takes_a_name_before_its_first_save_has_its_own(bearing: Driver) -> None:
    bearing.setxattr("dir/file", "user.old", b"")
    with bearing.open("new", os.O_RDWR | os.O_CREAT | os.O_EXCL) as handle:
        bearing.setxattr("new", "user.new", b"")
        handle.write(b"new")
        bearing.rename("new", "dir/file")
        assert attributes(bearing, "dir/file") == {"user.new": b""}
    assert attributes(bearing, "dir/file") == {"user.new": b""}


@on_kernel
def test_an_open_file_keeps_them_when_it_loses_its_name(bearing: OsDriver) -> None:
    bearing.setxattr("dir/file", "user.one", b"1")
    with bearing.open("dir/file", os.O_RDWR) as handle:
        bearing.unlink("dir/file")
        os.setxattr(handle.fileno(), "user.two", b"2")
        assert sorted(os.listxattr(handle.fileno())) == ["user.one", "user.two"]
        bearing.write_file("dir/file", b"another")
        assert attributes(bearing, "dir/file") == {}
    assert attributes(bearing, "dir/file") == {}


@on_kernel
@on_each
def test_setting_and_removing_one_changes_the_ctime_alone(bearing: OsDriver, path: str) -> None:
    bearing.utime(path, Times(atime=1_000_000_000, mtime=1_000_000_000))
    for change in (
        partial(bearing.setxattr, path, "user.one", b"1"),
        partial(bearing.removexattr, path, "user.one"),
    ):
        before = os.stat(bearing.path(path))
        time.sleep(0.02)
        change()
        after = os.stat(bearing.path(path))
        assert after.st_ctime_ns > before.st_ctime_ns
        assert (after.st_mtime_ns, after.st_mode, after.st_size) == (1_000_000_000, before.st_mode, before.st_size)


@on_kvassfs
def test_the_value_of_a_directorys_key_has_its_own(bearing: Driver) -> None:
    bearing.mkdir("both")
    bearing.write_file("both/%@", b"value")
    bearing.setxattr("both", "user.directory", b"")
    bearing.setxattr("both/%@", "user.file", b"")
    bearing.rename("both", "moved")
    assert attributes(bearing, "moved") == {"user.directory": b""}
    assert attributes(bearing, "moved/%@") == {"user.file": b""}
    bearing.unlink("moved/%@")
    assert attributes(bearing, "moved") == {"user.directory": b""}


@on_kvassfs
def test_the_root_has_attributes_too(root: Driver) -> None:
    root.setxattr("", "user.one", b"1")
    assert attributes(root, "") == {"user.one": b"1"}
    root.removexattr("", "user.one")
    assert attributes(root, "") == {}


def test_attributes_of_what_is_missing_cannot_be_read_or_set(filesystem: Driver) -> None:
    with raises(errno.ENOENT):
        filesystem.listxattr("missing")
    with raises(errno.ENOENT):
        filesystem.getxattr("missing", "user.one")
    with raises(errno.ENOENT):
        filesystem.setxattr("missing", "user.one", b"")
    with raises(errno.ENOENT):
        filesystem.removexattr("missing", "user.one")
