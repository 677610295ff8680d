"""kvassfs_cli.commands.url, and the addresses that it shares with kvass qr"""

from __future__ import annotations

import re
import time

import pytest

from kvassfs.share_link import ShareLink
from kvassfs.sharing.address import find_token
from kvassfs.store import Shared, Store
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass

MINUTE = 60_000_000  # microseconds


@pytest.fixture(autouse=True)
def key(store: Store) -> None:
    """There is a key before there is a hub."""
    store.set("k", b"value")


def address(outcome: tuple[int, bytes, str]) -> str:
    status, out, err = outcome
    assert (status, err) == (0, "")
    assert re.fullmatch(rb"http://hub\.example:8000/get\?q=[A-Za-z0-9_-]{22}\n", out)
    return out.decode().strip()


def link_at(store: Store, url: str) -> ShareLink:
    found = store.share_links.find(find_token(url) or "")
    assert isinstance(found, ShareLink)
    return found


def test_the_address_is_that_of_the_version_at_the_hub(kvass: Kvass, store: Store, hub: NearHub) -> None:
    assert address(kvass("url", "k")) == f"http://hub.example:8000/get?q={store.entry('k').url_token}"


def test_url_looks_at_the_hub_first(kvass: Kvass, hub: NearHub) -> None:
    token = hub.store.set("there", b"value").url_token
    assert address(kvass("url", "there")).endswith(token)


def test_the_hub_is_told_what_it_needs_for_the_address_to_work(kvass: Kvass, store: Store, hub: NearHub) -> None:
    found = hub.store.share_links.find(find_token(address(kvass("url", "k"))) or "")
    assert isinstance(found, Shared)
    assert found.value.data == b"value"
    hub.calls.clear()
    kvass("url", "k")
    assert hub.calls == ["pull"]


def test_offline_the_address_is_told_all_the_same(kvass: Kvass, hub: NearHub) -> None:
    address(kvass("url", "k", "--offline"))
    assert hub.opened == []


@pytest.mark.parametrize("command", ["url", "qr"])
@pytest.mark.parametrize(
    ("pushed", "consequence"),
    [(False, "the address works once the hub has heard of it"), (True, "showing what is stored here")],
)
def test_without_the_hub_the_address_is_told_with_one_warning(
    kvass: Kvass, hub: NearHub, command: str, pushed: bool, consequence: str
) -> None:
    if pushed:
        kvass("sync")
    hub.be_down()
    status, out, err = kvass(command, "k")
    assert (status, bool(out)) == (0, True)
    assert err == f"kvass: warning: cannot reach the hub hub.example:8000: connection refused; {consequence}\n"


def test_without_the_hub_a_key_that_is_not_here_is_said_with_the_reason(kvass: Kvass, hub: NearHub) -> None:
    hub.be_down()
    status, out, err = kvass("url", "nothing")
    assert (status, out) == (1, b"")
    assert err == (
        "kvass: warning: cannot reach the hub hub.example:8000: connection refused; showing what is stored here\n"
        "kvass: no such key: nothing\n"
    )


def test_a_public_address_goes_before_the_remote(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.settings.set_public_url("https://example.org/kvass/")
    token = store.entry("k").url_token
    assert kvass("url", "k") == (0, f"https://example.org/kvass/get?q={token}\n".encode(), "")


def test_a_password_of_the_remote_is_not_told(kvass: Kvass, store: Store) -> None:
    store.settings.set_remote("https://me:secret@example.org/kvass")
    token = store.entry("k").url_token
    assert kvass("url", "k", "--offline") == (0, f"https://example.org/kvass/get?q={token}\n".encode(), "")


@pytest.mark.parametrize("options", [[], ["--once"]])
def test_without_an_address_the_error_says_what_sets_one(kvass: Kvass, store: Store, options: list[str]) -> None:
    status, out, err = kvass("url", "k", *options)
    assert (status, out) == (1, b"")
    assert "set the hub with `kvass config remote HOST`" in err
    assert "`kvass config url URL`" in err
    assert err.count("\n") == 1
    assert store.share_links.list_all() == []


@pytest.mark.parametrize("options", [[], ["--once"], ["--expires", "1h"]])
def test_a_key_that_is_not_there_has_none(kvass: Kvass, hub: NearHub, options: list[str]) -> None:
    assert kvass("url", "nothing", *options) == (1, b"", "kvass: no such key: nothing\n")


# ShareLinks


def test_expires_makes_a_link_that_ends_then(kvass: Kvass, store: Store, hub: NearHub) -> None:
    before = time.time_ns() // 1000
    link = link_at(hub.store, address(kvass("url", "k", "--expires", "15m")))
    assert (link.key, link.once) == ("k", False)
    assert 0 <= link.expires - before - 15 * MINUTE < MINUTE


def test_once_makes_a_link_that_works_once(kvass: Kvass, hub: NearHub) -> None:
    link = link_at(hub.store, address(kvass("url", "--once", "k")))
    assert (link.key, link.once, link.expires) == ("k", True, 0)


def test_each_link_is_a_new_one_and_the_plain_address_stays(kvass: Kvass, hub: NearHub) -> None:
    plain = address(kvass("url", "k"))
    links = {address(kvass("url", "k", "--once", "--expires", "1d")) for _ in range(3)}
    assert len(links | {plain}) == 4
    assert address(kvass("url", "k")) == plain


def test_a_link_made_without_the_hub_waits_for_it(kvass: Kvass, store: Store, hub: NearHub) -> None:
    hub.be_down()
    token = find_token(kvass("url", "k", "--once").out.decode().strip()) or ""
    hub.failure = None
    kvass("sync")
    assert hub.store.share_links.find(token) == store.share_links.find(token) != None  # noqa: E711


@pytest.mark.parametrize("options", [["--once"], ["--expires", "1h"]])
def test_a_hub_of_the_original_has_no_such_links(kvass: Kvass, store: Store, options: list[str]) -> None:
    store.settings.set_remote("hub.example:8000")
    store.peers.note_hub(version=1, process_id=0, incarnation=0, told=0, epoch=store.peers.hub().epoch)
    status, out, err = kvass("url", "k", "--offline", *options)
    assert (status, out) == (1, b"")
    assert "the original kvass" in err


@pytest.mark.parametrize("text", ["", "1", "h", "1 h", "1y", "-1h", "1.5h", "0s", "0h0m", "99999w", "1h30", "١h"])
def test_what_is_no_span_of_time_is_a_usage_error(kvass: Kvass, hub: NearHub, text: str) -> None:
    status, out, err = kvass("url", "k", "--expires", text)
    assert (status, out) == (2, b"")
    assert "invalid value for '--expires'" in err
    assert err.count("\n") == 1


def test_too_long_a_span_of_time_is_said_with_the_limit(kvass: Kvass, hub: NearHub) -> None:
    assert "'99999w' is more than 100 years" in kvass("url", "k", "--expires", "99999w").err


def test_keys_that_look_like_options_follow_two_dashes(kvass: Kvass, store: Store, hub: NearHub) -> None:
    store.set("--once", b"value")
    assert address(kvass("url", "--", "--once")).endswith(store.entry("--once").url_token)
