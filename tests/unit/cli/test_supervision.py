"""kvassfs_cli.supervision: what is taken out of the environment."""

from __future__ import annotations

import os

import pytest

from kvassfs_cli.supervision import take_sockets, take_supervisor

ME = str(os.getpid())


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": ME}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": ""}, None),
    ],
)
def test_who_is_to_be_told_is_in_the_environment(variables: dict[str, str], interval: float | None) -> None:
    environment = {**variables, "NOTIFY_SOCKET": "/run/notify", "HOME": "/h"}
    assert take_supervisor(environment).interval == interval
    assert environment == {"HOME": "/h"}


@pytest.mark.parametrize(
    ("variables", "count"),
    [
        ({}, 0),
        ({"LISTEN_FDS": "2", "LISTEN_PID": ME, "LISTEN_FDNAMES": "a:b"}, 2),
        ({"LISTEN_FDS": "2", "LISTEN_PID": "1"}, 0),
        ({"LISTEN_FDS": "2"}, 0),
        ({"LISTEN_FDS": "x", "LISTEN_PID": ME}, 0),
        ({"LISTEN_FDS": "-1", "LISTEN_PID": ME}, 0),
    ],
)
def test_so_are_the_sockets_that_are_handed_over(variables: dict[str, str], count: int) -> None:
    environment = {**variables, "HOME": "/h"}
    assert take_sockets(environment) == count
    assert environment == {"HOME": "/h"}
