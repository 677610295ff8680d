"""What is handed over, from one store to another, and which store may join."""

from __future__ import annotations

from ..errors import InvalidConfiguration
from ..kind import Kind
from ..remote.address import hide_credentials, parse_base_url, show_address
from ..store import Store
from ..store_errors import SealedHub
from . import messages
from .agreement import CONFIRMATION_BYTES
from .errors import HandoverTooLong, InvalidIntroduction, StoreInUse
from .messages import MAX_SECRET, Handover

_OVERHEAD = CONFIRMATION_BYTES + 12 + 16  # with nonce and tag


def collect_handover(store: Store) -> Handover:
    """Return what another device is to have of this one.

    How long to wait for the hub, the process id and the like belong to one device.

    Raises:
        SealedHub: it has not got the key.
        HandoverTooLong: addresses alone do not fit into a message.
    """
    check_devices(store)
    settings, config = store.settings, store.settings.config()
    handover = Handover(
        settings.name(),
        config.encryption_key,
        config.remote,
        settings.public_url(),
        settings.scratch_patterns(),
        settings.kind() == Kind.DEVICE,
    )
    for fitting in (handover, handover._replace(scratch=None)):
        if len(messages.encode_handover(fitting)) <= MAX_SECRET - _OVERHEAD:
            return fitting
    raise HandoverTooLong


def check_devices(store: Store) -> None:
    """Return if the store is one that devices share.

    Raises:
        SealedHub: it is the hub of a sealed one.
    """
    if store.settings.kind() == Kind.HUB:
        raise SealedHub(store.path)


def check_joins(store: Store) -> None:
    """Return if nothing in the store is lost or mixed up where it joins others.

    Raises:
        StoreInUse: it was used already.
    """
    config = store.settings.config()
    if config.remote:
        raise StoreInUse(store.path, f"its hub is {show_address(config.remote)}")
    if store.peers.devices():
        raise StoreInUse(store.path, "it is the hub of other devices")
    if config.clock:
        count = store.count_keys()
        raise StoreInUse(store.path, f"{count} key{'s' if count != 1 else ''}")


def choose_remote(typed: str, reached: str, handed: str) -> str:
    """Return the address of the hub for the joiner: that at which it was ``reached``, as far as it can be written so.

    ``typed`` may lack the port at which the hub was found. ``handed``, what the other device has, may hold the password of a
    proxy; it is taken where it means the same place.
    """
    if handed and show_address(handed) == reached:
        return handed
    return typed if show_address(typed) == reached else reached


def take_over(store: Store, handover: Handover, remote: str, name: str) -> None:
    """Have the store be one of those that share the key; its entries stay, and are pushed.

    ``name`` is what it calls itself from now on, ``""`` for what it did.

    Raises:
        InvalidIntroduction: a setting is none.
        SealedHub: it cannot be, as it is the hub of a sealed store.
        InvalidConfiguration: what is sealed in it would come to a hub that can read it.
    """
    check_devices(store)
    if store.settings.kind() == Kind.DEVICE and not handover.sealed:
        raise InvalidConfiguration(
            "this store is sealed, and the hub of the other device can read what it has; to let it read this store too, type"
            " `kvass config sealed off`, and join again"
        )
    public_url = handover.public_url
    if public_url and not _is_public(public_url):
        raise InvalidIntroduction("its public address is none")
    with store.transaction:
        store.settings.set_encryption_key(handover.key, Kind.DEVICE if handover.sealed else Kind.PLAIN)
        store.settings.set_remote(remote)
        if public_url:
            store.settings.set_public_url(public_url)
        if handover.scratch is not None:
            store.settings.set_scratch_patterns(handover.scratch)
        if name:
            store.settings.set_name(name)


def _is_public(url: str) -> bool:
    try:
        return bool(parse_base_url(url)) and hide_credentials(url) == url
    except InvalidConfiguration:
        return False
