"""What a callback answers where something was raised; tests/unit/mount/test_operations.py has the callbacks themselves."""

from __future__ import annotations

import errno

import pytest

from kvassfs.errors import DiskFull, InvalidKey, ValueTooLarge
from kvassfs.mount.callbacks import find_errno


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOTEMPTY, "full"), errno.ENOTEMPTY),
        (FileNotFoundError(errno.ENOENT, "gone"), errno.ENOENT),
        (InvalidKey("", "empty"), errno.EINVAL),
        (ValueTooLarge(10), errno.EFBIG),
    ],
    ids=str,
)
def test_an_expected_error_is_its_errno(error: BaseException, number: int, caplog: pytest.LogCaptureFixture) -> None:
    assert find_errno(error) == number
    assert caplog.records == []


def test_without_memory_it_is_said_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert find_errno(MemoryError()) == errno.ENOMEM
    assert [(record.message, record.exc_info) for record in caplog.records] == [("out of memory", None)]


def test_a_failure_of_the_store_is_its_errno_and_logged_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    assert find_errno(DiskFull("/db")) == errno.ENOSPC
    assert [(record.message, record.exc_info) for record in caplog.records] == [(str(DiskFull("/db")), None)]
