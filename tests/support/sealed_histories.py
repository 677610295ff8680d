"""The histories of devices of a sealed store: the same things happen to them, and the hub knows nothing of what they have."""

from __future__ import annotations

import pytest

from kvassfs.block import BLOCK_SIZE
from kvassfs.errors import WrongKey
from kvassfs.kind import Kind
from kvassfs.veil.keys import derive_keys, hide_key
from tests.support.histories import Peers, directories_of, possible_mode
from tests.support.original import OriginalHub
from tests.support.replicas import KEY, WRONG_KEY, Replica, acknowledged, versions

KEYS = derive_keys(KEY)

LARGER = {150: 70_000, 330: 2 * BLOCK_SIZE + 10_000}
"""What stands for sizes that would travel in blocks in a store that is not sealed."""


class SealedPeers(Peers):
    """Devices of a sealed store with a hub of either kind. Nobody writes at the hub, and its clock dates nothing."""

    def __init__(self, made: list[Replica], *, original_hub: bool = False, steady: bool = False) -> None:
        super().__init__(made, 0, original_hub=original_hub, steady=steady)
        self.writers = made[1:]
        if original_hub:
            self.hub = OriginalHub(9009, KEYS.access, self.random)

    def value(self, size: int) -> bytes:
        """Return a new value; the larger ones are of the sizes that travel in blocks here, with one that all have."""
        return super().value(LARGER.get(size, size))

    def save(self, replica: Replica, key: str, size: int, mode: int, *, amend: bool) -> None:
        super().save(replica, key, size, possible_mode(mode, LARGER.get(size, size)), amend=amend)

    def try_another_key(self, who: int, what: str) -> None:
        who %= len(self.replicas)
        store = self.replicas[who].store
        for key, kind in ((WRONG_KEY, Kind.DEVICE), (KEY, Kind.PLAIN)):
            store.settings.set_encryption_key(key, kind)
            if what in {"pull", "exchange"}:
                with pytest.raises(WrongKey):
                    self.undisturbed(who, what)
        store.settings.set_encryption_key(KEY, Kind.DEVICE)

    def check(self) -> None:
        if self.home is None:
            return
        there = {key: version.order for key, version in versions(self.home.store).items()}
        for who in range(len(self.replicas)):
            for key, order in acknowledged(self.replicas[who].store).items() if who not in self.unaware else ():
                assert there[hide_key(KEYS, key)] >= order, f"replica {who} takes {key} for acknowledged"

    def _check_agreement(self) -> None:
        expected = versions(self.replicas[0].store)
        directories = directories_of(self.replicas[0].store)
        for replica in self.replicas:
            assert versions(replica.store) == expected
            assert directories_of(replica.store) == directories
            assert replica.store.sealed.refused() == []
        names = {hide_key(KEYS, key) for key in expected}
        if self.home is not None:
            assert set(versions(self.home.store)) == names
        elif isinstance(self.hub, OriginalHub):
            assert set(self.hub.values()) == names
