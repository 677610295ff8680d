"""The errors of pairing.

::

    PairingError                  exit status 1 unless a class says otherwise
    ├── InvalidCode               no code, as it was typed
    ├── WrongCode                 exit status 3: the two sides have different codes
    ├── CodeGone                  exit status 4: nobody waits with this code
    ├── PairingExpired            exit status 4: nobody has joined in time
    ├── OtherSideGone             the other side has left in the middle
    ├── CannotPair                what answers knows no mailboxes
    ├── NobodyServes              this store has no hub, and is none
    ├── StoreInUse                what joins has keys or a hub already
    ├── CannotClaim               no claim of a store, or not in the clear
    ├── AtAnotherHub              the store that claims one has a hub already
    ├── ClaimRefused              exit status 4: the code claims no store, or no longer
    ├── HandoverTooLong           settings that no message holds
    ├── InvalidIntroduction       what the other side sent under the right code is no message
    └── PairingRefused            the hub has had enough
        ├── TooManyMailboxes      of mailboxes that are open
        └── TooManyTries          of numbers that nobody has
"""

from __future__ import annotations

from ..errors import KvassError

WRONG_CODE = 3
"""The exit status where the codes differ."""

GONE = 4
"""The exit status where a code has ended, or was none."""


class PairingError(KvassError):
    """Two devices could not be paired."""


class InvalidCode(PairingError):
    """What was typed is no code; nothing was tried with it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a code is a number and two words, as in 7-purple-lamp: {reason}")
        self.reason = reason


class WrongCode(PairingError):
    """The two sides have different codes, or somebody in between has changed a message; ``joining``: said to the joiner."""

    exit_code = WRONG_CODE

    def __init__(self, *, joining: bool) -> None:
        super().__init__(
            "wrong code: nothing was received, and the code has ended; run `kvass pair` there again, and type the new one"
            if joining
            else "somebody has tried a wrong code: nothing was handed out, and the code has ended; if that was a slip,"
            " run `kvass pair` again"
        )
        self.joining = joining


class CodeGone(PairingError):
    """No mailbox has this number: there never was one, it was used, or its time is over."""

    exit_code = GONE

    def __init__(self) -> None:
        super().__init__(
            "nobody waits with this code: check its number, or run `kvass pair` there again, as a code holds for ten"
            " minutes and one try"
        )


class PairingExpired(PairingError):
    """Nobody has joined as long as the code held."""

    exit_code = GONE

    def __init__(self) -> None:
        super().__init__("nobody has joined, and the code has ended; run `kvass pair` again for another one")


class OtherSideGone(PairingError):
    """The other side does not answer any more; ``joining``: said to the joiner."""

    def __init__(self, *, joining: bool) -> None:
        where, what = ("there", "nothing was received") if joining else ("here", "it may lack what was sent")
        super().__init__(f"the other device has left, and {what}; run `kvass pair` {where} again")
        self.joining = joining


class CannotPair(PairingError):
    """What answers at ``remote`` knows no mailboxes."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            f"cannot pair through {remote}: {reason}; check the address, or, if that is a hub of the original kvass or of an"
            " earlier version, use `kvass config key` and `kvass config remote`"
        )
        self.remote = remote
        self.reason = reason


class NobodyServes(PairingError):
    """The store has no hub, and no process serves it as one."""

    def __init__(self) -> None:
        super().__init__(
            "no device could reach this one: start `kvass serve` here, which makes it the hub, or name the hub with"
            " `kvass config remote HOST`"
        )


class StoreInUse(PairingError):
    """The store that is to join has ``keys`` keys, or a hub, or devices."""

    def __init__(self, path: str, found: str) -> None:
        super().__init__(
            f"the store {path} is in use ({found}); with --merge it joins, and what is in it stays and goes to the other"
            " devices too, or name another file with --db"
        )
        self.path = path
        self.found = found


class CannotClaim(PairingError):
    """What was typed claims no store; nothing was sent."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class AtAnotherHub(PairingError):
    """The store has a hub already, at ``address``."""

    def __init__(self, address: str) -> None:
        super().__init__(f"this store has the hub {address}; `kvass config remote ''` takes it away")
        self.address = address


class ClaimRefused(PairingError):
    """The code claims no store, or no longer: it was used, or its time is over."""

    exit_code = GONE

    def __init__(self) -> None:
        super().__init__("this code claims no store, or no longer; ask whoever runs the hub for another one")


class HandoverTooLong(PairingError):
    """The settings are longer than a message."""

    def __init__(self) -> None:
        super().__init__(
            "the addresses of hub and public address are too long to be sent; use `kvass config key` and `kvass config"
            " remote` there"
        )


class InvalidIntroduction(PairingError):
    """The other side has the code and sent what is no message of this protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the other device speaks another protocol: {reason}; have the same version of kvass on both")
        self.reason = reason


class PairingRefused(PairingError):
    """The hub takes no more just now."""


class TooManyMailboxes(PairingRefused):
    """As many pairings wait as there may be."""

    def __init__(self) -> None:
        super().__init__("too many devices are being paired at the hub; end one of these, or try again in ten minutes")


class TooManyTries(PairingRefused):
    """Too many numbers were tried that no mailbox has."""

    def __init__(self) -> None:
        super().__init__("too many numbers were tried that nobody waits with; wait a minute, and check the code")
