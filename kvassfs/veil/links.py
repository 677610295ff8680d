"""Share links of a sealed store: tokens that only devices can make, and keys that open and cannot make."""

from __future__ import annotations

import hmac
from binascii import a2b_base64
from collections.abc import Callable, Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..share_link import ShareLink
from .errors import CannotBeOpened
from .keys import Keys, clear_highest_bit, compute_mac, encode_url, is_name, prove

NONCE_BYTES = 16
"""Random bytes in the token of a link: as many as in any token, so that nobody finds one by trying."""

PROOF_BYTES = 16
"""Bytes of the proof in the token of a link: forging one takes 2^127 tries at a device on the average."""

TOKEN_LENGTH = 43
"""Characters in the token of a link; that of a version has 22."""

MOST_WRAPS = 16
"""Links for which a version wraps its key, at most: 48 bytes each, in every version of the key."""

WRAP_BYTES = 48
"""Bytes of a wrap: a key of 32 bytes, and the tag of AES-GCM."""


def make_link(keys: Keys, name: str, *, expires: int, once: bool, random: Callable[[int], bytes]) -> ShareLink:
    """Return a new link to the key with a name at the hub; ``expires`` in µs since the epoch, 0 = never."""
    nonce = clear_highest_bit(random(NONCE_BYTES))
    link = ShareLink("", name, expires, once)
    return link._replace(token=encode_url(nonce + _prove_link(keys, nonce, link)))


def _prove_link(keys: Keys, nonce: bytes, link: ShareLink) -> bytes:
    terms = f"{link.expires or '-'}/{'once' if link.once else 'often'}"
    return prove(keys, b"link", nonce, terms.encode(), link.key.encode())[:PROOF_BYTES]


def is_proven(keys: Keys, link: ShareLink) -> bool:
    """Return True if a device of this store has made a link, with these terms, to the key of this name."""
    if len(link.token) != TOKEN_LENGTH or not link.token.isascii() or not is_name(link.key):
        return False
    try:
        token = a2b_base64(f"{link.token}=".replace("-", "+").replace("_", "/"), strict_mode=True)
    except ValueError:
        return False
    proof = _prove_link(keys, token[:NONCE_BYTES], link)
    return hmac.compare_digest(proof, token[NONCE_BYTES:]) and encode_url(token) == link.token


def derive_link_key(keys: Keys, token: str) -> bytes:
    """Return the key of a link, which its address carries: it opens the wraps of the versions that the link leads to."""
    return compute_mac(keys.versions, token.encode())


def choose_links(links: Iterable[ShareLink]) -> list[ShareLink]:
    """Return the links for which a version wraps its key: all, or the same ones on every device where there are too many."""
    return sorted(links)[:MOST_WRAPS]


def make_wraps(keys: Keys, links: Iterable[ShareLink], version_key: bytes, nonce: bytes) -> list[bytes]:
    """Return the key of a version wrapped for each of the links.

    AES-256-GCM; NIST SP 800-38D, section 8, has no key meet a nonce twice. The nonce is that of the head, which is another
    one in each version.
    """
    chosen = choose_links(links)
    return [AESGCM(derive_link_key(keys, link.token)).encrypt(nonce, version_key, None) for link in chosen]


def open_wraps(link_key: bytes, wraps: Iterable[bytes], nonce: bytes) -> bytes:
    """Return the key of a version that is wrapped for a link.

    Raises:
        CannotBeOpened: it is not.
    """
    cipher = AESGCM(link_key)
    for wrap in wraps:
        try:
            return cipher.decrypt(nonce, wrap, None)
        except InvalidTag:
            continue
    raise CannotBeOpened
