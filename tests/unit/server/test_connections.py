"""The list of connections: who is given up for whom, and what becomes of those that take too long."""

from __future__ import annotations

import resource
import socket

import pytest

from kvassfs.server.admission import ConnectionLimits, Phase
from kvassfs.server.connections import Connections, Reporter, bound_buffers, raise_descriptor_limit


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stub:
    """A connection that notes how it ends."""

    def __init__(self, unsent: int = 0) -> None:
        self.unsent = unsent
        self.end: Phase | str | None = None

    def expire(self, phase: Phase) -> None:
        self.end = phase

    def cut(self) -> None:
        self.end = "cut"

    def count_unsent(self) -> int:
        return self.unsent


class Rig:
    """A list with a clock, and what it logs."""

    def __init__(self, **limits: float) -> None:
        self.clock = Clock()
        self.lines: list[str] = []
        self.all = Connections(
            ConnectionLimits(**limits),  # type: ignore[arg-type]  # whole where they have to be
            self.clock,
            Reporter(self.clock, 60.0, self.lines.append),
        )

    def add(self, phase: Phase, place: str = "192.0.2.1", *, unsent: int = 0) -> Stub | None:
        """Return a new connection, ``None`` if it was not taken; a second passes."""
        added = Stub(unsent)
        taken = self.all.admit(added, place, phase)
        self.clock.now += 1
        return added if taken else None

    def sweep_after(self, seconds: float) -> None:
        self.clock.now += seconds
        self.all.sweep()


def ends(*connections: Stub | None) -> list[Phase | str | None]:
    return [each.end for each in connections if each is not None]


def test_the_oldest_idle_connection_is_given_up_for_a_new_one() -> None:
    rig = Rig(capacity=3)
    kept, old, new = (
        rig.add(phase, place) for phase, place in ((Phase.KEPT, "a"), (Phase.IDLE, "b"), (Phase.IDLE, "c"))
    )
    assert rig.add(Phase.HEAD, "d") is not None
    assert ends(kept, old, new) == [None, "cut", None]
    assert len(rig.all) == 3
    assert rig.lines == ["there are 3 connections, the oldest idle ones are given up"]


def test_a_new_connection_is_refused_where_each_has_a_request() -> None:
    rig = Rig(capacity=2)
    rig.add(Phase.SERVING, "a")
    rig.add(Phase.SERVING, "b")
    assert rig.add(Phase.HEAD, "c") is None
    assert len(rig.all) == 2


def test_of_an_address_that_has_its_share_its_own_oldest_idle_one_is_given_up() -> None:
    rig = Rig(per_address=2)
    other, first, second = (rig.add(Phase.HEAD, place) for place in ("b", "a", "a"))
    assert rig.add(Phase.HEAD, "a") is not None
    assert ends(other, first, second) == [None, "cut", None]
    assert rig.lines == ["one address has 2 connections, no more are taken (--per-address): a"]


def test_an_address_whose_share_is_at_work_gets_no_more() -> None:
    rig = Rig(per_address=1)
    rig.add(Phase.SERVING, "a")
    assert rig.add(Phase.HEAD, "a") is None
    assert rig.add(Phase.HEAD, "b") is not None


def test_the_place_of_a_connection_that_has_ended_is_free() -> None:
    rig = Rig(per_address=1)
    first = rig.add(Phase.SERVING, "a")
    assert first is not None
    rig.all.remove(first)
    rig.all.remove(first)
    assert rig.add(Phase.HEAD, "a") is not None


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [
        (Phase.HANDSHAKE, 10),
        (Phase.HEAD, 10),
        (Phase.IDLE, 75),
        (Phase.KEPT, 75),
        (Phase.LEAVING, 10),
        (Phase.REFUSED, 2),
    ],
)
def test_each_phase_has_its_time(phase: Phase, seconds: int) -> None:
    rig = Rig()
    added = rig.add(phase)
    rig.sweep_after(seconds - 1.5)
    assert ends(added) == [None]
    rig.sweep_after(1)
    assert ends(added) == [phase]
    assert len(rig.all) == 0


@pytest.mark.parametrize("phase", [Phase.BODY, Phase.SERVING])
def test_a_request_that_is_worked_on_has_no_time_here(phase: Phase) -> None:
    rig = Rig()
    added = rig.add(phase)
    rig.sweep_after(10_000)
    assert ends(added) == [None]


def test_the_time_begins_anew_with_the_phase_and_not_within_it() -> None:
    rig = Rig()
    added = rig.add(Phase.HEAD)
    assert added is not None
    rig.all.move(added, Phase.HEAD)
    rig.sweep_after(8)
    rig.all.move(added, Phase.SERVING)
    rig.all.move(added, Phase.HEAD)
    rig.sweep_after(8)
    assert ends(added) == [None]
    rig.all.move(added, Phase.HEAD)
    rig.sweep_after(3)
    assert ends(added) == [Phase.HEAD]


def test_a_reader_that_receives_nothing_is_cut_and_a_slow_one_is_not() -> None:
    rig = Rig()
    stuck, slow, last = (rig.add(Phase.SERVING, unsent=size) for size in (500_000, 500_000, 5_000))
    for each in (stuck, slow, last):
        assert each is not None
        rig.all.note_waiting(each)
    for seconds in (31, 31, 31):
        assert slow is not None
        slow.unsent -= 16 * 1024
        rig.sweep_after(seconds)
    assert ends(stuck, slow, last) == ["cut", None, "cut"]
    assert rig.lines[0] == "a response is broken off, for its client does not receive it"


def test_one_that_has_received_most_is_not_waited_for() -> None:
    rig = Rig()
    added = rig.add(Phase.SERVING, unsent=500_000)
    assert added is not None
    rig.all.note_waiting(added)
    rig.all.note_received(added)
    rig.sweep_after(1000)
    assert ends(added) == [None]


def test_the_end_of_a_response_has_the_time_of_readers() -> None:
    rig = Rig()
    added = rig.add(Phase.LEAVING, unsent=100_000)
    assert added is not None
    for _ in range(4):
        added.unsent -= 20_000
        rig.sweep_after(15)
        assert ends(added) == [None]
    rig.sweep_after(31)
    rig.sweep_after(31)
    assert ends(added) == ["cut"]


def test_at_the_end_only_those_with_a_request_stay() -> None:
    rig = Rig()
    added = {phase: rig.add(phase) for phase in Phase}
    rig.all.end()
    stay = {phase for phase, each in added.items() if ends(each) == [None]}
    assert stay == {Phase.SERVING, Phase.BODY, Phase.LEAVING}


def test_what_comes_again_and_again_is_logged_now_and_then() -> None:
    clock, lines = Clock(), list[str]()
    reporter = Reporter(clock, 60.0, lines.append)
    for _ in range(5):
        reporter.note("it happened")
    reporter.note("so did that")
    assert lines == ["it happened", "so did that"]
    clock.now += 60
    reporter.report()
    assert lines[2:] == ["it happened (4 times)"]
    clock.now += 100
    reporter.report()
    reporter.note("it happened")
    assert lines[3:] == ["it happened"]


# The kernel


def test_the_descriptor_limit_is_raised_to_the_hard_one() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert raise_descriptor_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
        assert raise_descriptor_limit() == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_accepted_connections_have_the_bounds_of_the_socket_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        bound_buffers(listening, 30.0)
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            option = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert option == 30_000
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024
