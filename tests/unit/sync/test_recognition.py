"""kvassfs.sync.recognition: what every response means, by what is known of the hub."""

from __future__ import annotations

import pytest

from kvassfs.echo import Proof
from kvassfs.replica import HubState, Incarnation
from kvassfs.sync.messages import PullResponse, PushResponse
from kvassfs.sync.recognition import (
    AnotherHub,
    DeviceSetBack,
    Downgraded,
    HubSetBack,
    Learned,
    Meaning,
    Proven,
    Same,
    Unproven,
    recognise,
)

HUB, OTHER = 9, 8
"""Process ids of hubs."""

ONE, TWO = 101, 102
"""Marks of incarnations."""

CLOCK = 50
"""The Lamport clock of the device."""


def known(
    version: int = 2,
    process_id: int = HUB,
    *,
    incarnation: int = ONE,
    told: int = 40,
    cursor: int = 30,
    reached: int = 1,
) -> HubState:
    """Return what is known of a hub."""
    return HubState(version, process_id, reached, cursor, 1, incarnation, told)


UNKNOWN = known(0, 0, incarnation=0, told=0, cursor=0, reached=0)
TAKEN_OVER = UNKNOWN._replace(cursor=30)
FORGOTTEN = UNKNOWN._replace(version=2, process_id=HUB)
ORIGINAL = UNKNOWN._replace(version=1, cursor=30, reached=1)


def pulled(
    clock: int, *incarnations: tuple[int, int], process_id: int = HUB, written: int = 0, cursor: int = 0
) -> PullResponse:
    pairs = [Incarnation(*pair) for pair in incarnations]
    return PullResponse([], cursor, "digest", clock=clock, process_id=process_id, incarnations=pairs, written=written)


def pushed(clock: int, *incarnations: tuple[int, int], process_id: int = HUB) -> PushResponse:
    return PushResponse("digest", clock, process_id, 0, b"", [Incarnation(*pair) for pair in incarnations])


ARRAY = PullResponse([], 7)
"""The response of version 1 to a pull; that to a push is ``None``."""

TABLE: list[tuple[str, HubState, PullResponse | PushResponse | None, Meaning]] = [
    # The known hub
    ("nothing new is said", known(), pulled(40, (ONE, 40)), Same()),
    ("nothing new is said to a push", known(), pushed(40, (ONE, 40)), Same()),
    ("its clock went on", known(), pulled(41, (ONE, 41)), Learned(2, HUB, ONE, 41)),
    ("its clock went on with a push", known(), pushed(45, (ONE, 45)), Learned(2, HUB, ONE, 45)),
    ("another process serves the store now", known(), pulled(41, (ONE, 40), (TWO, 41)), Learned(2, HUB, TWO, 41)),
    (
        "another process has not heard of it yet",
        known(told=45),
        pulled(41, (ONE, 45), (TWO, 41)),
        Learned(2, HUB, TWO, 41),
    ),
    ("it has told others more", known(), pulled(42, (ONE, 44)), Learned(2, HUB, ONE, 42)),
    ("the clock alone says who it is", known(incarnation=0), pulled(40), Same()),
    ("a first incarnation is named", known(incarnation=0), pulled(40, (ONE, 40)), Learned(2, HUB, ONE, 40)),
    ("it was met just now, and has told nothing", FORGOTTEN, pulled(5, (ONE, 5)), Learned(2, HUB, ONE, 5)),
    ("it was met just now, and is empty", FORGOTTEN, pulled(0), Same()),
    # The first one
    ("nothing is known", UNKNOWN, pulled(5, (ONE, 5)), Learned(2, HUB, ONE, 5)),
    ("nothing is known, and it is empty", UNKNOWN, pulled(0), Learned(2, HUB, 0, 0)),
    ("it took over what the device took over", TAKEN_OVER, pulled(30, (ONE, 30)), Learned(2, HUB, ONE, 30)),
    ("it took over less than the device did", TAKEN_OVER, pulled(29, (ONE, 29)), HubSetBack(HUB)),
    # Another one
    ("another process id", known(), pulled(60, (TWO, 60), process_id=OTHER), AnotherHub(OTHER)),
    ("another process id to a push", known(), pushed(60, (TWO, 60), process_id=OTHER), AnotherHub(OTHER)),
    ("another process id, with all marks", known(), pulled(60, (ONE, 60), process_id=OTHER), AnotherHub(OTHER)),
    # An older state
    ("its clock is behind", known(incarnation=0), pulled(39), HubSetBack(HUB)),
    ("its clock is behind the cursor", known(incarnation=0, told=0), pulled(29), HubSetBack(HUB)),
    ("the incarnation told less", known(), pulled(39, (ONE, 39)), HubSetBack(HUB)),
    ("the incarnation told less to a push", known(), pushed(39, (ONE, 39)), HubSetBack(HUB)),
    ("its clock is ahead again, the incarnation's is not", known(), pulled(60, (ONE, 39), (TWO, 60)), HubSetBack(HUB)),
    ("the incarnation is not known there", known(), pulled(60, (TWO, 60)), HubSetBack(HUB)),
    ("no incarnation is known there", known(), pulled(60), HubSetBack(HUB)),
    # The first proof after responses that prove nothing
    ("it has been upgraded", ORIGINAL, pulled(60, (ONE, 60)), Proven(HUB)),
    ("it has been upgraded before a push", ORIGINAL, pushed(60, (ONE, 60)), Proven(HUB)),
    ("its clock is where the array was", ORIGINAL, pulled(30, (ONE, 30)), Proven(HUB)),
    # Version 1
    ("an array proves nothing", UNKNOWN, ARRAY, Unproven()),
    ("an empty answer to a push proves nothing", UNKNOWN, None, Unproven()),
    ("an array proves nothing where an original is known", ORIGINAL, ARRAY, Unproven()),
    ("nor does an empty answer to a push", ORIGINAL, None, Unproven()),
    ("the known hub has proved who it is before", known(), ARRAY, Downgraded()),
    ("the known hub has proved who it is before a push", known(), None, Downgraded()),
    ("one met just now has proved who it is", FORGOTTEN, ARRAY, Downgraded()),
    # This device
    ("the hub has more of this device", known(), pulled(60, (ONE, 60), written=51), DeviceSetBack(51)),
    ("the hub has what this device has", known(), pulled(60, (ONE, 60), written=50), Learned(2, HUB, ONE, 60)),
    ("a first hub has more of this device", UNKNOWN, pulled(60, (ONE, 60), written=51), DeviceSetBack(51)),
    ("an upgraded hub has more of this device", ORIGINAL, pulled(60, (ONE, 60), written=51), DeviceSetBack(51)),
    ("another hub has more of this device", known(), pulled(60, process_id=OTHER, written=51), DeviceSetBack(51)),
    ("both were set back", known(), pulled(20, (ONE, 20), written=51), DeviceSetBack(51)),
]


@pytest.mark.parametrize(("hub", "response", "meaning"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_response_means(hub: HubState, response: PullResponse | PushResponse | None, meaning: Meaning) -> None:
    assert recognise(hub, CLOCK, response) == meaning


@pytest.mark.parametrize(
    ("hub", "proof", "meaning"),
    [
        (UNKNOWN, Proof.GIVEN, Learned(1, 0, 0, 0)),
        (ORIGINAL, Proof.GIVEN, Same()),
        (ORIGINAL, Proof.OTHER, HubSetBack(0, version=1)),
        (UNKNOWN, Proof.NONE, Unproven()),
        (known(), Proof.GIVEN, Downgraded()),
    ],
)
def test_an_array_means_what_its_echo_proves(hub: HubState, proof: Proof, meaning: Meaning) -> None:
    assert recognise(hub, CLOCK, ARRAY, proof) == meaning


def test_what_was_learned_is_the_same_the_next_time() -> None:
    learned = recognise(UNKNOWN, CLOCK, pulled(5, (ONE, 5)))
    assert isinstance(learned, Learned)
    hub = UNKNOWN._replace(
        version=learned.version, process_id=learned.process_id, incarnation=learned.incarnation, told=learned.told
    )
    assert recognise(hub, CLOCK, pulled(5, (ONE, 5))) == Same()
