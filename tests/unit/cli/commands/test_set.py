"""kvassfs_cli.commands.set"""

from __future__ import annotations

import io
import os
import pty
import signal
import stat
import time
from pathlib import Path

import pytest

from kvassfs.store import BLOCK_SIZE, Store
from kvassfs_cli.setting import set_from_input
from kvassfs_cli.streams import InputFailed
from tests.support.processes import unmeasured
from tests.support.stores import revision_values, save
from tests.unit.cli.conftest import Kvass, Processes


@pytest.mark.parametrize(
    ("argument", "value"), [("world", b"world\n"), ("", b"\n"), ("two\n", b"two\n\n"), ("喵 👋", "喵 👋\n".encode())]
)
def test_a_value_argument_is_stored_with_a_newline(kvass: Kvass, store: Store, argument: str, value: bytes) -> None:
    assert kvass("set", "k", argument) == (0, b"", "")
    assert store.get("k").read() == value


@pytest.mark.parametrize(
    "value", [b"x", bytes(range(256)), b"a\r\nb", b"no newline", b"\xff", b"y" * (2 * BLOCK_SIZE + 5)]
)
def test_standard_input_is_stored_as_it_is(kvass: Kvass, store: Store, value: bytes) -> None:
    assert kvass("set", "k", stdin=value) == (0, b"", "")
    assert store.get("k").read() == value


def test_a_dash_is_a_value(kvass: Kvass, store: Store) -> None:
    assert kvass("set", "k", "-", stdin=b"not read").status == 0
    assert store.get("k").read() == b"-\n"


def test_keys_and_values_that_begin_with_a_dash(kvass: Kvass, store: Store) -> None:
    assert kvass("set", "--", "-k", "-5").status == 0
    assert store.get("-k").read() == b"-5\n"


def test_set_replaces_and_keeps_the_old_value_as_a_revision(kvass: Kvass, store: Store) -> None:
    kvass("set", "k", "old")
    kvass("set", "k", "new")
    assert store.get("k").read() == b"new\n"
    assert len(store.revisions("k")) == 1


def test_nothing_on_standard_input_is_refused_and_changes_nothing(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    for key in ("k", "missing"):
        assert kvass("set", key) == (
            1,
            b"",
            f"kvass: nothing to set {key} to: the input is empty (`kvass rm` deletes, `kvass set --empty` makes an empty file)\n",
        )
    assert store.get("k").read() == b"value"
    assert list(store.keys()) == ["k"]


def test_an_empty_file_is_made_and_is_a_key_like_others(kvass: Kvass, store: Store) -> None:
    assert kvass("set", "--empty", "k") == (0, b"", "")
    assert kvass("ls").out == b"k\n"
    assert kvass("get", "k") == (0, b"", "")
    assert kvass("rm", "k") == (0, b"", "")
    assert kvass("get", "k").status == 1
    assert kvass("ls").out == b""


def test_an_empty_file_in_the_place_of_a_value_keeps_its_mode_and_a_revision(kvass: Kvass, store: Store) -> None:
    save(store, "k", b"value", mode=stat.S_IFREG | 0o755)
    assert kvass("set", "--empty", "k").status == 0
    assert store.entry("k").mode == stat.S_IFREG | 0o755
    assert revision_values(store, "k") == [b"value"]


def test_an_empty_file_has_no_value(kvass: Kvass, store: Store) -> None:
    assert kvass("set", "--empty", "k", "value").status == 2
    assert list(store.keys()) == []


def test_standard_input_that_does_not_block_is_read_to_its_end(processes: Processes, store: Store) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    value = os.urandom(300_000)
    with processes.start("set", "k", stdin=reader) as process, open(writer, "wb", buffering=0) as pipe:
        for start in range(0, len(value), 50_000):
            time.sleep(0.02)
            pipe.write(value[start : start + 50_000])
        pipe.close()
        assert process.wait(30) == 0
    os.close(reader)
    assert store.get("k").read() == value


def test_an_empty_key_is_refused_before_standard_input_is_read(kvass: Kvass) -> None:
    assert kvass("set", "", "value") == (1, b"", "kvass: '' cannot be a key: it is empty\n")


def test_a_value_argument_need_not_be_utf_8(processes: Processes, store: Store) -> None:
    assert processes.run("set", "k", b"\xff\xfe").status == 0
    assert store.get("k").read() == b"\xff\xfe\n"


def test_closed_standard_input_is_an_error_and_no_deletion(processes: Processes, store: Store) -> None:
    store.set("k", b"value")
    status, _, err = processes.shell("kvass set k <&-")
    assert (status, err) == (1, "kvass: cannot read standard input: it is closed\n")
    assert store.get("k").read() == b"value"


def test_standard_input_that_cannot_be_read_is_an_error_and_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise OSError(5, "Input/output error")

    store.set("k", b"value")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(Broken()))
    with pytest.raises(InputFailed, match="cannot read standard input: Input/output error"):
        set_from_input(store, "k")
    assert store.get("k").read() == b"value"


def test_standard_input_opened_for_writing_only_is_an_error(processes: Processes, store: Store) -> None:
    store.set("k", b"value")
    status, _, err = processes.shell("kvass set k 0>/dev/null")
    assert status == 1
    assert err.startswith("kvass: cannot read standard input: ")
    assert err.count("\n") == 1
    assert store.get("k").read() == b"value"


def test_a_value_typed_at_a_terminal_ends_with_control_d(processes: Processes, store: Store) -> None:
    writer, reader = pty.openpty()
    with processes.start("set", "k", stdin=reader) as process:
        os.write(writer, b"typed\n\x04")
        assert process.wait(30) == 0
    os.close(writer)
    os.close(reader)
    assert store.get("k").read() == b"typed\n"


def test_an_interrupt_keeps_the_old_value(processes: Processes, store: Store) -> None:
    store.set("k", b"old")
    with processes.start("set", "k") as process:
        assert process.stdin is not None
        process.stdin.write(b"new" * 1_000_000)
        process.stdin.flush()
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
    assert process.returncode == -signal.SIGINT
    assert err == b"kvass: interrupted: k is as it was\n"
    assert store.get("k").read() == b"old"


def test_many_processes_at_once_all_succeed(processes: Processes, store: Store) -> None:
    started = [processes.start("set", f"key {number}", "value", env=unmeasured()) for number in range(20)]
    started += [processes.start("set", "shared", str(number), env=unmeasured()) for number in range(5)]
    outcomes = {(process.communicate(), process.returncode) for process in started}
    assert outcomes == {((b"", b""), 0)}
    assert len(list(store.keys())) == 21
    assert len(store.revisions("shared")) == 4
    assert store.settings.config().clock == 25


def test_a_new_database_can_be_made_by_many_processes_at_once(processes: Processes) -> None:
    started = [processes.start("set", f"key {number}", "value", env=unmeasured()) for number in range(20)]
    outcomes = {(process.communicate(), process.returncode) for process in started}
    assert outcomes == {((b"", b""), 0)}
    assert processes.run("ls").out.count(b"\n") == 20


def test_memory_is_bounded(processes: Processes) -> None:
    value = "head -c 600000000 /dev/zero"
    limited = f"ulimit -v 400000; {value} | kvass set k && kvass get k | cksum; {value} | cksum"
    status, out, err = processes.shell(limited)
    assert (status, err) == (0, "")
    assert len(set(out.split(b"\n")[:2])) == 1


@pytest.mark.parametrize("value", [b"x", bytes(range(256)), b"y" * (2 * BLOCK_SIZE + 5)], ids=len)
def test_a_file_is_stored_as_it_is(kvass: Kvass, store: Store, tmp_path: Path, value: bytes) -> None:
    file = tmp_path / "-file"
    file.write_bytes(value)
    assert kvass("set", "k", "--file", str(file)) == (0, b"", "")
    assert store.get("k").read() == value


def test_the_file_called_dash_is_standard_input(kvass: Kvass, store: Store) -> None:
    assert kvass("set", "k", "--file", "-", stdin=b"typed") == (0, b"", "")
    assert store.get("k").read() == b"typed"


def test_a_file_that_cannot_be_read_is_an_error_and_changes_nothing(kvass: Kvass, store: Store, tmp_path: Path) -> None:
    store.set("k", b"value")
    for path, reason in ((tmp_path / "missing", "No such file or directory"), (tmp_path, "Is a directory")):
        assert kvass("set", "k", "--file", str(path)) == (1, b"", f"kvass: cannot read {path}: {reason}\n")
    status, _, err = kvass("set", "k", "--file", "/proc/self/mem")
    assert (status, err) == (1, "kvass: cannot read /proc/self/mem: Input/output error\n")
    (tmp_path / "empty").touch()
    status, _, err = kvass("set", "k", "--file", str(tmp_path / "empty"))
    assert (status, err[:28]) == (1, "kvass: nothing to set k to: ")
    assert store.get("k").read() == b"value"


@pytest.mark.parametrize("others", [["value"], ["--empty"], ["value", "--empty"]])
def test_a_value_comes_from_one_place(kvass: Kvass, store: Store, others: list[str]) -> None:
    said = "kvass: a VALUE, --empty and --file exclude each other (see `kvass set --help`)\n"
    assert kvass("set", "k", "--file", "/dev/null", *others) == (2, b"", said)
    assert kvass("set", "k", "--file", "").status == 2
    assert list(store.keys()) == []
