"""kvassfs.remote.http: what an address leads to, downloaded from a real hub"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import HubUnreachable, NothingShared, ShareEnded
from kvassfs.remote.http import HttpRemote
from kvassfs.store import Store
from tests.support.hub_process import serving
from tests.support.servers import SHORT, plain_environment


def test_a_value_and_a_link_that_works_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_environment(monkeypatch, tmp_path)
    with Store.open(tmp_path / "db.sqlite") as store:
        token = store.set("key", b"value" * 100_000).url_token
        once = store.share_links.create("key", once=True).token
    with serving(tmp_path) as server, closing(HttpRemote(server.url)) as remote:
        assert bytes(remote.download(token)) == b"value" * 100_000
        assert bytes(remote.download(once)) == b"value" * 100_000
        with pytest.raises(ShareEnded):
            remote.download(once)
        with pytest.raises(NothingShared):
            remote.download("A" * 22)


def test_nobody_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain_environment(monkeypatch, tmp_path)
    with closing(HttpRemote("127.0.0.1:9", SHORT)) as remote, pytest.raises(HubUnreachable):
        remote.download("A" * 22)
