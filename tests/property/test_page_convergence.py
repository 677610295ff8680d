"""Replicas of the page agree with all others and lose nothing, as tests/property/test_convergence.py has it of those.

KVASS_HISTORIES and KVASS_FIRST_SEED say how many histories are run, and which.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.property.test_convergence import (
    HISTORIES,
    PEERS,
    STEPS,
    WEIGHTS,
    Devices,
    Step,
    batches,
    drawn,
    pool,
    run_batch,
    sealed_pool,
)
from tests.support.page_histories import PagePeers, SealedPagePeers, WithPages
from tests.support.searches import LONG, examples

PAGE_STEPS = STEPS | {
    "use_a_page": "who page_doing key new size moment plan anew",
    "use_a_page_with_a_failing_disk": "who what at plan",
    "back_up_a_page": "who",
    "restore_a_page": "who",
}

PAGE_WEIGHTS = WEIGHTS | {
    "use_a_page": 24,
    "use_a_page_with_a_failing_disk": 2,
    "back_up_a_page": 2,
    "restore_a_page": 2,
}


class PageDevices(Devices):
    """Replicas, original clients and pages."""

    peers: WithPages
    steps = PAGE_STEPS
    weights = PAGE_WEIGHTS

    @initialize(
        replicas=st.integers(1, PEERS),
        originals=st.integers(0, 1),
        pages=st.integers(1, 3),
        relay=st.booleans(),
        steady=st.booleans(),
        number=st.integers(0, 2**30),
    )
    def begin(self, replicas: int, originals: int, pages: int, relay: bool, steady: bool, number: int) -> None:
        self.peers = PagePeers(
            pool().replicas(1 + replicas, Random(0)),
            min(originals, PEERS - replicas),
            pages,
            seed=number,
            relay=relay,
            steady=steady,
        )

    @rule(step=st.one_of(*(drawn(name, PAGE_STEPS) for name in PAGE_STEPS)))
    def let(self, step: Step) -> None:
        self.take(step)


class SealedPageDevices(PageDevices):
    """Devices of a sealed store, some of which are pages."""

    @initialize(replicas=st.integers(1, 3), pages=st.integers(1, 2), steady=st.booleans(), number=st.integers(0, 2**30))
    def begin(self, replicas: int, pages: int, steady: bool, number: int) -> None:
        made = sealed_pool().replicas(1 + replicas, Random(0))
        self.peers = SealedPagePeers(made, pages, seed=number, steady=steady)


PAGE_BATCH = 125 if LONG or HISTORIES else 20
"""Histories in a batch, of which each takes longer than one without pages."""


@pytest.mark.parametrize("number", batches(examples(1, long=1_000)))
def test_pages_agree_with_replicas_and_lose_nothing(number: int) -> None:
    run_batch(PageDevices, number, PAGE_BATCH)


@pytest.mark.parametrize("number", batches(examples(1, long=1_000)))
def test_pages_of_a_sealed_store_agree_with_replicas_and_lose_nothing(number: int) -> None:
    run_batch(SealedPageDevices, number, PAGE_BATCH)
