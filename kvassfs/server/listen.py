"""Where a server listens: addresses, sockets and TLS, and what is wrong with them in words."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import Final, NoReturn

from ..errors import CannotListen

BACKLOG: Final = 512
"""Connections that may wait to be accepted."""

_BIND = re.compile(r"(?:(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[^\[\]:]*)):)?(?P<port>[0-9]{1,5})")

FIRST_INHERITED: Final = 3
"""The descriptor of the first socket that a service manager hands over (SD_LISTEN_FDS_START)."""

_EVERYWHERE = ("", "::")


def parse_bind(bind: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``, ``[IPV6]:PORT``, ``:PORT`` or ``PORT``; the host may be empty.

    Raises:
        CannotListen: it is none of these.
    """
    found = _BIND.fullmatch(bind)
    if found is None or int(found["port"]) > 65535:
        raise CannotListen(
            bind, "an address is HOST:PORT, such as 127.0.0.1:8000 or [::1]:8000, with a port below 65536"
        )
    return found["six"] or found["host"] or "", int(found["port"])


def open_socket(bind: str) -> socket.socket:
    """Open a socket that listens at ``bind``; without a host, or at ``[::]``, on all addresses of the machine.

    Raises:
        CannotListen: it cannot, and why.
    """
    host, port = parse_bind(bind)
    try:
        return _open_everywhere(port) if host in _EVERYWHERE else _open_at(host, port)
    except (OSError, UnicodeError) as error:
        raise CannotListen(bind, explain_failure(error, host, port)) from error


def inherit_sockets(count: int, first: int = FIRST_INHERITED) -> list[socket.socket]:
    """Return the sockets that a service manager has opened and handed over, as systemd's socket units do.

    Raises:
        CannotListen: one is none that listens for TCP.
    """
    return [_inherit_socket(number) for number in range(first, first + count)]


def _inherit_socket(number: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=number)
        inherited.set_inheritable(False)
        if (
            inherited.family in {socket.AF_INET, socket.AF_INET6}
            and inherited.type == socket.SOCK_STREAM
            and inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        ):
            return inherited
        inherited.detach()
        reason = "it is no socket that listens for TCP; name a port, or ADDRESS:PORT, in ListenStream= of its unit"
    except OSError as error:
        reason = os.strerror(error.errno or 0)
    raise CannotListen(f"the socket that was handed over as descriptor {number}", reason)


def _open_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    return socket.create_server(("0.0.0.0", port), backlog=BACKLOG)  # noqa: S104  asked for


def _open_at(host: str, port: int) -> socket.socket:
    # As in the original, a name stands for one address, IPv4 if it has one.
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, *_, where = min(found, key=lambda each: each[0] != socket.AF_INET)
    return socket.create_server(where, family=family, backlog=BACKLOG)


def explain_failure(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Return why nothing can listen at a port of a host."""
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{host!r} is no address and no name that this machine knows"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another program"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "permission denied" + (": ports below 1024 need root" if 0 < port < 1024 else "")
    if error.errno == errno.EADDRNOTAVAIL:
        return "no such address on this machine"
    return os.strerror(error.errno) if error.errno else str(error)


def format_url(listening: socket.socket, *, secure: bool) -> str:
    """Return the URL of what is served at a socket."""
    host, port, *_ = listening.getsockname()
    shown = f"[{host}]" if listening.family == socket.AF_INET6 else host
    return f"{'https' if secure else 'http'}://{shown}:{port}"


def load_tls(bind: str, certificate: str, key: str | None) -> ssl.SSLContext:
    """Load the ``certificate`` with its chain, and its ``key``, in PEM; without ``key`` the file holds that too.

    Raises:
        CannotListen: one of the files cannot be used, and why.
    """

    def refuse_to_ask() -> NoReturn:
        raise CannotListen(bind, f"the key in {key or certificate} is encrypted; `openssl pkey` writes one that is not")

    for path in filter(None, (certificate, key)):
        _check_readable(bind, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, refuse_to_ask)
    except ssl.SSLError as error:
        raise CannotListen(bind, _explain_tls(error, certificate, key)) from error
    return context


def _check_readable(bind: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CannotListen(bind, f"cannot read {path}: {os.strerror(error.errno or 0)}") from error


def _explain_tls(error: ssl.SSLError, certificate: str, key: str | None) -> str:
    if key is None:
        return f"{certificate} holds no certificate and key in PEM that can be used"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} is not that of the certificate in {certificate}"
    return f"{certificate} and {key} are no certificate and key in PEM that can be used"
