"""Which connections are kept and what they may send, as tables."""

from __future__ import annotations

import pytest

from kvassfs.server.admission import (
    FEWEST,
    GIVEN_UP,
    MOST,
    PER_ADDRESS,
    PIECE,
    PIECES,
    URL,
    ConnectionLimits,
    Gauge,
    Phase,
    Progress,
    decide_capacity,
    decide_phase,
    find_place,
    is_here,
    rank,
)


@pytest.mark.parametrize(
    ("descriptors", "capacity"), [(0, FEWEST), (64, FEWEST), (1024, 480), (4096, 2016), (10**6, MOST)]
)
def test_half_of_the_descriptors_are_for_connections(descriptors: int, capacity: int) -> None:
    assert decide_capacity(descriptors) == capacity


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("", ""),
        ("a.socket", "a.socket"),
    ],
)
def test_one_host_is_one_place_whichever_of_its_addresses_it_uses(address: str, place: str) -> None:
    assert find_place(address) == place


@pytest.mark.parametrize(
    ("place", "here"), [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.7", False), ("", False)]
)
def test_addresses_of_this_machine_are_known(place: str, here: bool) -> None:
    assert is_here(place) is here


@pytest.mark.parametrize(
    ("per_address", "place", "share"),
    [
        (None, "192.0.2.7", PER_ADDRESS),
        (None, "127.0.0.1", None),
        (3, "192.0.2.7", 3),
        (3, "127.0.0.1", 3),
        (0, "192.0.2.7", None),
    ],
)
def test_a_place_has_its_share_but_for_this_machine(per_address: int | None, place: str, share: int | None) -> None:
    assert ConnectionLimits(per_address=per_address).find_share(place) == share


@pytest.mark.parametrize(
    ("progress", "phase"),
    [
        (Progress(fresh=True), Phase.HEAD),
        (Progress(fresh=True, begun=True), Phase.HEAD),
        (Progress(busy=True, body_complete=False), Phase.BODY),
        (Progress(busy=True, body_complete=False, known=True), Phase.SENDING),
        (Progress(busy=True), Phase.SERVING),
        (Progress(busy=True, begun=True), Phase.SERVING),
        (Progress(busy=True, paused=True), Phase.PAUSED),
        (Progress(body_complete=False), Phase.LEAVING),
        (Progress(), Phase.IDLE),
        (Progress(known=True), Phase.KEPT),
        (Progress(known=True, begun=True), Phase.HEAD),
        (Progress(closing=True, busy=True), Phase.LEAVING),
        (Progress(refused=True, closing=True), Phase.REFUSED),
    ],
)
def test_the_phase_follows_from_how_far_the_conversation_is(progress: Progress, phase: Phase) -> None:
    assert decide_phase(progress) is phase


def test_every_phase_has_a_time_but_those_in_which_a_request_is_worked_on() -> None:
    limits = ConnectionLimits()
    assert {phase for phase in Phase if limits.find_timeout(phase) is None} == {
        *(Phase.BODY, Phase.SENDING, Phase.SERVING, Phase.PAUSED)
    }


@pytest.mark.parametrize(
    ("phases", "chosen"),
    [
        ([], None),
        ([(Phase.SERVING, 1.0)], None),
        ([(Phase.SERVING, 1.0), (Phase.KEPT, 5.0)], 1),
        ([(Phase.KEPT, 1.0), (Phase.IDLE, 5.0)], 1),
        ([(Phase.IDLE, 1.0), (Phase.PAUSED, 5.0)], 1),
        ([(Phase.BODY, 1.0), (Phase.HEAD, 5.0), (Phase.HEAD, 4.0)], 2),
    ],
)
def test_the_oldest_of_those_that_do_least_is_given_up(phases: list[tuple[Phase, float]], chosen: int | None) -> None:
    assert rank(phases) == chosen


def test_what_a_device_sends_is_given_up_last_and_no_request_that_has_come_is() -> None:
    assert GIVEN_UP[-2:] == (Phase.KEPT, Phase.SENDING)
    assert set(Phase) - set(GIVEN_UP) == {Phase.SERVING}


# What is sent


def test_the_url_and_the_fields_together_have_a_limit() -> None:
    gauge = Gauge(100, 10)
    gauge.begin()
    assert gauge.count_url(40)
    assert gauge.count_field(60)
    assert not gauge.count_field(1)
    gauge.begin()
    assert not gauge.count_url(URL + 1)


def test_pieces_of_a_body_are_counted_against_its_length() -> None:
    gauge = Gauge()
    gauge.begin()
    assert all(gauge.count_body(1) for _ in range(PIECES))
    assert not all(gauge.count_body(1) for _ in range(10))
    gauge.begin()
    assert all(gauge.count_body(PIECE) for _ in range(10 * PIECES))


def test_fields_are_counted_too() -> None:
    gauge = Gauge(1000, 3)
    assert [gauge.count_field(2) for _ in range(4)] == [True, True, True, False]


def test_what_belongs_to_no_field_yet_is_counted_until_the_head_ends() -> None:
    gauge = Gauge(100)
    assert gauge.count_received(60)
    assert gauge.count_received(40)
    assert not gauge.count_received(1)


def test_the_end_of_a_head_and_a_byte_of_body_begin_the_count_anew() -> None:
    gauge = Gauge(100)
    assert gauge.count_received(90)
    gauge.turn()
    assert gauge.count_received(50)
    assert gauge.count_received(90)
    gauge.count_body(1)
    assert gauge.count_received(90)
    assert gauge.count_received(100)
    assert not gauge.count_received(1)
