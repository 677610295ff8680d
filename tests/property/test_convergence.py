"""Replicas agree in the end and lose nothing, whatever the network, the clocks and dying processes do.

A history is what a hypothesis state machine makes up: single steps, and bustles of many random ones. Histories come in
batches; the name of a test tells its seed. KVASS_HISTORIES says how many to run in place of the usual number, which is
large with KVASS_TESTS=long, and ``-k '[17]'`` runs batch 17 alone, the same each time:

    KVASS_HISTORIES=100000 ./contrib/test tests/property/test_convergence.py
"""

from __future__ import annotations

import os
from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.support.histories import FATES, Peers
from tests.support.replicas import Pool
from tests.support.sealed_histories import SealedPeers
from tests.support.searches import LONG, examples
from tests.support.stores import DAY, REGULAR, SECOND

HISTORIES = int(os.environ.get("KVASS_HISTORIES", "0"))
FIRST_SEED = int(os.environ.get("KVASS_FIRST_SEED", "0"))

BATCH = 125
"""Histories in a batch."""

PEERS = 5
"""Replicas and original clients together, at most."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "who": tuple(range(PEERS + 1)),
    "key": tuple("aabbc"),
    "new": tuple("abc"),
    # Values up to 16 bytes are inline, up to 100 travel in their entry, and the others in blocks of 64.
    "size": (8, 60, 150, 330),
    "mode": (REGULAR, 0o100755, 0o120777),
    "how": ("set", "remove", "save", "amend", "empty", "unlink", "rename", "change mode", "change time"),
    "what": ("exchange", "pull", "push", "wait"),
    "doing": ("set", "remove", "push", "pull"),
    "page_doing": (
        *("set", "set", "set", "remove", "rename", "change mode", "jump", "close"),
        *("exchange", "exchange", "exchange", "pull", "push", "wait"),
    ),
    "directory": ("f", "f", "f/g", "h"),
    "new_directory": ("f", "f/g", "h", "h/i"),
    "directory_doing": ("remove", "remove", "change mode", "change time", "rename", "save", "unlink", "unlink"),
    "moment": (0, 1000, SECOND // 10, SECOND // 2, 2 * SECOND, DAY, -DAY, 3 * DAY, -3 * DAY),
    "anew": (False, True),
    "again": (False, True),
    "dies": (False, True),
    "at": tuple(range(60)),
    "number": tuple(range(64)),
}

STEPS = {
    "write": "who how key new size mode",
    "change_directory": "who directory_doing directory new_directory size mode",
    "write_on_two": "who number key size",
    "write_and_synchronise": "who how key new size mode what plan",
    "let_time_pass": "moment",
    "set_clock": "who moment what",
    "set_clock_right": "who",
    "boot": "who",
    "synchronise": "who what plan anew",
    "synchronise_with_a_failing_disk": "who what at plan dies",
    "synchronise_while_others_work": "who what at number",
    "deliver_what_is_late": "number again",
    "use_an_original": "who doing key size moment plan",
    "set_the_remote_anew": "who",
    "try_another_key": "who what",
    "clean": "who",
    "back_up": "who",
    "restore": "who",
}
"""What can happen, and what says how."""

WEIGHTS = dict.fromkeys(STEPS, 2) | {
    "write": 6,
    "change_directory": 6,
    "write_and_synchronise": 12,
    "synchronise": 6,
    "synchronise_while_others_work": 6,
    "use_an_original": 6,
    "set_the_remote_anew": 1,
    "try_another_key": 1,
}

Step = tuple[str, dict[str, Any]]

PLANS = st.lists(st.tuples(st.sampled_from(FATES), st.sampled_from(CHOICES["number"])), max_size=4)
"""What becomes of the messages of an exchange, one after another; those beyond arrive."""

BUSTLE = 12
"""Steps of a bustle."""


def drawn(name: str, steps: dict[str, str] = STEPS) -> st.SearchStrategy[Step]:
    """Return a strategy for steps of one kind."""
    values = {part: PLANS if part == "plan" else st.sampled_from(CHOICES[part]) for part in steps[name].split()}
    return st.tuples(st.just(name), st.fixed_dictionaries(values))


def invented(random: Random, steps: dict[str, str] = STEPS, weights: dict[str, int] = WEIGHTS) -> Step:
    """Return a random step."""
    (name,) = random.choices(list(weights), list(weights.values()))
    values: dict[str, Any] = {}
    for part in steps[name].split():
        if part == "plan":
            number = random.choice((0, 0, 1, 2, 3, 4))
            values[part] = [(random.choice(FATES), random.choice(CHOICES["number"])) for _ in range(number)]
        else:
            values[part] = random.choice(CHOICES[part])
    return name, values


@cache
def pool() -> Pool:
    return Pool(PEERS + 1)


class Devices(RuleBasedStateMachine):
    """Replicas and original clients, with a hub of this program."""

    original_hub = False
    steps = STEPS
    weights = WEIGHTS

    @initialize(
        replicas=st.integers(1, PEERS),
        originals=st.integers(0, 2),
        relay=st.booleans(),
        steady=st.booleans(),
        true_clocks=st.booleans(),
    )
    def begin(self, replicas: int, originals: int, relay: bool, steady: bool, true_clocks: bool) -> None:
        self.peers = Peers(
            pool().replicas(1 + replicas, Random(0)),
            min(originals, PEERS - replicas),
            original_hub=self.original_hub,
            relay=relay and not self.original_hub,
            steady=steady,
            true_clocks=true_clocks,
        )

    @rule(step=st.one_of(*map(drawn, STEPS)))
    def let(self, step: Step) -> None:
        self.take(step)

    def take(self, step: Step) -> None:
        """Let a step happen, and look whether all is as it must be."""
        name, values = step
        getattr(self.peers, name)(**values)
        self.peers.check()

    @rule(number=st.integers(0, 2**32))
    def bustle(self, number: int) -> None:
        random = Random(number)
        for _ in range(BUSTLE):
            step = invented(random, self.steps, self.weights)
            note(f"    state.let({step})")
            self.let(step)

    def teardown(self) -> None:
        if hasattr(self, "peers"):
            self.peers.end()


class DevicesOfAnOriginalHub(Devices):
    """The same with a hub of the original program, which takes whatever arrives."""

    original_hub = True


@cache
def sealed_pool() -> Pool:
    return Pool(PEERS + 1, sealed=True)


class SealedDevices(Devices):
    """Devices of a sealed store, whose hub cannot read what it keeps."""

    @initialize(replicas=st.integers(1, PEERS), steady=st.booleans())
    def begin(self, replicas: int, steady: bool) -> None:
        self.peers = SealedPeers(
            sealed_pool().replicas(1 + replicas, Random(0)), original_hub=self.original_hub, steady=steady
        )


class SealedDevicesOfAnOriginalHub(SealedDevices):
    """The same with a hub of the original program."""

    original_hub = True


def batches(usual: int) -> list[int]:
    """Return the numbers of the batches that hold as many histories as are asked for, or as usual."""
    return list(range(FIRST_SEED, FIRST_SEED - (-(HISTORIES or usual) // BATCH)))


def run_batch(machine: type[Devices], number: int, histories: int = BATCH) -> None:
    batch = seed(number)(type(machine.__name__, (machine,), {}))
    run_state_machine_as_test(
        batch,
        settings=settings(
            max_examples=histories,
            stateful_step_count=8,
            derandomize=False,
            database=None,
            deadline=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("number", batches(examples(500, long=16_000)))
def test_replicas_agree_and_lose_nothing_with_a_hub_of_this_program(number: int) -> None:
    run_batch(Devices, number)


@pytest.mark.parametrize("number", batches(examples(125, long=4_000)))
def test_replicas_agree_and_lose_nothing_with_a_hub_of_the_original_program(number: int) -> None:
    run_batch(DevicesOfAnOriginalHub, number)


SEALED_BATCH = BATCH if LONG or HISTORIES else 20
"""Histories in a batch of sealed stores, of which each takes twice as long."""


@pytest.mark.parametrize("number", batches(examples(1, long=4_000)))
def test_sealed_replicas_agree_and_lose_nothing_with_a_hub_of_this_program(number: int) -> None:
    run_batch(SealedDevices, number, SEALED_BATCH)


@pytest.mark.parametrize("number", batches(examples(1, long=2_000)))
def test_sealed_replicas_agree_and_lose_nothing_with_a_hub_of_the_original_program(number: int) -> None:
    run_batch(SealedDevicesOfAnOriginalHub, number, SEALED_BATCH)
