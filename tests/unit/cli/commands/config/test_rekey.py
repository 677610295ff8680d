"""kvassfs_cli.commands.config.rekey"""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli.commands.config.rekey import format_steps
from tests.unit.cli.conftest import Kvass, Processes


def test_there_is_a_new_key_which_nobody_sees_and_all_is_pushed_with_it(kvass: Kvass, store: Store) -> None:
    store.set("k", b"value")
    store.settings.set_remote("hub.example")
    store.outbox.acknowledge([store.entry("k")], epoch=store.peers.hub().epoch)
    before = store.settings.config().encryption_key
    status, out, err = kvass("config", "rekey")
    assert (status, out.decode(), err) == (0, format_steps("hub.example:80"), "")
    after = store.settings.config().encryption_key
    assert after != before
    assert after.hex() not in out.decode()
    assert store.outbox.count_dirty() == (1, 5)
    assert store.get("k").read() == b"value"


def test_at_the_hub_there_is_nothing_to_do_at_the_hub(kvass: Kvass, store: Store) -> None:
    out = kvass("config", "rekey", "--yes").out.decode()
    assert out == format_steps("")
    assert "kvass config key" not in out
    assert "kvass join --merge" in out


def test_a_password_in_the_address_of_the_hub_is_not_shown(kvass: Kvass, store: Store) -> None:
    store.settings.set_remote("https://me:secret@hub.example")
    out = kvass("config", "rekey").out.decode()
    assert "https://hub.example:443" in out
    assert "secret" not in out


def test_where_there_is_no_store_none_is_made(kvass: Kvass, database: Path) -> None:
    assert kvass("config", "rekey").status == 1
    assert not database.exists()


@pytest.mark.parametrize(
    ("typed", "status", "changed"), [(b"n\n", -signal.SIGINT, False), (b"\n", -signal.SIGINT, False), (b"y\n", 0, True)]
)
def test_a_person_is_asked(processes: Processes, store: Store, typed: bytes, status: int, changed: bool) -> None:
    before = store.settings.config().encryption_key
    terminal, end = pty.openpty()
    with processes.start("config", "rekey", stdin=end) as process:
        os.close(end)
        os.write(terminal, typed)
        _, err = process.communicate(timeout=30)
    os.close(terminal)
    assert process.returncode == status
    assert err.startswith(b"All other devices lose touch until they are given the new key. Go on? [y/N]: ")
    assert (store.settings.config().encryption_key != before) is changed
