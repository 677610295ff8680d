"""Hubs, or whoever answers in their place, that take a device's memory or time: endless, packed, dripping answers.

The short form tries each attack for a moment against limits of a fraction of a second; the long form (KVASS_TESTS=long)
runs `kvass get` with its own limits, and random answers by the hundred thousand.
"""

from __future__ import annotations

import gzip
import random
import resource
import socket
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, NotAHub, SyncError
from kvassfs.remote.errors import AnswerDamaged
from kvassfs.remote.http import HttpRemote, TimeLimits
from kvassfs.store import Store
from kvassfs.sync.connection import open_synchroniser
from tests.support.searches import LONG, examples
from tests.support.servers import Script, answer, answers, plain_environment, request_of, serving

LIMITS = TimeLimits(0.3, 0.3)
"""Of which a call may take 0.9 s in all, and what moves more."""

MOST_SECONDS = 20.0
"""Far more than any of these may take on a slow machine, and far less than for ever."""

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plain_environment(monkeypatch, tmp_path)


def repeating(begin: bytes, part: bytes, pause: float = 0.0) -> Script:
    """Answer with a beginning, and then with the same part for ever."""

    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(begin)
        while True:
            connection.sendall(part)
            time.sleep(pause)

    return script


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

ENDLESS = {
    "interim answers": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "interim answers with headers": repeating(b"", b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" * 100),
    "a status line": repeating(b"HTTP/1.1 200 ", b"x" * 65536),
    "header lines": repeating(OK, b"X: y\r\n" * 1000),
    "a header line": repeating(OK + b"X: ", b"y" * 65536),
    "a body": repeating(OK + b"\r\n", bytes(65536)),
    "a body in pieces": repeating(CHUNKED, b"10000\r\n" + bytes(65536) + b"\r\n"),
    "pieces of a byte": repeating(CHUNKED, b"1\r\nx\r\n" * 10000),
    "pieces with long names": repeating(CHUNKED, b"1;" + b"n" * 60000 + b"\r\nx\r\n"),
    "the length of a piece": repeating(CHUNKED, b"0" * 65536),
    "a piece of no length": repeating(CHUNKED + b"-1\r\n", bytes(65536)),
    "trailers": repeating(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000),
    "a trailer": repeating(CHUNKED + b"0\r\nX: ", b"y" * 65536),
}


def call(script: Script, limits: TimeLimits = LIMITS, **options: int) -> SyncError:
    """Return how a call ends that is answered so."""
    with serving(script) as server, closing(HttpRemote(server.address, limits)) as remote:
        begin = time.monotonic()
        with pytest.raises(SyncError) as raised:
            remote.post("pull", b"sealed", **options)
        assert time.monotonic() - begin < MOST_SECONDS
    return raised.value


@pytest.mark.parametrize("script", ENDLESS.values(), ids=list(ENDLESS))
def test_an_answer_without_end_takes_little_memory(script: Script) -> None:
    tracemalloc.start()
    try:
        error = call(script, TimeLimits(5, 5), largest=16 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, HubFailed | NotAHub | HubUnreachable)
    assert peak < 20 * MIB


DRIPPING = {
    # 1,100 bytes every 5 s, that is, in proportion: more than what counts as progress within its limit.
    "a body": repeating(OK + b"Content-Length: 999999999\r\n\r\n", bytes(1100), 0.15),
    "header lines": repeating(OK, (b"X: " + b"y" * 500 + b"\r\n") * 2, 0.15),
    "interim answers": repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 44, 0.15),
    "trailers": repeating(CHUNKED + b"0\r\n", b"X: y\r\n" * 200, 0.15),
}


@pytest.mark.parametrize("script", DRIPPING.values(), ids=list(DRIPPING))
def test_an_answer_that_drips_is_given_up_where_a_person_waits(script: Script) -> None:
    error = call(script, LIMITS.for_person())
    assert isinstance(error, HubUnreachable | NotAHub)


def test_the_patience_of_a_person_is_for_all_calls_together() -> None:
    """Each answer is whole, and soon there; there is always another one to ask for."""

    def script(connection: socket.socket) -> None:
        while True:
            request_of(connection)
            time.sleep(0.2)
            connection.sendall(answer("200 OK", b"more"))

    with (
        serving(script) as server,
        closing(HttpRemote(server.address, LIMITS.for_person())) as remote,
        pytest.raises(HubUnreachable, match="longer than a command waits for"),
    ):
        list(iter(lambda: remote.post("pull", b""), b"the end"))


def test_what_really_moves_is_waited_for() -> None:
    """A megabyte per answer is more than enough for the time that it takes."""

    def script(connection: socket.socket) -> None:
        while True:
            request_of(connection)
            time.sleep(0.1)
            connection.sendall(answer("200 OK", bytes(MIB)))

    with serving(script) as server, closing(HttpRemote(server.address, LIMITS.for_person())) as remote:
        for _ in range(20):
            assert len(remote.post("pull", b"")) == MIB


# Encoded answers


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


@pytest.mark.parametrize("status", ["200 OK", "500 Oh"])
def test_an_answer_that_is_packed_is_not_unpacked(status: str) -> None:
    packed = bomb((3000 if LONG else 64) * MIB)
    tracemalloc.start()
    try:
        error = call(answers(answer(status, packed, "Content-Encoding: gzip")))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, NotAHub if status == "200 OK" else HubFailed)
    assert peak < 20 * MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "nonsense"])
def test_no_encoding_is_taken_that_was_not_asked_for(coding: str) -> None:
    error = call(answers(answer("200 OK", gzip.compress(b"x"), f"Content-Encoding: {coding}")))
    assert isinstance(error, NotAHub)
    assert f"its answer is encoded ({''.join(filter(str.isalnum, coding))})" in str(error)


def test_that_an_answer_is_not_encoded_may_be_said() -> None:
    with (
        serving(answers(answer("200 OK", b"x", "Content-Encoding: identity"))) as server,
        closing(HttpRemote(server.address, LIMITS)) as remote,
    ):
        assert remote.post("pull", b"") == b"x"


# What a device does with a large answer that nobody has sealed


def test_a_large_answer_without_a_seal_is_not_held_in_memory(tmp_path: Path) -> None:
    size = 64 * MIB

    def script(connection: socket.socket) -> None:
        request_of(connection)
        connection.sendall(answer("200 OK", b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: %d" % size))
        for _ in range(size // MIB):
            connection.sendall(b"\x80" * MIB)

    with serving(script) as server, Store.open(tmp_path / "store.sqlite") as store:
        store.settings.set_remote(server.address)
        store.settings.set_timeouts(10, 30)
        tracemalloc.start()
        try:
            with open_synchroniser(store) as synchroniser, pytest.raises(AnswerDamaged):
                synchroniser.pull()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 24 * MIB


# Anything


def scramble(random_: random.Random) -> bytes:
    """Return an answer made of parts of answers, some of them damaged."""
    parts: list[Callable[[], bytes]] = [
        lambda: random_.choice([b"HTTP/1.1 ", b"HTTP/1.0 ", b"HTTP/9.9 ", b"ICY ", b"\x16\x03\x01", b""]),
        lambda: random_.choice(
            [b"200 OK", b"100 Continue", b"204 No", b"304 Not", b"407 P", b"500 Oh", b"-1 x", b"2 0"]
        ),
        lambda: b"\r\n",
        *(
            lambda: random_.choice(
                [
                    b"Content-Length: 5\r\n",
                    b"Content-Length: -5\r\n",
                    b"Content-Length: 1, 2\r\n",
                    b"Content-Length: 99999999999999999999999\r\n",
                    b"Transfer-Encoding: chunked\r\n",
                    b"Transfer-Encoding: gzip, chunked\r\n",
                    b"Content-Encoding: gzip\r\n",
                    b"Content-Type: text/html\r\n",
                    b"Location: http://[\r\n",
                    b"Location: \xff\xfe\r\n",
                    b"Set-Cookie: a=b; expires=\xff\r\n",
                    b"Connection: close\r\n",
                    b": \r\n",
                    b" folded\r\n",
                    b"\xff\x00: \x01\r\n",
                ]
            )
            for _ in range(random_.randrange(5))
        ),
        lambda: b"\r\n",
        lambda: random_.choice(
            [b"", b"12345", b"5\r\n12345\r\n0\r\n\r\n", b"-5\r\n", b"zz\r\n", b"kvass: no\n", b"\x80" * 99]
        ),
    ]
    made = bytearray(b"".join(part() for part in parts))
    for _ in range(random_.choice([0, 0, 1, 3])):
        if made:
            made[random_.randrange(len(made))] = random_.randrange(256)
    return bytes(made[: random_.randrange(len(made) + 1)] if random_.random() < 0.2 else made)


def test_no_answer_leads_to_an_error_that_nobody_expects() -> None:
    seed = random.randrange(2**32) if LONG else 12
    random_ = random.Random(seed)
    sent: list[bytes] = []
    told: list[str] = []

    def script(connection: socket.socket) -> None:
        request_of(connection)
        sent.append(scramble(random_))
        connection.sendall(sent[-1])

    with serving(script) as server:
        for _ in range(examples(150, long=100_000)):
            with closing(HttpRemote(server.address, LIMITS)) as remote:
                try:
                    remote.post("pull", b"sealed")
                except SyncError as error:
                    told.append(str(error))
                except Exception as error:
                    raise AssertionError((seed, sent[-1])) from error
    assert told
    assert not [line for line in told if "\n" in line]


# The command itself


@pytest.mark.skipif(not LONG, reason="it takes the time that a command really waits")
@pytest.mark.parametrize(
    "script",
    [
        repeating(OK + b"Content-Length: 999999999\r\n\r\n", bytes(1100), 5),
        repeating(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.5),
        repeating(OK + b"\r\n", bytes(65536)),
    ],
    ids=["drips", "interim", "endless"],
)
def test_get_shows_what_is_here_in_the_end(tmp_path: Path, script: Script) -> None:
    with serving(script) as server, Store.open(tmp_path / "store.sqlite") as store:
        store.set("key", b"value")
        store.settings.set_remote(server.address)
        command = [sys.executable, "-m", "kvassfs_cli", "--db", store.path, "get", "key"]
        begin = time.monotonic()
        done = subprocess.run(command, capture_output=True, check=True, timeout=300)
        took = time.monotonic() - begin
    assert done.stdout == b"value"
    assert done.stderr.startswith(b"kvass: warning: ")
    assert took < 60
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 300 * 1024
