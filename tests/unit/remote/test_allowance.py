"""What a call may take in all, as decided from what has moved and how long it took."""

from __future__ import annotations

import pytest

from kvassfs.remote.allowance import BRISK, HEAD, SLOWEST, Allowance, TooLate, TooMuch


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("elapsed", "sent", "received", "left"),
    [
        (0, 0, 0, 20),
        (15, 0, 0, 5),
        (15, 0, 10 * SLOWEST, 15),
        (15, 10 * SLOWEST, 0, 15),
        (25, 0, 0, -5),
    ],
)
def test_what_moves_gives_more_time(elapsed: float, sent: int, received: int, left: float) -> None:
    clock = Clock()
    allowance = Allowance(20, clock=clock)
    clock.now += elapsed
    allowance.count(sent=sent, received=received)
    assert allowance.left == pytest.approx(left)
    assert allowance.moved == sent + received


def test_a_person_waits_for_no_answer_longer_however_much_comes() -> None:
    clock = Clock()
    allowance = Allowance(1000, patience=30, clock=clock)
    clock.now += 29
    allowance.count(received=2**30)
    assert allowance.left == pytest.approx(1)
    allowance.count(sent=10 * BRISK)
    assert allowance.left == pytest.approx(11)
    allowance.check()
    clock.now += 12
    with pytest.raises(TooLate, match="longer than a command waits"):
        allowance.check()


def test_an_answer_that_drips_is_too_slow() -> None:
    clock = Clock()
    allowance = Allowance(20, clock=clock)

    def drip() -> None:
        clock.now += 5
        allowance.count(received=1100)
        allowance.check()

    with pytest.raises(TooLate, match=r"^its answer is too slow: 6600 bytes moved in 30 s$"):
        list(iter(drip, "never"))


def test_an_answer_may_be_as_large_as_it_can_be_in_single_bytes() -> None:
    allowance = Allowance(20, 1000)
    allowance.count(received=2 * (HEAD + 1000))
    with pytest.raises(TooMuch):
        allowance.count(received=1)


def test_by_default_nothing_is_limited() -> None:
    allowance = Allowance()
    allowance.count(received=2**40)
    allowance.check()
    assert allowance.left == float("inf")
