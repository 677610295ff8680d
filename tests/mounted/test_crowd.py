"""Twenty commands at once, a mount and the hub: no error, nothing lost, no key pushed twice."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mounted.test_offline import mode
from tests.support.devices import Device, Network
from tests.support.processes import KVASS, SECONDS, unmeasured
from tests.support.programs import names
from tests.support.proxy import Mode
from tests.support.waiting import wait_until, within

CROWD = 20

ALL = 60.0
"""Seconds that twenty processes and what follows from them may take on a busy machine."""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A hub for this test alone."""
    with Network(tmp_path) as found:
        yield found


def start_all(db: Path) -> list[subprocess.Popen[bytes]]:
    """Start twenty commands that each set a key of their own."""
    return [
        subprocess.Popen(
            [*KVASS, "--db", str(db), "set", f"cli/{number}", f"{number}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=unmeasured(),
        )
        for number in range(CROWD)
    ]


def save_until_all_ended(path: Path, commands: list[subprocess.Popen[bytes]]) -> int:
    """Save in a mount while the commands run, one file after the other; return how many files."""
    saved = 0
    while any(command.poll() is None for command in commands):
        (path / f"mount {saved}").write_bytes(b"%d" % saved)
        saved += 1
        time.sleep(0.01)
    return saved


OTHERS_PUSH = b"kvass: warning: another process is still pushing; what was changed is kept here and pushed after that\n"
"""What a command may say that has waited for seconds, on a machine that is too busy."""


def assert_silent(commands: list[subprocess.Popen[bytes]]) -> None:
    """Assert that all commands succeeded without a word."""
    for command in commands:
        out, err = command.communicate(timeout=SECONDS)
        assert (out, command.returncode) == (b"", 0)
        assert err in {b"", OTHERS_PUSH}


def wanted(saved: int) -> dict[str, bytes]:
    """Return what there must be in the end."""
    return {
        **{f"mount {number}": b"%d" % number for number in range(saved)},
        **{f"cli/{number}": b"%d\n" % number for number in range(CROWD)},
    }


def assert_holds(db: Device | Network, expected: dict[str, bytes]) -> None:
    with db.store() if isinstance(db, Device) else db.hub.store() as store:
        assert {key: store.get(key).read() for key in store.keys()} == expected


def assert_shows(device: Device, expected: dict[str, bytes]) -> None:
    """Assert that a mount comes to show everything."""

    def complete() -> bool:
        return len(names(device.path)) + len(names(device.path / "cli")) == len(expected) + 1

    within(ALL, lambda: (device.path / "cli").exists() and complete(), what="all keys in the other mount")
    for key, value in expected.items():
        assert (device.path / key).read_bytes() == value


def assert_pushed_once(network: Network, expected: dict[str, bytes]) -> None:
    pushed = [delivery.entry.key for delivery in network.recorder.pushed()]
    assert sorted(pushed) == sorted(expected)


def test_beside_a_mount_with_the_hub_elsewhere(network: Network) -> None:
    here, there = network.device("here"), network.device("there")
    with here.following(), there.following():
        commands = start_all(here.db)
        expected = wanted(save_until_all_ended(here.path, commands))
        assert_silent(commands)
        within(ALL, lambda: not here.waiting(), what="all is pushed")
        assert_holds(here, expected)
        assert_holds(network, expected)
        assert_shows(there, expected)
    assert_pushed_once(network, expected)


def test_without_a_mount_with_the_hub_elsewhere(network: Network) -> None:
    here = network.device("here")
    commands = start_all(here.db)
    assert_silent(commands)
    assert here.kvass("sync").status == 0
    assert_holds(network, wanted(0))
    assert_pushed_once(network, wanted(0))


def test_beside_a_mount_on_the_database_of_the_hub(network: Network) -> None:
    there = network.device("there")
    hub = network.device_of_the_hub()
    with hub.mounted(), there.following():
        commands = start_all(hub.db)
        expected = wanted(save_until_all_ended(hub.path, commands))
        assert_silent(commands)
        assert_holds(network, expected)
        assert_shows(there, expected)
        (there.path / "answer").write_bytes(b"from there")
        wait_until((hub.path / "answer").exists, "the answer in the mount of the hub")
    assert_pushed_once(network, {"answer": b"from there"})


def test_what_was_set_offline_by_all_is_pushed_once_when_the_hub_is_back(network: Network) -> None:
    here = network.device("here")
    mode(Mode.REFUSE)(network)
    with here.mounted():
        commands = start_all(here.db)
        expected = wanted(save_until_all_ended(here.path, commands))
        for command in commands:
            _, err = command.communicate(timeout=SECONDS)
            assert command.returncode == 0
            assert err.count(b"\n") <= 1
        assert here.waiting() == len(expected)
        mode(Mode.PASS)(network)
        within(ALL, lambda: not here.waiting(), what="all is pushed")
    assert_holds(network, expected)
    assert_pushed_once(network, expected)
