"""Addresses under which an entry is shared, and links to a key that end by themselves.

An address names its entry by a token. Each version of a key has one, its ``url_token``, and that address ends with
the version. A link has a token of its own, leads to whatever the key holds, and has terms on which it ends.

A link travels between replicas as an entry that none of them shows: a tombstone whose key holds the terms, and whose
``url_token`` is the link's. A later tombstone under that key, with another token, ends it. So links go wherever
entries go, also through peers that know nothing of them, and a link that was ended can't come back.
"""

from __future__ import annotations

from .entry import check_key
from .errors import InvalidKey
from .tuples import NamedTuple

RESERVED = "\x01"
"""What all keys begin with under which something else travels than values; nobody types that by accident."""

LINKS = f"{RESERVED}link/"
"""What the keys of links begin with."""

# A string, compiled only when it is needed: few commands need it.
_RECORD = LINKS + r"([^/]*)/([0-9]{1,18}|-)/(once|often)/(.+)"


class ShareLink(NamedTuple):
    """A link to ``key``: it ends at ``expires`` (µs since the epoch; 0 = never), or after it was used ``once``."""

    token: str
    key: str
    expires: int = 0
    once: bool = False

    @property
    def record(self) -> str:
        """The key of the entry that the link travels as."""
        return f"{LINKS}{self.token}/{self.expires or '-'}/{'once' if self.once else 'often'}/{self.key}"

    def has_expired(self, now: int) -> bool:
        """Whether its time is over at ``now``, µs since the epoch."""
        return 0 < self.expires <= now


def parse_record(record: str) -> ShareLink | None:
    """Return the link that the key ``record`` holds, ``None`` if it is the key of something else."""
    if not record.startswith(LINKS):
        return None
    import re  # noqa: PLC0415  few keys are such ones

    found = re.fullmatch(_RECORD, record, re.DOTALL)
    if found is None:
        return None
    token, expires, uses, key = found.groups()
    return ShareLink(token, key, 0 if expires == "-" else int(expires), uses == "once")


def check_new_key(key: str) -> str:
    """Return ``key`` if a value can be put under it here.

    Raises:
        InvalidKey: no entry can have it, or a link or an echo travels under it.
    """
    if key.startswith(RESERVED):
        from .echo import is_echo  # noqa: PLC0415  few keys are such ones

        if parse_record(key) is not None:
            raise InvalidKey(key, "links travel under such keys")
        if is_echo(key):
            raise InvalidKey(key, "devices ask hubs under such keys whether they keep what is sent")
    return check_key(key)


def record_prefix(token: str) -> str:
    """Return the prefix of the key that holds the link with ``token``."""
    return f"{LINKS}{token}/"
