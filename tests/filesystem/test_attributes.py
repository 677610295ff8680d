"""Extended attributes: read-only facts about an entry under names of kvassfs's own."""

from __future__ import annotations

import errno
import re
import time

import pytest

from tests.filesystem.driver import Driver, raises
from tests.filesystem.marks import on_kvassfs

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
    listed = filesystem.listxattr("file")
    for name, form in FORMS.items():
        assert name in listed
        assert re.fullmatch(form, filesystem.getxattr("file", name)), name


@on_kvassfs
def test_every_listed_attribute_can_be_read(filesystem: Driver) -> None:
    filesystem.write_file("file", b"content")
    for name in filesystem.listxattr("file"):
        assert name.startswith("user.kvass.")
        filesystem.getxattr("file", name)


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
@pytest.mark.parametrize("name", ["user.other", "user.kvass.token", "user.kvass.new"])
def test_attributes_cannot_be_set_or_removed(filesystem: Driver, name: str) -> None:
    filesystem.write_file("file", b"content")
    before = filesystem.listxattr("file")
    with raises(errno.ENOTSUP, errno.EPERM):
        filesystem.setxattr("file", name, b"value")
    with raises(errno.ENOTSUP, errno.EPERM, errno.ENODATA):
        filesystem.removexattr("file", name)
    assert filesystem.listxattr("file") == before


@on_kvassfs
def test_directories_and_scratch_files_have_no_entry_and_no_attributes(filesystem: Driver) -> None:
    filesystem.mkdir("dir")
    filesystem.write_file("file~", b"scratch")
    for name in ("dir", "file~"):
        assert filesystem.listxattr(name) == []
        with raises(errno.ENODATA):
            filesystem.getxattr(name, "user.kvass.token")


@on_kvassfs
def test_what_loses_its_scratch_name_becomes_an_entry_and_what_takes_one_does_not_stay_one(filesystem: Driver) -> None:
    filesystem.mkdir("dir~")
    filesystem.write_file("dir~/file", b"content")
    filesystem.write_file("dir~/kept~", b"scratch")
    filesystem.rename("dir~", "dir")
    assert "user.kvass.token" in filesystem.listxattr("dir/file")
    assert filesystem.listxattr("dir/kept~") == []
    filesystem.rename("dir/kept~", "dir/key")
    assert "user.kvass.token" in filesystem.listxattr("dir/key")
    filesystem.rename("dir", "dir~")
    assert filesystem.listxattr("dir~/file") == []
    assert filesystem.read_file("dir~/key") == b"scratch"


@on_kvassfs
def test_attributes_of_what_is_missing_cannot_be_read(filesystem: Driver) -> None:
    with raises(errno.ENOENT):
        filesystem.listxattr("missing")
    with raises(errno.ENOENT):
        filesystem.getxattr("missing", "user.kvass.token")
