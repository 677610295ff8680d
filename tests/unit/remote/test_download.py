"""kvassfs.remote.http: what an address leads to, downloaded from a real hub"""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kvassfs.errors import HubFailed, HubUnreachable, NotAHub, NothingShared, ShareEnded, SyncError
from kvassfs.remote.address import SERVED_PORT
from kvassfs.remote.http import HttpRemote
from kvassfs.store import Store
from tests.support.hub_process import serving
from tests.support.servers import SHORT, head_of, plain_environment
from tests.support.servers import serving as script_serving


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


# Files for browsers


def test_a_file_for_browsers_is_read_whatever_its_type_and_none_where_there_is_none(tmp_path: Path) -> None:
    with serving(tmp_path) as server, closing(HttpRemote(server.url)) as remote:
        page = remote.read_file("/app/", 2**20)
        assert page is not None
        assert bytes(page).startswith(b"<!DOCTYPE html>")
        assert remote.read_file("/app/nothing", 2**20) is None


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n", SyncError),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", SyncError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n12345678901", HubFailed),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", NotAHub),
    ],
)
def test_what_is_no_such_file_is_an_error(response: bytes, error: type[SyncError]) -> None:
    def script(connection: socket.socket) -> None:
        head_of(connection)
        connection.sendall(response)

    with (
        script_serving(script) as server,
        closing(HttpRemote(server.address, SHORT)) as remote,
        pytest.raises(error),
    ):
        remote.read_file("/app/", 10)


def test_it_is_read_at_the_port_of_kvass_serve_where_an_address_may_mean_that(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        own = int(server.url.rpartition(":")[2])

        def resolve(host: str, port: int, **others: Any) -> Any:
            return socket.getaddrinfo("127.0.0.1", own if port == SERVED_PORT else 9, type=socket.SOCK_STREAM)

        with closing(HttpRemote("hub.example", resolve=resolve)) as remote:
            assert remote.read_file("/app/", 2**20) is not None
            assert remote.read_file("/open", 2**20) is not None
            assert remote.address == "hub.example:8000"
