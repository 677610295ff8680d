"""What an encryption key is: that of a plain store, of a device, of a hub."""


class Kind:
    """What the encryption key of a replica is, as its settings have it. No ``Enum``, which takes long to load."""

    PLAIN = ""
    """The key of a store, which its hub has as well."""
    DEVICE = "device"
    """That of a sealed store, on one of its devices: no hub has it."""
    HUB = "hub"
    """The access key of a sealed store, at its hub."""
