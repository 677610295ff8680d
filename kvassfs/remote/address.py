"""Addresses of a hub: ``host``, ``host:port`` or a URL, with a path where a proxy puts the hub below one."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from ..errors import InvalidConfiguration

SCHEMES = ("http", "https")

SERVED_PORT = 8000
"""Where `kvass serve` listens by default; an address without a port means 80, as in the original program."""

_PARTS = re.compile(
    r"(?P<host>(?:[A-Za-z][A-Za-z0-9+.-]*://)?(?:\[[^\[\]]*\]|[^/:\[\]]+))(?P<port>:[0-9]+)?(?P<path>(?:/.*)?)",
    re.DOTALL,
)
"""An address without user and password."""


def parse_base_url(address: str) -> str:
    """Return the URL below which the calls of a hub lie, with ``user:password@`` if the address has one.

    Raises:
        InvalidConfiguration: no hub can be there.
    """
    scheme, separator, rest = address.partition("://")
    url = f"{scheme.lower()}://{rest}" if separator else f"http://{address}"
    if reason := _find_fault(url):
        raise InvalidConfiguration(f"{hide_credentials(address)!r} is no address of a hub: {reason}")
    return url.rstrip("/")


def hide_credentials(address: str) -> str:
    """Return the address as it may be shown and logged: without ``user:password@``."""
    # Up to the last @, in a path too: a password may hold a / that should have been written %2F.
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*://)?.*@", r"\1", address, flags=re.DOTALL)


def show_address(address: str) -> str:
    """Return the address as messages name it: without ``user:password@``, and with its port."""
    return name_port(hide_credentials(address))


def name_port(address: str, port: int | None = None) -> str:
    """Return an address without user and password with its port: ``port``, or that of its scheme, if it has none."""
    found = _PARTS.fullmatch(address)
    if found is None or found["port"]:
        return address
    return f"{found['host']}:{port or (443 if _is_https(address) else 80)}{found['path']}"


def may_mean_served_port(address: str) -> bool:
    """Return whether `kvass serve` may be meant by an address without user and password: it says nothing but a host."""
    found = _PARTS.fullmatch(address)
    return found is not None and not found["port"] and found["path"] in {"", "/"} and not _is_https(address)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, as behind a tunnel of ssh."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_trusted_by_browsers(address: str) -> bool:
    """Return whether browsers let a page of a hub decrypt and keep things: over TLS, or on this machine.

    https://w3c.github.io/webappsec-secure-contexts
    """
    return _is_https(address) or is_loopback(urlsplit(parse_base_url(address)).hostname or "")


def _is_https(address: str) -> bool:
    return address.lower().startswith("https:")


def _find_fault(url: str) -> str | None:
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES:
        return "a URL begins with http:// or https://"
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        return "it holds white space"
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    if not _names_host(url) or authority.endswith(":"):
        return "it names no host and port"
    if re.search("[?#@]", rest[len(authority) :]):
        return "a ?, # or @ in it is written %3F, %23 or %40"
    return None


def _names_host(url: str) -> bool:
    try:
        split = urlsplit(url)
        return bool(split.hostname) and split.port != 0
    except ValueError:
        return False
