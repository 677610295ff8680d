"""kvassfs_cli.commands.pair and join: real command lines against a real hub on the loopback."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kvassfs.pairing.addresses import Reachable
from kvassfs.pairing.errors import CodeGone, NobodyServes, PairingExpired, WrongCode
from kvassfs.pairing.messages import Handover
from kvassfs.pairing.words import WORDS
from kvassfs.store import Store
from kvassfs_cli.commands.join import format_joined
from kvassfs_cli.commands.pair import format_invitation, format_line
from tests.support.servers import answer, answers, serving
from tests.unit.cli.conftest import Kvass, Outcome, Processes

SECONDS = 30.0
HERE = "127.0.0.1"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """The database of the hub, which has a key."""
    path = tmp_path / "server.sqlite"
    with Store.open(path) as store:
        store.set("theirs", b"from the hub\n")
    return path


@contextmanager
def served(processes: Processes, database: Path, *options: str) -> Iterator[str]:
    """``with`` a hub on ``database``, and its address."""
    with processes.running("serve", "--db", str(database), "--bind", f"{HERE}:0", *options) as process:
        assert process.stderr is not None
        found = re.search(rf"http://({HERE}:\d+)", process.stderr.readline().decode())
        assert found is not None
        yield found[1]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)


@pytest.fixture
def hub_address(processes: Processes, server: Path) -> Iterator[str]:
    with served(processes, server, "--quiet") as address:
        yield address


class Pairing:
    """A `kvass pair` that has printed its line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdout is not None
        self.said = process.stdout.readline().decode()
        while self.said and "kvass join" not in self.said:
            piece = process.stdout.readline().decode()
            assert piece, process.communicate()
            self.said += piece
        found = re.search(r"kvass (join \S+ \d+-\w+-\w+)\n", self.said)
        assert found is not None, self.said
        self.line = found[1].split()

    def end(self) -> Outcome:
        out, err = self._process.communicate(timeout=SECONDS)
        return Outcome(self._process.returncode, out, err.decode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)


@contextmanager
def pairing(processes: Processes, database: Path) -> Iterator[Pairing]:
    with processes.running("pair", "--db", str(database)) as process:
        yield Pairing(process)


def slip(line: list[str]) -> list[str]:
    """Return the line with another last word."""
    number, first, last = line[-1].split("-")
    other = next(word for word in WORDS if word not in {first, last})
    return [*line[:-1], f"{number}-{first}-{other}"]


def test_a_new_device_has_the_keys_by_what_is_printed_alone(
    processes: Processes, server: Path, hub_address: str, database: Path
) -> None:
    with Store.open(server) as store:
        store.settings.set_name("server")
        store.settings.set_scratch_patterns(["*.mine"])
    with pairing(processes, server) as device:
        assert device.line[1] == hub_address
        status, out, err = processes.run(*device.line, "--name", "laptop")
        assert (status, err) == (0, "")
        assert re.fullmatch(
            r"joined server; this device is called laptop \(`kvass config name` changes that\)\n"
            r"pulled 1 entry \(\d+ B\)\n"
            r"`kvass mount ~/kvass` shows the keys as files\n",
            out.decode(),
        )
        ended = device.end()
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.decode().endswith("laptop has joined\n")
    assert processes.run("get", "theirs") == (0, b"from the hub\n", "")
    with Store.open(database) as store, Store.open(server) as of_hub:
        assert store.settings.config().encryption_key == of_hub.settings.config().encryption_key
        assert store.settings.config().remote == hub_address
        assert store.settings.scratch_patterns() == ("*.mine",)
        assert store.settings.name() == "laptop"


def test_a_device_of_the_hub_lets_another_one_join(
    processes: Processes, server: Path, hub_address: str, tmp_path: Path
) -> None:
    third = tmp_path / "third.sqlite"
    with pairing(processes, server) as device:
        assert processes.run(*device.line).status == 0
        device.end()
    with pairing(processes, tmp_path / "db.sqlite") as device:
        assert device.line[1] == hub_address
        assert processes.run(*device.line, "--db", str(third)).status == 0
        assert device.end().status == 0
    assert processes.run("get", "theirs", "--db", str(third)).out == b"from the hub\n"


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_the_code_may_be_read_from_standard_input(
    processes: Processes, server: Path, hub_address: str, arguments: list[str]
) -> None:
    with pairing(processes, server) as device:
        *line, code = device.line
        assert processes.run(*line, *arguments, stdin=f"{code.upper()}\n".encode()).status == 0
        assert device.end().status == 0


def test_the_code_may_be_typed_as_words(processes: Processes, server: Path, hub_address: str) -> None:
    with pairing(processes, server) as device:
        *line, code = device.line
        assert processes.run(*line, *code.split("-")).status == 0


def test_a_wrong_code_is_said_on_both_sides(
    processes: Processes, server: Path, hub_address: str, database: Path
) -> None:
    with pairing(processes, server) as device:
        assert processes.run(*slip(device.line)) == (3, b"", f"kvass: {WrongCode(joining=True)}\n")
        status, _, err = device.end()
        assert (status, err) == (3, f"kvass: {WrongCode(joining=False)}\n")
        assert processes.run(*device.line) == (4, b"", f"kvass: {CodeGone()}\n")
    with Store.open(database) as store:
        assert store.settings.config().remote == ""


def test_a_slip_that_can_be_told_costs_nothing(processes: Processes, server: Path, hub_address: str) -> None:
    with pairing(processes, server) as device:
        status, out, err = processes.run(*device.line[:-1], "7-purpel-lamp")
        assert (status, out) == (1, b"")
        assert err.endswith("'purpel' is none of its words; is it purple?\n")
        assert processes.run(*device.line).status == 0


def test_an_interrupt_ends_the_code(processes: Processes, server: Path, hub_address: str) -> None:
    with pairing(processes, server) as device:
        device.interrupt()
        status, _, err = device.end()
        assert (status, err) == (-signal.SIGINT, "kvass: interrupted: no device has joined, and the code has ended\n")
        assert processes.run(*device.line) == (4, b"", f"kvass: {CodeGone()}\n")


def test_an_interrupt_of_the_joiner_is_one_line(processes: Processes, database: Path) -> None:
    arrived = threading.Event()

    def keep(connection: socket.socket) -> None:
        connection.recv(4096)
        arrived.set()
        connection.recv(4096)

    with serving(keep) as silent, processes.running("join", silent.address, "7-purple-lamp") as process:
        assert arrived.wait(SECONDS)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (-signal.SIGINT, b"")
    assert err.decode() == (
        "kvass: interrupted: this device has not joined; if the code has ended, `kvass pair` shows another one\n"
    )


def test_neither_arguments_nor_log_have_the_key_or_the_code(processes: Processes, server: Path) -> None:
    with processes.running("serve", "--db", str(server), "--bind", f"{HERE}:0") as process:
        assert process.stderr is not None
        process.stderr.readline()
        with pairing(processes, server) as device:
            assert processes.run(*device.line).status == 0
            device.end()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=SECONDS)
    with Store.open(server) as store:
        key = store.settings.config().encryption_key.hex()
    _, *words = device.line[-1].split("-")
    assert b"POST /join 200" in log
    assert not any(secret in log.decode() for secret in (key, *words))


def test_a_log_says_how_the_first_device_joins_and_no_more_afterwards(processes: Processes, server: Path) -> None:
    hint = b"kvass: no device has joined yet: `kvass pair` in another terminal here prints what to type there; "
    with processes.running("serve", "--db", str(server), "--bind", f"{HERE}:0") as process:
        assert process.stderr is not None
        process.stderr.readline()
        assert process.stderr.readline().startswith(hint)
        with pairing(processes, server) as device:
            processes.run(*device.line)
            device.end()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    with processes.running("serve", "--db", str(server), "--bind", f"{HERE}:0") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert hint not in process.communicate(timeout=SECONDS)[1]


# Stores in use


def test_a_store_in_use_joins_only_when_told_and_keeps_all(
    processes: Processes, server: Path, hub_address: str, database: Path
) -> None:
    processes.run("set", "ours", "value")
    with pairing(processes, server) as device:
        status, out, err = processes.run(*device.line)
        assert (status, out) == (1, b"")
        assert err == (
            f"kvass: the store {database} is in use (1 key); with --merge it joins, and what is in it stays and goes to the"
            " other devices too, or name another file with --db\n"
        )
        assert processes.run(*device.line, "--merge").status == 0
    assert processes.run("ls").out == b"ours\ntheirs\n"
    with Store.open(server) as store:
        assert sorted(store.keys()) == ["ours", "theirs"]


def test_after_a_device_was_lost_the_others_pair_anew_and_lose_nothing(
    processes: Processes, server: Path, hub_address: str, tmp_path: Path
) -> None:
    lost = f"--db={tmp_path}/lost.sqlite"
    for option in ("--merge", lost):
        with pairing(processes, server) as device:
            assert processes.run(*device.line, option).status == 0
            device.end()
    status, out, err = processes.run("config", "rekey", "--db", str(server))
    assert (status, err) == (0, "")
    assert b"kvass join --merge ADDRESS CODE" in out
    status, _, err = processes.run("set", "pending", "value")
    assert status == 0
    assert err == (
        f"kvass: warning: the hub {hub_address} has another encryption key; type `kvass pair` on a device that it accepts,"
        " and the line that appears, with --merge, on this one (or set the key with `kvass config key`): nothing here is"
        " lost; kept here and pushed later\n"
    )
    with pairing(processes, server) as device:
        assert processes.run(*device.line, "--merge").status == 0
    assert processes.run("get", "pending", "--db", str(server)).out == b"value\n"
    assert processes.run("sync", lost).status == 1


# What is at the address


def test_where_nobody_serves_pair_says_how(kvass: Kvass, store: Store) -> None:
    assert kvass("pair") == (1, b"", f"kvass: {NobodyServes()}\n")


def test_where_there_is_nothing_at_all_pair_says_the_same_and_makes_no_store(kvass: Kvass, database: Path) -> None:
    assert kvass("pair") == (1, b"", f"kvass: {NobodyServes()}\n")
    assert not database.exists()


def test_a_hub_out_of_reach_is_one_line_on_both_sides(kvass: Kvass, store: Store) -> None:
    with closing(socket.create_server((HERE, 0))) as taken:
        address = f"{HERE}:{taken.getsockname()[1]}"
    store.settings.set_remote(address)
    for line in (["pair"], ["join", address, "7-purple-lamp", "--merge"]):
        status, out, err = kvass(*line)
        assert (status, out) == (1, b"")
        assert err == (
            f"kvass: cannot reach the hub {address}: connection refused; check that it runs there and that the network is"
            " up\n"
        )


def test_an_original_hub_is_said_on_both_sides(kvass: Kvass, store: Store) -> None:
    nothing = answer("404 Not Found", b"404 page not found\n", "Content-Type: text/plain; charset=utf-8")
    with serving(answers(nothing)) as original:
        store.settings.set_remote(original.address)
        for line in (["pair"], ["join", original.address, "7-purple-lamp", "--merge"]):
            status, out, err = kvass(*line)
            assert (status, out) == (1, b"")
            assert err == (
                f"kvass: cannot pair through {original.address}: it answers 404 Not Found; check the address, or, if that is a"
                " hub of the original kvass or of an earlier version, use `kvass config key` and `kvass config remote`\n"
            )


def test_a_device_with_another_key_cannot_let_others_join(
    kvass: Kvass, processes: Processes, server: Path, hub_address: str, store: Store
) -> None:
    store.settings.set_remote(hub_address)
    status, out, err = kvass("pair")
    assert (status, out) == (1, b"")
    assert err.startswith(f"kvass: the hub {hub_address} has another encryption key; ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["join", "", "7-purple-lamp"], "ADDRESS is empty"),
        (["join"], "missing argument 'ADDRESS'"),
        (["join", "hub", "7-purple-lamp", "--nope"], "no such option"),
        (["pair", "hub"], "unexpected extra argument"),
    ],
)
def test_wrong_usage_exits_2(kvass: Kvass, line: list[str], said: str) -> None:
    status, out, err = kvass(*line)
    assert (status, out) == (2, b"")
    assert said.lower() in err.lower()
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        ["join", "ftp://hub", "7-purple-lamp"],
        ["join", "hub", "lamp"],
        ["join", "hub", "7-purple-lamp", "--name", "a\nb"],
        ["join", "hub\udcff", "7-purple-lamp"],
        ["join", "hub", "7-purple-\udcff"],
    ],
)
def test_what_cannot_be_is_said_in_one_line_and_makes_no_store(kvass: Kvass, database: Path, line: list[str]) -> None:
    status, out, err = kvass(*line)
    assert (status, out) == (1, b"")
    assert err.count("\n") == 1
    assert not database.exists()


def test_expiry_has_a_status_of_its_own() -> None:
    assert PairingExpired().exit_code == CodeGone().exit_code == 4


# What is printed


def test_the_line_is_fit_for_a_shell() -> None:
    assert format_line("hub:8000", "7-purple-lamp") == "kvass join hub:8000 7-purple-lamp"
    assert format_line("https://hub/a;b", "7-purple-lamp") == "kvass join 'https://hub/a;b' 7-purple-lamp"


def test_other_addresses_and_local_ones_are_said() -> None:
    assert format_invitation(Reachable(("a:1", "b:1", "c:1"), local=False), "LINE") == (
        "Within ten minutes, type on the other device:\n\n    LINE\n\nIf it does not reach a:1, try b:1 or c:1.\n"
    )
    assert format_invitation(Reachable(("localhost:1",), local=True), "LINE").endswith(
        "\nlocalhost:1 is this machine alone: elsewhere, type the address that the hub has there.\n"
    )


def test_a_device_without_a_name_is_the_other_device() -> None:
    handover = Handover("", bytes(32), "", "")
    assert format_joined(handover, "laptop").startswith("joined the other device; this device is called laptop ")
