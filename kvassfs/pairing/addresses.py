"""Under which addresses other devices reach a hub: one that listens on this machine, or the configured one."""

from __future__ import annotations

import fcntl
import ipaddress
import re
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from ..remote.address import hide_credentials, is_loopback, parse_base_url
from ..store import Store
from .errors import NobodyServes

SHOWN = 4
"""Addresses of a machine that are shown at most."""

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  where it listens, as its socket has it
_SIOCGIFADDR = 0x8915
"""Asks for the IPv4 address of an interface (netdevice(7))."""


class Reachable(NamedTuple):
    """Addresses of one hub, the best guess first; ``local``: the first is this machine's own name for itself."""

    addresses: tuple[str, ...]
    local: bool


def find_machine_addresses() -> list[str]:
    """Return the IP addresses under which others may reach this machine, that of the way out first."""
    found = [*_find_routed(), *_find_of_interfaces(), *_find_of_name()]
    return [each for each in dict.fromkeys(found) if _is_for_others(each)]


def _is_for_others(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _find_routed() -> Iterator[str]:
    """Yield the addresses that connections to the outside come from; nothing is sent (RFC 5737, RFC 3849)."""
    for family, outside in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))
            yield str(probe.getsockname()[0])


def _find_of_interfaces() -> Iterator[str]:
    """Yield the IPv4 address of each interface."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(asking, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                yield socket.inet_ntoa(answer[20:24])


def _find_of_name() -> Iterator[str]:
    """Yield the addresses of the name of this machine."""
    with suppress(OSError, UnicodeError):
        for *_, address in socket.getaddrinfo(socket.gethostname(), None, type=socket.SOCK_STREAM):
            yield str(address[0]).partition("%")[0]


def find_reachable(store: Store, machine: Callable[[], Iterable[str]] = find_machine_addresses) -> Reachable:
    """Return where other devices reach the hub of ``store``, or the store itself where it has none.

    ``machine`` returns the IP addresses of this machine.

    Raises:
        NobodyServes: it has no hub, and is none.
    """
    public_url, remote = store.settings.public_url(), store.settings.config().remote
    if remote:
        address = hide_credentials(remote)
        if is_local(address) and public_url:
            return Reachable((_shorten(public_url),), local=False)
        return Reachable((_shorten(address),), is_local(address))
    served = store.processes.served()
    if not served:
        raise NobodyServes
    found = list_addresses(served[-1], machine)
    if public_url:
        found = (_shorten(public_url), *found)
    return Reachable(found, is_local(found[0]))


def choose_page_url(addresses: Iterable[str], public_url: str) -> str:
    """Return the URL below which a browser finds the hub, of its addresses, the best guess first, and the public one, if any.

    Only with TLS a browser lets its page work, so that comes first.
    """
    urls = [_complete(each) for each in (*addresses, public_url) if each]
    with_tls = (each for each in urls if each.startswith("https:"))
    return next(with_tls, _complete(public_url) if public_url else urls[0])


def _complete(address: str) -> str:
    """Return an address as a URL, without user and password, and without a port that goes without saying."""
    url = parse_base_url(hide_credentials(address))
    port = ":443" if url.startswith("https:") else ":80"
    return re.sub(rf"^([^/]*//[^/]*){port}(?=/|$)", r"\1", url)


def list_addresses(url: str, machine: Callable[[], Iterable[str]] = find_machine_addresses) -> tuple[str, ...]:
    """Return what other devices call the hub whose socket is at ``url``: `host:port`, or a URL for TLS."""
    split = urlsplit(url)
    host, port = split.hostname or "", split.port
    hosts = [host]
    if host in _EVERYWHERE:
        hosts = [each for each in machine() if host == "::" or ":" not in each][:SHOWN] or ["localhost"]
    scheme = "https://" if split.scheme == "https" else ""
    return tuple(f"{scheme}[{each}]:{port}" if ":" in each else f"{scheme}{each}:{port}" for each in hosts)


def is_local(address: str) -> bool:
    """Return whether only this machine reaches the address."""
    host = urlsplit(address if "://" in address else f"http://{address}").hostname or ""
    return is_loopback(host)


def _shorten(address: str) -> str:
    return re.sub("^http://", "", address, flags=re.IGNORECASE).rstrip("/")
