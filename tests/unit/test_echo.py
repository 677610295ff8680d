"""kvassfs.echo: what the response of an original hub proves."""

from __future__ import annotations

from random import Random

import pytest

from kvassfs.echo import Echo, Proof, find_echoes, is_echo, without_echoes
from kvassfs.entry import Delivery, Entry
from kvassfs.errors import InvalidKey
from kvassfs.replica import NO_ECHO, KnownEcho
from kvassfs.share_link import check_new_key

DEVICE = 1001

ECHO = Echo(DEVICE, "1", "token", hidden=77)

LAST = KnownEcho("0", "last", 5)

SHOWN, BEFORE, HIDDEN = "\x01echo/1001/1", "\x01echo/1001/0", "\x01echo/1001/h"


def found(**tokens: str) -> dict[str, KnownEcho]:
    """Return what a response has: the tokens of the echoes that are ``shown``, ``before`` or ``hidden``."""
    keys = {"shown": SHOWN, "before": BEFORE, "hidden": HIDDEN}
    return {keys[name]: KnownEcho(keys[name][-1], token, 9) for name, token in tokens.items()}


@pytest.mark.parametrize(
    ("last", "echoes", "proof"),
    [
        (NO_ECHO, found(shown="token"), Proof.GIVEN),
        (LAST, found(shown="token", before="last"), Proof.GIVEN),
        (NO_ECHO, found(shown="token", before="whatever"), Proof.GIVEN),
        # An older response, or that of another store
        (NO_ECHO, {}, Proof.NONE),
        (NO_ECHO, found(shown="older"), Proof.NONE),
        (LAST, found(before="last"), Proof.NONE),
        # To a request of somebody else, who wants to hear of the hidden process id as well
        (NO_ECHO, found(shown="token", hidden="any"), Proof.NONE),
        (LAST, found(shown="token", before="last", hidden="any"), Proof.NONE),
        # It took the echo, and is not the store that took the last one
        (LAST, found(shown="token"), Proof.OTHER),
        (LAST, found(shown="token", before="older"), Proof.OTHER),
    ],
)
def test_a_response_proves(last: KnownEcho, echoes: dict[str, KnownEcho], proof: Proof) -> None:
    assert ECHO.judge(last, echoes) is proof


def test_echoes_take_turns_and_are_never_alike() -> None:
    random = Random(0).randbytes
    last, tokens, hidden = NO_ECHO, set(), set()
    for number in range(20):
        echo = Echo.make(DEVICE, last, random)
        assert echo.turn == str(number % 2)
        last = KnownEcho(echo.turn, echo.token, number)
        tokens.add(echo.token)
        hidden.add(echo.hidden)
    assert len(tokens) == len(hidden) == 20


def test_the_hidden_writer_is_a_process_id_and_not_the_own_one() -> None:
    sizes = {4: [bytes(4), DEVICE.to_bytes(4), (88).to_bytes(4)], 16: [bytes(16)] * 2}
    assert Echo.make(DEVICE, NO_ECHO, lambda size: sizes[size].pop(0)).hidden == 88


def test_what_is_pushed_is_two_tombstones_the_shown_one_first() -> None:
    shown, hidden = ECHO.deliveries(Random(0).randbytes)
    assert (shown.entry.key, shown.entry.url_token, shown.entry.process_id) == (SHOWN, "token", DEVICE)
    assert (hidden.entry.key, hidden.entry.process_id) == (HIDDEN, 77)
    assert shown.entry.deleted
    assert hidden.entry.deleted
    assert ECHO.judge(NO_ECHO, find_echoes([shown])) is Proof.GIVEN
    assert ECHO.judge(NO_ECHO, find_echoes([shown, hidden])) is Proof.NONE


def test_echoes_of_others_are_none_of_ours_and_are_not_merged() -> None:
    others = Echo(2002, "1", "token", hidden=77).deliveries(Random(0).randbytes)
    entry = Delivery(Entry("a", 1, 1, DEVICE, "t", 1), 1, b"x")
    assert ECHO.judge(NO_ECHO, find_echoes(others)) is Proof.NONE
    assert without_echoes([*others, entry]) == [entry]


@pytest.mark.parametrize("key", ["\x01echo/1/0", "\x01echo/4294967295/1", SHOWN, HIDDEN])
def test_no_value_can_be_put_under_the_key_of_an_echo(key: str) -> None:
    assert is_echo(key)
    with pytest.raises(InvalidKey, match="devices ask hubs"):
        check_new_key(key)


@pytest.mark.parametrize(
    "key", ["\x01echo/", "\x01echo/1/2", "\x01echo/x/0", "\x01echo/1/0/a", "echo/1/0", "\x01echo/1/0\n"]
)
def test_other_keys_are_those_of_values(key: str) -> None:
    assert not is_echo(key)
    assert check_new_key(key) == key
