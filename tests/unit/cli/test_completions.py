"""kvassfs_cli.completions: links"""

from __future__ import annotations

import click

from kvassfs.store import Store
from kvassfs_cli import completions
from kvassfs_cli.database import DatabaseFile


def offered(store: Store, beginning: str) -> dict[str, str | None]:
    with click.Context(click.Command("unlink"), obj=DatabaseFile()) as context:
        found = completions.complete_link(context, click.Argument(["names"]), beginning)
    return {item.value: item.help for item in found}


def test_keys_with_links_are_offered_level_by_level_and_no_others(store: Store) -> None:
    for key in ("docs/a", "docs/b", "plain", "shared"):
        store.set(key, b"value")
    for key in ("docs/a", "docs/b", "shared", "shared"):
        store.share_links.create(key)
    store.share_links.create("plain", expires=1)
    assert offered(store, "") == {"docs/": None, "shared": None}
    assert offered(store, "docs/") == {"docs/a": None, "docs/b": None}
    assert offered(store, "plain") == {}  # no token begins so


def test_tokens_and_addresses_are_offered_once_they_are_begun(store: Store) -> None:
    store.set("k", b"value")
    token = store.share_links.create("k").token
    assert offered(store, token[:6]) == {token: "k"}
    assert offered(store, "http") == {}
    store.settings.set_remote("hub.example:8000")
    assert offered(store, "http") == {f"http://hub.example:8000/get?q={token}": "k"}
