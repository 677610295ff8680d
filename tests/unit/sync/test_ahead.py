"""kvassfs.sync.ahead"""

from __future__ import annotations

import threading

import pytest

from kvassfs.sync.ahead import Ahead


def fail() -> int:
    raise ValueError("a call failed")


@pytest.mark.parametrize("apart", [False, True])
def test_a_call_is_begun_and_finished(apart: bool) -> None:
    with Ahead[int](apart=apart) as ahead:
        assert (ahead.is_busy, ahead.finish()) == (False, None)
        ahead.begin(lambda: 7)
        assert (ahead.is_busy, ahead.finish()) == (True, 7)
        assert (ahead.is_busy, ahead.finish()) == (False, None)


@pytest.mark.parametrize("apart", [False, True])
def test_what_a_call_raises_is_raised_where_it_is_finished(apart: bool) -> None:
    with Ahead[int](apart=apart) as ahead:
        ahead.begin(fail)
        with pytest.raises(ValueError, match="failed"):
            ahead.finish()
        assert ahead.finish() is None


def test_a_call_is_made_apart_while_its_caller_works_on() -> None:
    worked = threading.Event()
    with Ahead[bool](apart=True) as ahead:
        ahead.begin(lambda: worked.wait(20))
        worked.set()
        assert ahead.finish()


def test_the_last_call_is_made_by_its_caller() -> None:
    with Ahead[int](apart=True) as ahead:
        ahead.begin(threading.get_ident, last=True)
        assert ahead.finish() == threading.get_ident()


def test_no_call_goes_on_behind_the_end() -> None:
    ended = threading.Event()
    released = threading.Event()

    def call() -> int:
        released.wait(20)
        ended.set()
        return fail()

    def work() -> None:
        with Ahead[int](apart=True) as ahead:
            ahead.begin(call)
            released.set()
            raise KeyError("the work failed")

    with pytest.raises(KeyError):
        work()
    assert ended.is_set()


def test_who_interrupts_the_program_does_not_wait_for_a_call() -> None:
    released = threading.Event()

    def work() -> None:
        with Ahead[bool](apart=True) as ahead:
            ahead.begin(lambda: released.wait(20))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    released.set()
