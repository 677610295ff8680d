"""What the address of a sealed store leads to, fetched and opened by whoever has the address, without any store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import InvalidConfiguration
from ..remote.answers import Body
from ..tuples import NamedTuple
from ..veil.addresses import SealedAddress, open_address, parse_fragment
from ..veil.values import read_value

_PAGE = "/open"


class Fetched(NamedTuple):
    """A value: its key in the store, its size, and its bytes, each piece checked before it is yielded."""

    key: str
    size: int
    pieces: Iterator[bytes]


def split_address(text: str) -> tuple[str, SealedAddress]:
    """Return the hub of an address, as it is configured, and what stands behind its ``#``.

    Raises:
        InvalidConfiguration: it is none of a sealed store; the message does not show it.
    """
    before, _, fragment = text.strip().partition("#")
    address = parse_fragment(fragment)
    if address is None or not before.endswith(_PAGE):
        raise InvalidConfiguration(
            "that is no address of a sealed store, which is HUB/open#TOKEN.KEY, as `kvass url` prints it; quote it in a shell"
        )
    return before.removesuffix(_PAGE), address


def fetch(address: SealedAddress, download: Callable[[str], Body]) -> Fetched:
    """Return what an address leads to; ``download`` returns what the hub has under a token.

    Raises:
        VeilError: it is damaged, or the address has another key.
    """
    data = memoryview(download(address.token))

    def read(start: int, size: int) -> memoryview:
        return data[start : start + size]

    head = open_address(address, read, len(data))
    return Fetched(head.entry.key, head.entry.size, read_value(head, read))
