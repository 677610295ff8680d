"""What tests/golden holds, as its README tells it."""

from __future__ import annotations

from pathlib import Path
from random import Random

from kvassfs.sync.seal import Seal

GOLDEN = Path(__file__).parents[1] / "golden"

KEY = bytes.fromhex("cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49")

SEAL = Seal(KEY, Random(0).randbytes)

CAT = "猫咪 key/with slash"


def body(name: str) -> bytes:
    """Return a recorded body: ``00-push.request`` and so on."""
    return (GOLDEN / f"{name}.bin").read_bytes()


def plaintext(name: str) -> bytes:
    """Return what was sealed in a recorded body."""
    return SEAL.unseal(body(name))
