"""kvassfs_cli.commands.status"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kvassfs.status import HubStatus, Status
from kvassfs.store import Device, Follower, Space, Store, Upload
from kvassfs_cli.commands.status import build_object
from kvassfs_cli.status_text import format_clock, format_follower, format_status
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

NOW = 1_795_396_752_382_991
MINUTE = 60 * 1_000_000
HUB = HubStatus("hub.example:8000", True, "", 2, 200_000, NOW - 3 * MINUTE, 2, 120)
STATUS = Status(
    path="/home/you/.kvassdb.sqlite",
    obstacle="",
    size=3_400_000,
    entries=120,
    space=Space(current=2_000_000, history=1_200_000, dropped=0, free=8192),
    gives_back=True,
    hub=HUB,
    in_touch=True,
    followers=[
        Follower(1234, "/home/you/kvass", NOW - 10 * MINUTE, NOW - MINUTE, ""),
        Follower(1301, "", NOW - 5 * MINUTE, 0, "cannot reach it"),
    ],
    devices=[Device(752176921, NOW - 3 * MINUTE, "phone"), Device(1001, NOW)],
    conflicts=[],
    names={},
    now=NOW,
)


def test_the_status_is_shown_in_columns(kathmandu: None) -> None:
    assert format_status(STATUS).splitlines() == [
        "Store:           \t/home/you/.kvassdb.sqlite, 3.4 MB, 120 entries",
        "Space:           \t2.0 MB current, 1.2 MB history, 0 B to be cleaned up, 8.2 kB free",
        "Hub:             \thub.example:8000",
        "Answers:         \tyes, protocol version 2",
        "Clock:           \thub is 0.2 s ahead",
        "Waiting:         \t2 entries (120 B)",
        "Last exchange:   \t2026-11-23 07:01:12, 3 minutes ago",
        "Followers:       \tmount /home/you/kvass (pid 1234) since 2026-11-23 06:54:12, heard from the hub 1 minute ago",
        "                 \tkvass sync --follow (pid 1301) since 2026-11-23 06:59:12, not in touch: cannot reach it",
        "Devices:         \tphone (752176921), 3 minutes ago",
        "                 \t1001, just now",
    ]


def test_of_a_database_that_keeps_what_is_free_that_is_said() -> None:
    assert format_status(STATUS._replace(gives_back=False)).splitlines()[2] == (
        "                 \twhat is free stays with it until `kvass gc` has written it anew once"
    )


@pytest.mark.parametrize(
    ("upload", "text"),
    [
        (Upload(45_000_000, 155_000_000, 20_000_000), "45.0 MB of 200.0 MB sent, 2.2 MB/s, 1:09 left"),
        (Upload(0, 200, 1_000_000), "0 B of 200 B sent, 0 B/s"),
        (Upload(200, 0, 1_000_000), "200 B of 200 B sent, 200 B/s"),
    ],
)
def test_how_far_what_waits_has_been_sent_is_shown(upload: Upload, text: str) -> None:
    lines = format_status(STATUS._replace(hub=HUB._replace(upload=upload))).splitlines()
    assert lines[5:7] == ["Waiting:         \t2 entries (120 B)", f"                 \ton the way: {text}"]


def test_programs_are_told_how_far_it_is() -> None:
    found = build_object(STATUS._replace(hub=HUB._replace(upload=Upload(45, 155, 2_500_000))))
    upload = {"sent": 45, "left": 155, "seconds": 2.5}
    assert found["waiting"] == {"entries": 2, "size": 120, "failure": None, "upload": upload}


def test_why_what_waits_was_not_pushed_is_shown() -> None:
    status = STATUS._replace(hub=HUB._replace(push_failure="the hub refuses\nit"))
    lines = format_status(status).splitlines()
    assert lines[5:7] == ["Waiting:         \t2 entries (120 B)", "                 \tnot pushed: the hub refuses\\nit"]
    assert build_object(status)["waiting"] == {
        "entries": 2,
        "size": 120,
        "failure": "the hub refuses\nit",
        "upload": None,
    }


def test_without_a_hub_nothing_is_said_of_one() -> None:
    alone = STATUS._replace(hub=None, followers=[], devices=[])
    assert format_status(alone).splitlines() == [
        "Store:           \t/home/you/.kvassdb.sqlite, 3.4 MB, 120 entries",
        "Space:           \t2.0 MB current, 1.2 MB history, 0 B to be cleaned up, 8.2 kB free",
        "Hub:             \t(None)",
        "Followers:       \t(None)",
        "Devices:         \t(None)",
    ]


@pytest.mark.parametrize(
    ("hub", "lines"),
    [
        (HUB._replace(responds=None), ["not asked"]),
        (HUB._replace(responds=False, error="cannot reach it"), ["no: cannot reach it"]),
        (HUB._replace(difference=None, exchanged=0), ["not known", "never"]),
        (HUB._replace(waiting=1, waiting_size=5), ["1 entry (5 B)"]),
    ],
)
def test_what_is_not_known_of_the_hub_is_said(hub: HubStatus, lines: list[str]) -> None:
    shown = [line.partition("\t")[2] for line in format_status(STATUS._replace(hub=hub)).splitlines()]
    assert set(lines) <= set(shown)


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0, "that of the hub agrees"),
        (-49_999, "that of the hub agrees"),
        (200_000, "hub is 0.2 s ahead"),
        (-1_250_000, "hub is 1.2 s behind"),
        (-2 * MINUTE, "hub is 2 minutes behind"),
        (86_400_000_000, "hub is 1 day ahead"),
    ],
)
def test_the_difference_of_the_clocks_in_words(difference: int, text: str) -> None:
    assert format_clock(difference) == text


def test_a_follower_that_was_never_in_touch_and_has_no_error_yet_is_not_in_touch() -> None:
    follower = Follower(7, "/mnt", NOW, 0, "")
    assert format_follower(follower, NOW).endswith(", not in touch")


def test_control_characters_in_names_do_not_reach_a_terminal() -> None:
    assert "\x1b" not in format_status(STATUS._replace(path="/tmp/\x1b[2J"))


def test_json_has_names_that_stay_times_in_utc_and_null_for_what_is_not_known() -> None:
    assert build_object(STATUS) == {
        "store": {
            "path": "/home/you/.kvassdb.sqlite",
            "size": 3_400_000,
            "entries": 120,
            "read_only": None,
            "space": {"current": 2_000_000, "history": 1_200_000, "dropped": 0, "free": 8192},
            "gives_back": True,
        },
        "hub": {
            "address": "hub.example:8000",
            "answers": True,
            "error": None,
            "protocol_version": 2,
            "clock_difference": 0.2,
        },
        "waiting": {"entries": 2, "size": 120, "failure": None, "upload": None},
        "last_exchange": "2026-11-23T01:16:12Z",
        "in_touch": True,
        "followers": [
            {
                "pid": 1234,
                "mount": "/home/you/kvass",
                "since": "2026-11-23T01:09:12Z",
                "last_heard": "2026-11-23T01:18:12Z",
                "error": None,
            },
            {
                "pid": 1301,
                "mount": None,
                "since": "2026-11-23T01:14:12Z",
                "last_heard": None,
                "error": "cannot reach it",
            },
        ],
        "devices": [
            {"process_id": 752176921, "name": "phone", "last_seen": "2026-11-23T01:16:12Z"},
            {"process_id": 1001, "name": None, "last_seen": "2026-11-23T01:19:12Z"},
        ],
        "sealed": None,
        "refused": [],
        "conflicts": [],
    }


def test_json_without_a_hub_is_null_there() -> None:
    alone = build_object(STATUS._replace(hub=None))
    assert (alone["hub"], alone["waiting"], alone["last_exchange"]) == (None, None, None)


def test_json_of_a_hub_that_was_not_asked_before_either() -> None:
    unknown = HUB._replace(responds=None, version=0, difference=None, exchanged=0)
    described = build_object(STATUS._replace(hub=unknown))
    assert described["hub"] == {
        "address": "hub.example:8000",
        "answers": None,
        "error": None,
        "protocol_version": None,
        "clock_difference": None,
    }
    assert described["last_exchange"] is None


def test_a_hub_that_does_not_answer_is_reported_and_no_failure(kvass: Kvass, hub: NearHub) -> None:
    hub.be_down()
    status, out, err = kvass("status")
    assert (status, err) == (0, "")
    assert f"Answers:         \tno: {hub.failure}\n".encode() in out
    status, out, err = kvass("status", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out)["hub"]["answers"] is False
    assert json.loads(out)["hub"]["error"] == str(hub.failure)


def test_a_hub_that_answers_with_an_error_is_told_from_one_that_does_not(kvass: Kvass, hub: NearHub) -> None:
    hub.refuse_the_key()
    out = kvass("status").out.decode()
    assert "Answers:         \tyes, but: " in out
    assert "another encryption key" in out
    assert "Clock:           \tnot known\n" in out
    described = json.loads(kvass("status", "--json").out)["hub"]
    assert described["answers"] is True
    assert "another encryption key" in described["error"]


@pytest.mark.parametrize("variable", ["", "1"])
def test_offline_the_hub_is_not_asked(
    kvass: Kvass, hub: NearHub, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("KVASS_OFFLINE", variable)
    status, out, err = kvass("status", *([] if variable else ["--offline"]))
    assert (status, err) == (0, "")
    assert b"Answers:         \tnot asked\n" in out
    assert hub.opened == []


def test_a_password_in_the_address_is_not_shown(kvass: Kvass, store: Store) -> None:
    store.settings.set_remote("https://you:secret@hub.example/kvass")
    for options in ([], ["--json"]):
        out = kvass("status", "--offline", *options).out
        assert b"https://hub.example:443/kvass" in out
        assert b"secret" not in out


def test_a_path_that_is_not_utf_8_is_shown_as_it_is_and_escaped_in_json(kvass: Kvass, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    Store.open(path).close()
    assert os.fsencode(path) in kvass("status", "--db", path).out
    assert json.loads(kvass("status", "--json", "--db", path).out)["store"]["path"] == path
