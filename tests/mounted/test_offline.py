"""With the network in any bad state, files and commands work as ever, nothing is lost, and all is mended soon after."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.devices import Device, Network, Outcome, lists, shows
from tests.support.processes import is_running
from tests.support.proxy import Direction, Mode
from tests.support.waiting import wait_until, within

CONNECT = PROGRESS = 0.5
"""The limits (s) that the devices here have, so that the tests are quick; the wanted behaviour is that of any."""

MENDED = 30.0
"""Seconds until all is in step again, on a machine however busy; 5 are wanted."""


@dataclass(frozen=True)
class Trouble:
    """What can be wrong with the network or the hub, and what a command says of it."""

    name: str
    begin: Callable[[Network], object]
    end: Callable[[Network], object]
    says: str


def mode(chosen: Mode) -> Callable[[Network], None]:
    def enter(network: Network) -> None:
        network.proxy.mode = chosen

    return enter


def delay(seconds: float) -> Callable[[Network], None]:
    def enter(network: Network) -> None:
        network.proxy.delay = seconds
        network.proxy.cut()  # whoever waits for news is to notice

    return enter


def set_key(other: bool) -> Callable[[Network], None]:
    def enter(network: Network) -> None:
        with network.hub.store() as store:
            store.settings.set_encryption_key(bytes(32) if other else network.hub.key)
        network.proxy.cut()

    return enter


def unreachable(reason: str) -> str:
    return f"cannot reach the hub {{address}}: {reason}; "


TOO_LATE = unreachable(f"no answer within {PROGRESS} s")

TROUBLES = [
    Trouble("refused", mode(Mode.REFUSE), mode(Mode.PASS), unreachable("connection refused")),
    Trouble("unanswered", mode(Mode.UNANSWERED), mode(Mode.PASS), unreachable(f"no connection within {CONNECT} s")),
    Trouble("black hole", mode(Mode.BLACK_HOLE), mode(Mode.PASS), TOO_LATE),
    Trouble(
        "login page",
        mode(Mode.PAGE),
        mode(Mode.PASS),
        "no kvass hub answers at {address}: it answers with a web page; check `kvass config remote`, and whether a network"
        " login page is in between",
    ),
    Trouble("answer after 60 s", delay(60), delay(0), TOO_LATE),
    Trouble("hub killed", Network.kill, Network.start, "cannot reach the hub {address}: "),
    Trouble(
        "wrong key",
        set_key(other=True),
        set_key(other=False),
        "the hub {address} has another encryption key; type `kvass pair` on a device that it accepts, and the line"
        " that appears, with --merge, on this one (or set the key with `kvass config key`): nothing here is lost",
    ),
]


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    """A hub for this test alone."""
    with Network(tmp_path) as found:
        yield found


def device(network: Network, name: str) -> Device:
    """Make a device that is not very patient."""
    made = network.device(name)
    assert made.kvass("config", "timeout", str(CONNECT), str(PROGRESS)).status == 0
    return made


def assert_warned(outcome: Outcome, out: bytes, says: str, otherwise: str) -> None:
    """Assert that a command did its work here, in time, and said in one line why not there."""
    assert (outcome.status, outcome.out) == (0, out)
    assert outcome.err.startswith(f"kvass: warning: {says}")
    assert outcome.err.endswith(f"; {otherwise}\n")
    assert outcome.err.count("\n") == 1


KEPT = "kept here and pushed later"
SHOWN = "showing what is stored here"


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_in_trouble_all_goes_on_and_afterwards_all_is_in_step(network: Network, trouble: Trouble) -> None:
    here, there, alone = (device(network, name) for name in ("here", "there", "alone"))
    with here.following(), there.following():
        for name in ("file", "moved", "removed"):
            (here.path / name).write_bytes(b"before")
        wait_until(lists(there.path, "file", "moved", "removed"), "what was there before")
        assert alone.kvass("get", "file")[:3] == (0, b"before", "")
        trouble.begin(network)
        save_in_the_mount(here.path)
        assert there.kvass("set", "there", "value")[:2] == (0, b"")
        says = trouble.says.format(address=network.proxy.address)
        assert_warned(alone.kvass("ls"), b"file\nmoved\nremoved\n", says, SHOWN)
        assert_warned(alone.kvass("set", "alone", "value"), b"", says, KEPT)
        assert_warned(alone.kvass("rm", "removed"), b"", says, KEPT)
        assert alone.value("alone") == b"value\n"
        status, out, err = alone.kvass("sync")
        assert (status, out, err.count("\n")) == (1, b"", 1)
        assert err.startswith(f"kvass: {says}")
        assert [made.waiting() for made in (here, there, alone)] == [6, 1, 2]
        trouble.end(network)
        assert_in_step(network, here, there, alone)


def save_in_the_mount(path: Path) -> None:
    """Do what people do in a mount; nothing of it may wait for the network."""
    (path / "file").write_bytes(b"while offline")
    (path / "new").write_bytes(bytes(2_000_000))
    (path / "moved").rename(path / "elsewhere")
    (path / "link").symlink_to("file")
    (path / "removed").unlink()
    assert sorted(os.listdir(path)) == ["elsewhere", "file", "link", "new"]
    assert (path / "link").read_bytes() == b"while offline"


def assert_in_step(network: Network, here: Device, there: Device, alone: Device) -> None:
    """Assert that the mounts are soon in step by themselves, and that the other device is with its next command."""
    names = ["elsewhere", "file", "link", "new", "there"]

    def in_step() -> bool:
        # Where only the answers were lost, the hub has what the other device pushed.
        return not here.waiting() and not there.waiting() and {*os.listdir(there.path)} - {"alone"} == {*names}

    within(MENDED, in_step, what="the one mount shows what the other did")
    within(MENDED, shows(here.path / "there", b"value\n"), what="and the other way round")
    within(MENDED, shows(there.path / "new", bytes(2_000_000)), what="what is large")
    assert alone.kvass("set", "alone", "again")[:3] == (0, b"", "")
    assert alone.waiting() == 0
    wait_until(shows(here.path / "alone", b"again\n"), "what the other device set")
    assert sorted(alone.kvass("ls").out.decode().split()) == ["alone", *names]


# Cut connections

PLACES = [0, 20, 150, 260, 340]
"""Bytes of a request, or of an answer, after which the connection is cut; they are about as long."""


@pytest.mark.parametrize("direction", list(Direction))
def test_a_command_whose_connection_is_cut_anywhere_loses_nothing(network: Network, direction: Direction) -> None:
    alone = device(network, "alone")
    alone.kvass("sync")
    for number, place in enumerate(PLACES):
        network.proxy.cut_after(place, direction)
        status, out, err = alone.kvass("set", f"{number}", f"{number}")
        assert (status, out) == (0, b"")
        if err:
            says = f"cannot reach the hub {network.proxy.address}: "
            assert_warned(Outcome(status, out, err), b"", says, KEPT)
            assert not network.proxy.armed
        else:  # a cut just after the answer loses nothing either
            assert alone.waiting() == 0
            with network.hub.store() as hub:
                assert hub.get(f"{number}").read() == b"%d\n" % number
    assert network.proxy.cuts >= 3
    network.proxy.cut_after(10**9, direction)
    assert alone.kvass("sync").status == 0
    assert alone.waiting() == 0
    with network.hub.store() as hub:
        assert {key: hub.get(key).read() for key in hub.keys()} == {
            f"{number}": b"%d\n" % number for number in range(len(PLACES))
        }


@pytest.mark.parametrize("direction", list(Direction))
def test_a_get_whose_connection_is_cut_anywhere_shows_what_is_here(network: Network, direction: Direction) -> None:
    alone = device(network, "alone")
    values = {b"0\n"}
    with network.hub.store() as hub:
        hub.set("key", b"0\n")
        assert alone.kvass("get", "key").out == b"0\n"
        for number, place in enumerate(PLACES, 1):
            hub.set("key", b"%d\n" % number)
            values.add(b"%d\n" % number)
            network.proxy.cut_after(place, direction)
            status, out, err = alone.kvass("get", "key")
            assert status == 0
            assert out in values if err else out == b"%d\n" % number
    network.proxy.cut_after(10**9, direction)
    assert alone.kvass("get", "key")[:3] == (0, b"%d\n" % len(PLACES), "")


@pytest.mark.parametrize("direction", list(Direction))
def test_mounts_whose_connections_are_cut_anywhere_stay_in_step(network: Network, direction: Direction) -> None:
    here, there = device(network, "here"), device(network, "there")
    with here.following(), there.following():
        for number, place in enumerate(PLACES):
            network.proxy.cut_after(place, direction)
            (here.path / "file").write_bytes(b"%d" % number)
            within(MENDED, shows(there.path / "file", b"%d" % number), what=f"save {number}, cut after {place} bytes")
            (there.path / "answer").write_bytes(b"%d" % number)
            within(MENDED, shows(here.path / "answer", b"%d" % number), what="the answer to it")
        here.wait_until_pushed()
        there.wait_until_pushed()
    assert network.proxy.cuts >= 3


def test_a_large_value_arrives_although_it_is_cut_again_and_again(network: Network) -> None:
    here, there = device(network, "here"), device(network, "there")
    value = os.urandom(12_000_000)
    with here.following(), there.following():
        network.proxy.cut_after(5_000_000, Direction.TO_HUB)
        (here.path / "file").write_bytes(value)
        wait_until(lambda: not network.proxy.armed, "the first cut")
        network.proxy.cut_after(4_000_000, Direction.TO_DEVICE)
        within(2 * MENDED, shows(there.path / "file", value), what="the large value")
    sent = network.proxy.crossed
    assert all(sent[direction] < 1.5 * len(value) for direction in Direction)


# Who asks the hub


@contextmanager
def sync_following(made: Device) -> Iterator[int]:
    """`with` `kvass sync --follow` in touch with the hub, and its process; nobody notices its end."""
    with made.start("sync", "--follow", stderr=subprocess.DEVNULL) as process:
        try:
            made.wait_for_touch()
            yield process.pid
        finally:
            process.kill()


@contextmanager
def mount_following(made: Device) -> Iterator[int]:
    """`with` a mount in touch with the hub, and the process beside it."""
    with made.following():
        yield made.following_pids()[0]


@pytest.mark.parametrize("following", [sync_following, mount_following])
def test_get_asks_nobody_while_a_process_is_in_touch_and_the_hub_when_that_was_killed(
    network: Network, following: Callable[[Device], AbstractContextManager[int]]
) -> None:
    here = device(network, "here")
    with network.hub.store() as hub:
        hub.set("key", b"0")
        with following(here) as pid:
            within(MENDED, lambda: here.value("key") == b"0", what="the key")
            before = network.proxy.connections
            hub.set("key", b"1")
            within(MENDED, lambda: here.value("key") == b"1", what="the new value, by itself")
            for _ in range(3):
                assert here.kvass("get", "key")[:3] == (0, b"1", "")
                assert here.kvass("ls")[:3] == (0, b"key\n", "")
            assert network.proxy.connections == before
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_running(pid), "its end")
            hub.set("key", b"2")
            assert here.kvass("get", "key")[:3] == (0, b"2", "")
            assert network.proxy.connections > before


def test_get_asks_the_hub_itself_while_the_process_beside_a_mount_is_out_of_touch(network: Network) -> None:
    here = device(network, "here")
    with here.following():
        network.proxy.mode = Mode.REFUSE
        wait_until(lambda: not here.in_touch(), "out of touch")
        (here.path / "key").write_bytes(b"value")
        says = f"cannot reach the hub {network.proxy.address}: connection refused"
        assert_warned(here.kvass("get", "key"), b"value", says, SHOWN)
        network.proxy.mode = Mode.PASS
        here.wait_for_touch()
        assert here.kvass("get", "key")[:3] == (0, b"value", "")


def test_the_log_of_a_mount_says_once_that_the_hub_is_gone_and_that_it_is_back(network: Network) -> None:
    here = device(network, "here")
    with here.following():
        for _ in range(2):
            network.proxy.mode = Mode.REFUSE
            wait_until(lambda: not here.in_touch(), "out of touch")
            (here.path / "file").write_bytes(b"value")
            (here.path / "file").write_bytes(b"another")
            subprocess.run(["sleep", "1"], check=True)
            network.proxy.mode = Mode.PASS
            here.wait_for_touch()
            here.wait_until_pushed()
    address = network.proxy.address
    lines = [line.partition("INFO: ")[2] for line in here.log.splitlines()]
    assert [line for line in lines if line.startswith("in touch")] == [f"in touch with the hub {address}"] * 3
    gone = [line for line in lines if not line.startswith("in touch")]
    assert 2 <= len(gone) <= 6
    assert all(line.startswith(f"cannot reach the hub {address}: ") for line in gone)
