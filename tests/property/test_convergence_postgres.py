"""The histories of ``test_convergence.py`` with a hub that keeps its store in PostgreSQL: the same must come of them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from kvassfs.keeping.postgres.database import Database
from tests.property.test_convergence import PEERS, Devices, batches, pool, run_batch
from tests.support.postgres import FAST, running_server
from tests.support.postgres_peers import PostgresPeers
from tests.support.searches import examples


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    with running_server(*FAST) as server:
        opened = Database(server.create_database(), connections=1, patience=2)  # no request needs two at once
        opened.open()
        yield opened
        opened.close()


class DevicesOfPostgres(Devices):
    """Replicas and original clients, with a hub that keeps its store in ``database``."""

    database: Database

    @initialize(
        replicas=st.integers(1, PEERS),
        originals=st.integers(0, 2),
        relay=st.booleans(),
        steady=st.booleans(),
        true_clocks=st.booleans(),
    )
    def begin(self, replicas: int, originals: int, relay: bool, steady: bool, true_clocks: bool) -> None:
        self.peers = PostgresPeers(
            self.database,
            pool().replicas(1 + replicas, Random(0)),
            min(originals, PEERS - replicas),
            relay=relay,
            steady=steady,
            true_clocks=true_clocks,
        )


@pytest.mark.parametrize("number", batches(examples(125, long=4_000)))
def test_replicas_agree_and_lose_nothing_with_a_hub_in_postgres(database: Database, number: int) -> None:
    machine = type("DevicesOfPostgres", (DevicesOfPostgres,), {"database": database})
    run_batch(machine, number)
