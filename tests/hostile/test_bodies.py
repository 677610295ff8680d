"""A hub beside 64 clients without a key that hold, trickle and finish bodies, under a limit of memory."""

from __future__ import annotations

import base64
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from kvassfs.sync import messages
from kvassfs.sync.seal import Seal
from tests.hostile.body_attackers import attacking
from tests.support.hub_process import Device, Server, serving
from tests.support.processes import peak_memory
from tests.support.searches import examples

MIB = 1024 * 1024

NEEDED = 256 * MIB
"""What the README says that a hub needs at most."""

STACKS = 16 * 8 * MIB
"""What its threads have reserved for their stacks, of which they use little."""

ATTACKS = [("hold", 16, 256 * MIB), ("hold", 16, MIB), ("trickle", 16, 256 * MIB), ("finish", 16, 16 * MIB)]

SECONDS = examples(5, long=600)
"""How long the attack lasts."""

LIMITED = f"import os, resource, sys; resource.setrlimit(resource.RLIMIT_DATA, ({NEEDED + STACKS},) * 2); os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A hub that gets no more memory than it is said to need."""
    with serving(tmp_path, prefix=[sys.executable, "-c", LIMITED]) as started:
        pid = started.process.pid
        assert resource.prlimit(pid, resource.RLIMIT_DATA)[0] == NEEDED + STACKS
        yield started
        assert peak_memory(pid) < NEEDED


def push(device: Device, number: int, value: bytes) -> int:
    entry = Entry(f"key-{number}", time.time_ns() // 1000, number, 77, f"token-{number}", len(value))
    body = Seal(device.key).seal(messages.encode_push([Delivery(entry, number, value)]))
    return device.post("/push", body)[0]


def get(device: Device, number: int) -> bytes:
    connection = device.connect()
    connection.request("GET", f"/get?q=token-{number}")
    answer = connection.getresponse().read()
    connection.close()
    return answer


@pytest.mark.timeout(SECONDS + 120)
def test_a_device_pushes_and_gets_while_64_attack(server: Server) -> None:
    device = server.device()
    assert sum(clients for _, clients, _ in ATTACKS) == 64
    with ExitStack() as stack:
        answers = [stack.enter_context(attacking(mode, server.url, *rest)) for mode, *rest in ATTACKS]
        end = time.monotonic() + SECONDS
        number = 0
        while time.monotonic() < end or number < 20:
            number += 1
            value = number.to_bytes(4) * (100_000 if number % 10 == 0 else 250)
            assert push(device, number, value) == 200
            assert get(device, number) == value
            assert device.pull(number + 1000).deliveries == []
    assert set().union(*answers) <= {0, 403, 408, 503}
    assert "Traceback" not in server.log()


def test_a_long_push_goes_through_while_others_hold_the_memory(server: Server) -> None:
    device = server.device()
    value = bytes(range(256)) * (100 * MIB // 256)
    fields = {"UrlToken": "t", "TimestampUnixMicro": 5, "ProcessID": 9, "Counter": 3, "NeedsToBePushed": True}
    small = [{"Key": f"small-{number}", "Value": "eA==", **fields} for number in range(10_000)]
    long = {"Key": "long", "Value": base64.b64encode(value).decode(), **fields}
    body = Seal(device.key).seal(json.dumps([*small, long]).encode())
    del long
    with attacking("hold", server.url, 64, 2 * MIB):
        while peak_memory(server.process.pid) < 64 * MIB:
            time.sleep(0.01)
        status, answer = device.post("/push", body)
    assert status == 200
    assert messages.decode_push_response(Seal(device.key).unseal(answer)).digest == messages.compute_digest(body)
    with Store.open(server.database) as store:
        assert store.get("long").read() == value
        assert sum(1 for _ in store.keys()) == 10_001
