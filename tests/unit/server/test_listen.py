"""Where a server listens, and what is said of addresses and TLS files that cannot be used."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from contextlib import closing
from pathlib import Path

import pytest

from kvassfs.errors import CannotListen
from kvassfs.server import listen
from tests.support.certificates import Certificate, make


@pytest.mark.parametrize(
    ("bind", "expected"),
    [
        ("127.0.0.1:8000", ("127.0.0.1", 8000)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8000", ("::1", 8000)),
        ("[::]:8000", ("::", 8000)),
        ("[fe80::1%eth0]:80", ("fe80::1%eth0", 80)),
        (":8000", ("", 8000)),
        ("8000", ("", 8000)),
        ("a-name.example:65535", ("a-name.example", 65535)),
    ],
)
def test_an_address_is_host_and_port(bind: str, expected: tuple[str, int]) -> None:
    assert listen.parse_bind(bind) == expected


@pytest.mark.parametrize(
    "bind", ["", "host", "host:", "::1:8000", "[::1]", "host:65536", "host:80a", "host:-1", "http://host:80", "[a]b:1"]
)
def test_what_is_no_address_is_refused(bind: str) -> None:
    with pytest.raises(CannotListen, match=r"^cannot listen on .*: an address is HOST:PORT") as caught:
        listen.parse_bind(bind)
    assert caught.value.bind == bind


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0"])
def test_a_socket_listens_at_the_address(bind: str) -> None:
    with closing(listen.open_socket(bind)) as opened:
        host, port = opened.getsockname()[:2]
        assert host == "127.0.0.1"
        assert listen.format_url(opened, secure=False) == f"http://127.0.0.1:{port}"
        assert listen.format_url(opened, secure=True) == f"https://127.0.0.1:{port}"
        socket.create_connection((host, port)).close()


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("bind", ["0", ":0", "[::]:0"])
def test_without_a_host_a_socket_listens_everywhere(bind: str) -> None:
    with closing(listen.open_socket(bind)) as opened:
        port = opened.getsockname()[1]
        assert listen.format_url(opened, secure=False) == f"http://[::]:{port}"
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("::1", port)).close()


def test_without_ipv6_everywhere_is_all_of_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with closing(listen.open_socket(":0")) as opened:
        assert opened.getsockname()[0] == "0.0.0.0"


def test_a_port_in_use_is_said() -> None:
    with closing(listen.open_socket("127.0.0.1:0")) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(CannotListen) as caught:
            listen.open_socket(f"127.0.0.1:{port}")
    assert str(caught.value) == f"cannot listen on 127.0.0.1:{port}: port {port} is in use by another program"


def test_an_address_of_another_machine_is_said() -> None:
    with pytest.raises(CannotListen, match="no such address on this machine"):
        listen.open_socket("192.0.2.1:0")


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".example"])
def test_a_name_that_is_not_known_is_said(host: str) -> None:
    with pytest.raises(CannotListen, match="is no address and no name that this machine knows"):
        listen.open_socket(f"{host}:0")


@pytest.mark.parametrize(
    ("code", "port", "reason"),
    [
        (errno.EACCES, 80, "permission denied: ports below 1024 need root"),
        (errno.EACCES, 8000, "permission denied"),
        (errno.EMFILE, 8000, os.strerror(errno.EMFILE)),
        (None, 8000, "something else"),
    ],
)
def test_the_system_s_refusals_are_in_words(
    monkeypatch: pytest.MonkeyPatch, code: int | None, port: int, reason: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("something else") if code is None else OSError(code, "in its own words")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(CannotListen) as caught:
        listen.open_socket(f"127.0.0.1:{port}")
    assert caught.value.reason == reason


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make(tmp_path_factory.mktemp("certificate"))


def test_certificate_and_key_may_be_two_files_or_one(certificate: Certificate, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.certificate.read_bytes() + certificate.key.read_bytes())
    assert isinstance(listen.load_tls("b", str(certificate.certificate), str(certificate.key)), ssl.SSLContext)
    assert isinstance(listen.load_tls("b", str(both), None), ssl.SSLContext)


def test_tls_files_that_cannot_be_used_are_said(certificate: Certificate, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    other = make(tmp_path)
    locked = make(tmp_path / "locked", password=b"password")
    good, key = str(certificate.certificate), str(certificate.key)
    for files, reason in (
        ((str(missing), None), f"cannot read {missing}: No such file or directory"),
        ((good, str(missing)), f"cannot read {missing}: No such file or directory"),
        ((good, str(tmp_path)), f"cannot read {tmp_path}: Is a directory"),
        ((good, str(other.key)), f"the key in {other.key} is not that of the certificate in {good}"),
        ((good, None), f"{good} holds no certificate and key in PEM that can be used"),
        ((str(nonsense), key), f"{nonsense} and {key} are no certificate and key in PEM that can be used"),
        ((good, str(nonsense)), f"{good} and {nonsense} are no certificate and key in PEM that can be used"),
        (
            (str(locked.certificate), str(locked.key)),
            f"the key in {locked.key} is encrypted; `openssl pkey` writes one that is not",
        ),
    ):
        with pytest.raises(CannotListen) as caught:
            listen.load_tls("127.0.0.1:8000", *files)
        assert str(caught.value) == f"cannot listen on 127.0.0.1:8000: {reason}"


# Sockets that were handed over


def test_a_socket_that_listens_is_taken_over() -> None:
    with closing(listen.open_socket("127.0.0.1:0")) as opened:
        number = os.dup(opened.fileno())
        (taken,) = listen.inherit_sockets(1, number)
        with taken:
            assert taken.getsockname() == opened.getsockname()
            assert not os.get_inheritable(taken.fileno())


def test_no_socket_is_taken_over_where_none_was_handed_over() -> None:
    assert listen.inherit_sockets(0) == []


def refused(number: int) -> str:
    with pytest.raises(CannotListen) as caught:
        listen.inherit_sockets(1, number)
    return str(caught.value)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_one_that_does_not_listen_for_tcp_is_refused(family: socket.AddressFamily, kind: socket.SocketKind) -> None:
    with socket.socket(family, kind) as other:
        number = other.detach()
    assert refused(number) == (
        f"cannot listen on the socket that was handed over as descriptor {number}: it is no socket that listens for TCP;"
        " name a port, or ADDRESS:PORT, in ListenStream= of its unit"
    )
    os.close(number)


def test_what_is_no_socket_is_refused() -> None:
    number = os.open("/dev/null", os.O_RDONLY)
    assert refused(number).endswith("Socket operation on non-socket")
    os.close(number)
