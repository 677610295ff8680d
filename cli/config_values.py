"""Configuration values as a person types them: checked, with the reason where one is refused."""

from __future__ import annotations

import re

from kvassfs.errors import InvalidConfiguration
from kvassfs.kind import Kind
from kvassfs.remote.address import hide_credentials, parse_base_url, show_address
from kvassfs.replica import KEY_PREFIXES, MAX_PROCESS_ID, StoreKey

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from kvassfs.store import Store

MAX_TIMEOUT = 3600
"""Seconds to wait for the hub at most."""


def parse_encryption_key(text: str) -> bytes:
    """Return the 32 bytes of a key in hex.

    Raises:
        InvalidConfiguration: it is not that; the message does not show it.
    """
    if not re.fullmatch(r"[0-9A-Fa-f]*", text):
        raise _key_error("has other characters")
    if len(text) != 64:
        raise _key_error(f"has {len(text)}")
    return bytes.fromhex(text)


def parse_store_key(text: str) -> StoreKey:
    """Return a key as ``kvass config show`` and ``kvass config access-key`` print it.

    Raises:
        InvalidConfiguration: it is none; the message does not show it.
    """
    for kind, prefix in KEY_PREFIXES.items():
        if prefix and text.startswith(prefix):
            return StoreKey(parse_encryption_key(text.removeprefix(prefix)), kind)
    return StoreKey(parse_encryption_key(text))


def check_new_key(store: Store, new: StoreKey) -> None:
    """Return if a store can be given a key.

    Raises:
        InvalidConfiguration: what is in the store would come to a hub that can read it, or be mixed up with what is sealed.
    """
    kind = store.settings.kind()
    if new == store.settings.store_key():
        return
    if kind == Kind.DEVICE and new.kind == Kind.PLAIN:
        raise InvalidConfiguration(
            "this store is sealed, and that is the key of one that its hub can read; `kvass config sealed off` comes first"
        )
    if Kind.HUB in {kind, new.kind} and store.settings.config().clock:
        raise InvalidConfiguration(
            "the hub of a sealed store begins with an empty one, and has no use for another key afterwards; give the key to a"
            " new one by `kvass --db FILE config key`"
        )


def _key_error(reason: str) -> InvalidConfiguration:
    return InvalidConfiguration(
        f"an encryption key is 64 hex digits, and this one {reason}; `kvass config show` prints that of another device"
    )


def parse_process_id(text: str) -> int:
    """Return a process id in decimal.

    Raises:
        InvalidConfiguration: it is not a number that a process id can be.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= MAX_PROCESS_ID:
        raise InvalidConfiguration(f"a process id is a number from 1 to {MAX_PROCESS_ID}, and {text!r} is not")
    return int(text)


def check_remote(text: str) -> str:
    """Return ``text``, which is the address of a hub, ``host:port`` or a URL, or empty for none.

    Raises:
        InvalidConfiguration: no hub can be there.
    """
    if re.search(r"[\ud800-\udfff]", text):
        raise InvalidConfiguration(f"{text!r} is no address of a hub: it is not valid UTF-8")
    if text:
        parse_base_url(text)
    return text


def show_remote(remote: str) -> str:
    """Return the address of a hub as messages name it, ``""`` for none."""
    return show_address(remote) if remote else ""


def check_public_url(text: str) -> str:
    """Return ``text``, which is the URL under which others reach the hub, or empty for that of the remote.

    Raises:
        InvalidConfiguration: it can be none, or holds a password, which would be told to everybody.
    """
    check_remote(text)
    if hide_credentials(text) != text:
        raise InvalidConfiguration("a public address holds no user and password: everybody gets to see it")
    return text


def parse_timeouts(
    connect: str, progress: str | None, current: tuple[float, float]
) -> tuple[float, float] | tuple[None, None]:
    """Return how many seconds to wait for a connection and for progress; none for ``default``.

    Without ``progress`` that of ``current`` stays.

    Raises:
        InvalidConfiguration: one is no number of seconds, or nobody would wait so long.
    """
    if connect == "default" and progress is None:
        return None, None
    return _parse_timeout(connect), current[1] if progress is None else _parse_timeout(progress)


def _parse_timeout(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?|\.[0-9]{1,3}", text) or not 0 < float(text) <= MAX_TIMEOUT:
        raise InvalidConfiguration(f"a time limit is a number of seconds up to {MAX_TIMEOUT}, and {text!r} is not")
    return float(text)


def parse_history(count: str, days: str | None, present: tuple[int, float]) -> tuple[int, float] | tuple[None, None]:
    """Return how much history is to be kept, where ``present`` is what is kept now; nothing for the defaults.

    Raises:
        InvalidConfiguration: these are no such numbers.
    """
    if count == "default" and days is None:
        return None, None
    return (
        _parse_limit(count, "a count of versions"),
        present[1] if days is None else _parse_limit(days, "a number of days"),
    )


def _parse_limit(text: str, what: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise InvalidConfiguration(f"{what} is a number from 0 to 999999, and {text!r} is not")
    return int(text)
