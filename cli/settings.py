"""Configuration values as a person types them: checked, with the reason where one is refused."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from kvassfs.entry import MAX_PROCESS_ID
from kvassfs.errors import InvalidConfiguration

_SCHEMES = ("http", "https")


def encryption_key(text: str) -> bytes:
    """Return the 32 bytes of a key in hex.

    Raises:
        InvalidConfiguration: it is not that; the message does not show it.
    """
    if not re.fullmatch(r"[0-9A-Fa-f]*", text):
        raise _key_refused("has other characters")
    if len(text) != 64:
        raise _key_refused(f"has {len(text)}")
    return bytes.fromhex(text)


def _key_refused(reason: str) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"an encryption key is 64 hex digits, and this one {reason}; `kvass config show` prints that of another device"
    )


def process_id(text: str) -> int:
    """Return a process id in decimal.

    Raises:
        InvalidConfiguration: it is not a number that a process id can be.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= MAX_PROCESS_ID:
        raise InvalidConfiguration(f"a process id is a number from 1 to {MAX_PROCESS_ID}, and {text!r} is not")
    return int(text)


def remote(text: str) -> str:
    """Return the address of a hub, which is ``host:port`` or a URL; empty for none.

    Raises:
        InvalidConfiguration: no hub can be there.
    """
    if text and (reason := _refusal(text)):
        raise InvalidConfiguration(f"{text!r} is no address of a hub: {reason}")
    return text


def _refusal(address: str) -> str | None:
    if re.search(r"[\s\x00-\x1f\x7f]", address):
        return "it holds white space"
    if re.search(r"[\ud800-\udfff]", address):
        return "it is not valid UTF-8"
    scheme, separator, _ = address.partition("://")
    if separator and scheme.lower() not in _SCHEMES:
        return "a URL begins with http:// or https://"
    try:
        url = urlsplit(address if separator else f"http://{address}")
        usable = bool(url.hostname) and url.port != 0 and not url.netloc.endswith(":")
    except ValueError as error:
        return str(error)[:1].lower() + str(error)[1:]
    return None if usable else "it names no host and port"
