"""The errors of what a hub keeps of a sealed store.

::

    VeilError                     an entry of the hub, or what an address leads to, is not used
    ├── NotSealed                 it stands there in the clear
    ├── NewerForm                 a later version of the program has made it
    ├── Forged                  no device of this store has made it
    ├── CannotBeOpened            the key of the address is not one to it
    └── Spoiled                   a device has made it, and parts do not fit it
        └── PartMissing           or are not there, perhaps because it has been replaced meanwhile
"""

from __future__ import annotations

from ..errors import MessageError


class VeilError(MessageError):
    """What the hub keeps of a sealed store is not used; whoever asked knows of which entry."""


class NotSealed(VeilError):
    """An entry stands in the clear, where nothing but sealed ones are taken; ``reason`` says what shows that."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"it is not sealed ({reason}), and a sealed store takes nothing else from its hub; look for a device on which"
            " the store is not sealed, or for whoever has the access key"
        )
        self.reason = reason


class NewerForm(VeilError):
    """A head is of a ``version`` that a later program makes."""

    def __init__(self, version: int) -> None:
        super().__init__(f"it was sealed by a newer kvassfs (form {version}); upgrade kvassfs to open it")
        self.version = version


class Forged(VeilError):
    """The proof of a head, or of a link, is not that of a device of this store."""

    def __init__(self) -> None:
        super().__init__(
            "no device of this store has made it: it was forged or damaged at the hub; save the key anew on a device that"
            " has it, or make the store anew if that does not help"
        )


class CannotBeOpened(VeilError):
    """The key that an address has is none to what the address leads to."""

    def __init__(self) -> None:
        super().__init__("the address does not open what it leads to; check that it was copied whole")


class Spoiled(VeilError):
    """Parts of a sealed value are missing, damaged or exchanged; ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"it is damaged at the hub: {reason}; save the key anew on a device that has it, or make the store anew if"
            " that does not help"
        )
        self.reason = reason


class PartMissing(Spoiled):
    """The hub has not got a block of a value. If it has a later version by now, asking again brings that."""

    def __init__(self) -> None:
        super().__init__("a block of it is not there")
