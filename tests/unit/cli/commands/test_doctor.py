"""kvassfs_cli.commands.doctor"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.doctor import mounts
from kvassfs.doctor.finding import Finding
from kvassfs.mount import mountpoint
from kvassfs.store import Store
from kvassfs_cli.commands.doctor import build_object, find_folders, format_finding
from tests.support.near_hub import NearHub
from tests.support.processes import children
from tests.support.waiting import find_within
from tests.unit.cli.conftest import Kvass, Processes


@pytest.fixture(autouse=True)
def nothing_mounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process: what other tests mount meanwhile, and kill, is not seen."""
    monkeypatch.setattr(mounts, "collect_mounts", list)


def lines(out: bytes) -> dict[str, tuple[str, str]]:
    """Return level and text of each line, by its check."""
    return {
        check: (level, text) for level, check, text in (line.split(maxsplit=2) for line in out.decode().splitlines())
    }


def test_without_a_database_it_warns_and_exits_0(kvass: Kvass, database: Path) -> None:
    status, out, err = kvass("doctor")
    assert (status, err) == (0, "")
    level, text = lines(out)["database"]
    assert level == "warning"
    assert text.startswith(f"there is none at {database} yet; `kvass set KEY VALUE`, ")
    assert not database.exists()


def test_all_is_well_with_a_hub_that_answers(kvass: Kvass, hub: NearHub) -> None:
    status, out, err = kvass("doctor", "--full")
    assert (status, err) == (0, "")
    found = lines(out)
    assert found["hub"] == ("ok", "hub.example:8000 answers, protocol version 2")
    assert found["key"] == ("ok", "the hub accepts it")
    assert found["integrity"] == ("ok", "sound, with every block")


def test_what_is_wrong_is_said_with_what_to_do_and_exits_1(kvass: Kvass, hub: NearHub) -> None:
    hub.refuse_the_key()
    status, out, err = kvass("doctor")
    assert (status, err) == (1, "")
    text = "the hub hub.example:8000 has another encryption key"
    remedy = (
        "type `kvass pair` on a device that it accepts, and the line that appears, with --merge, on this one"
        " (or set the key with `kvass config key`): nothing here is lost"
    )
    assert lines(out)["key"] == ("wrong", f"{text}; {remedy}")


def test_a_damaged_database_is_wrong_and_nothing_else_is(kvass: Kvass, database: Path) -> None:
    database.write_bytes(b"SQLite format 3\0" + os.urandom(10_000))
    database.chmod(0o600)
    status, out, err = kvass("doctor")
    assert (status, err) == (1, "")
    assert [check for check, (level, _) in lines(out).items() if level == "wrong"] == ["integrity"]


def test_offline_the_hub_is_left_alone(kvass: Kvass, hub: NearHub) -> None:
    hub.be_down()
    assert lines(kvass("doctor", "--offline").out)["hub"] == ("ok", "hub.example:8000 was not asked")
    assert hub.calls == []


def test_json_says_the_same(kvass: Kvass, hub: NearHub) -> None:
    hub.be_down()
    status, out, err = kvass("doctor", "--json")
    assert (status, err) == (1, "")
    found = json.loads(out)
    assert found["level"] == "wrong"
    (finding,) = [each for each in found["findings"] if each["check"] == "hub"]
    assert finding == {
        "check": "hub",
        "level": "wrong",
        "text": "cannot reach the hub hub.example:8000: connection refused",
        "remedy": "check that it runs there and that the network is up",
    }


def test_keys_dated_ahead_are_named(kvass: Kvass, database: Path) -> None:
    with Store.open(database, clock=lambda: 4 * 10**18) as store:
        store.set("from the\nfuture", b"value")
    status, out, _ = kvass("doctor")
    assert status == 0
    level, text = lines(out)["dates"]
    assert level == "warning"
    assert text.startswith("from the\\nfuture is dated ")


def test_keys_with_numbers_that_nobody_takes_are_named_and_mended(kvass: Kvass, database: Path) -> None:
    with Store.open(database) as store:
        for key in ("doc", "other"):
            store.set(key, b"value")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE entries SET timestamp = ? WHERE key = 'doc'", (1_704_067_200 * 10**9,))
    status, out, _ = kvass("doctor")
    assert status == 1
    assert lines(out)["numbers"] == (
        "wrong",
        (
            "doc: the timestamp of a version, 1704067200000000000, is out of range: others may refuse it;"
            " type: kvass doctor --repair"
        ),
    )
    status, out, _ = kvass("doctor", "--repair")
    assert status == 0
    assert lines(out)["repair"] == ("ok", "gave 1 key and 0 earlier versions other numbers, and no value went")
    assert lines(out)["numbers"] == ("ok", "every version can be taken by other devices")
    status, out, _ = kvass("doctor", "--repair")
    assert lines(out)["repair"] == ("ok", "there was nothing to mend")
    assert kvass("get", "doc").out == b"value"


def test_a_line_is_one_line() -> None:
    finding = Finding("check", "wrong", "a\nb\x1b", "type: c")
    assert format_finding(finding) == "wrong    check        a\\nb\\x1b; type: c"
    assert format_finding(Finding("check", "ok", "well")) == "ok       check        well"


def test_json_of_nothing_is_ok() -> None:
    assert build_object([]) == {"level": "ok", "findings": []}


@pytest.mark.parametrize("value", ["", "relative", "/full"])
def test_the_environment_says_where_files_are_in_full_paths(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", value)
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    full = value == "/full"
    assert find_folders() == (
        str(tmp_path),
        "/full" if full else str(tmp_path / ".local/share"),
        "/full" if full else str(tmp_path / ".config"),
    )


@pytest.mark.parametrize("line", ["doctor x", "doctor --nope"])
def test_wrong_usage_exits_2(kvass: Kvass, line: str) -> None:
    status, out, err = kvass(*line.split())
    assert (status, out) == (2, b"")
    assert err.count("\n") == 1


# A real mount


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "mount point"
    subprocess.run(["umount", "-l", tmp_path / "mount point"], capture_output=True, check=False)


def test_a_mount_whose_process_was_killed_is_found_and_what_is_said_mends_it(
    processes: Processes, directory: Path
) -> None:
    assert processes.run("mount", str(directory)).status == 0
    assert str(directory) in lines(processes.run("doctor").out)["mounts"][1]
    server = int(os.getxattr(directory, mountpoint.SERVER_PID))
    for pid in (*children(server), server):
        os.kill(pid, 9)
    find_within(10, lambda: is_dead(directory), what="the mount is dead")
    status, out, _ = processes.run("doctor")
    found = [line for line in out.decode().splitlines() if str(directory) in line]
    assert status == 1
    text = f"{directory}: its process died (Transport endpoint is not connected)"
    assert found == [f"wrong    mounts       {text}; type: kvass umount '{directory}'"]
    assert processes.run("umount", str(directory)).status == 0
    assert str(directory) not in processes.run("doctor").out.decode()


def is_dead(directory: Path) -> bool:
    try:
        os.statvfs(directory)
    except OSError:
        return True
    return False
