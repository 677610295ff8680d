"""The errors that kvassfs expects, each one line that says what to do.

::

    KvassError                    exit status 1 unless a class says otherwise
    ├── InvalidKey                a key that no entry can have
    ├── EmptyValue                an input without a byte
    ├── ValueTooLarge             more bytes than a value can have
    ├── KeyMissing                no entry under this key
    ├── RevisionMissing           no such version of a key
    ├── ConflictMissing           no conflict of this key that nobody has settled
    ├── NothingToUndo             no change of this machine that could be taken back
    ├── LinkMissing               no share link that could be ended
    ├── TransferRefused           what cannot be moved or copied to where it is to go
    ├── ValueReplaced             another value than the one that was found
    ├── InvalidConfiguration      a setting that is refused, and why
    ├── StoreError                the database file
    │   ├── StoreUnavailable      cannot be opened or created
    │   ├── NotAStore             holds something else
    │   ├── NewerStore            written by a later version
    │   ├── DamagedStore          SQLite finds it corrupt
    │   ├── ReadOnlyStore         can be read, and not be written: see ``store_errors`` for this and the next
    │   ├── SystemRefused         the system gives no memory or descriptor, or lets nobody write
    │   ├── …                     and a file that is not the one that was opened
    │   ├── StoreBusy             locked by another process for too long; and ``StoreChanged``, while it was read
    │   ├── DiskFull              no space left for it
    │   └── NoRoomForCopy         no space left to write it anew
    ├── MessageError              a message between devices
    │   ├── Undecipherable        not sealed with this key
    │   ├── InvalidMessage        sealed with it, and no message of the protocol
    │   │   └── OutOfRange        with a number that no replica can have counted
    │   └── VeilError             what a hub keeps of a sealed store: ``kvassfs.veil.errors`` has the tree below it
    ├── SyncError                 an exchange with the hub; ``kvassfs.sync.errors`` has more below it
    │   ├── HubUnreachable        no connection, no answer in time, or cut off
    │   ├── HubTlsFailed          its certificate or TLS is refused
    │   ├── NotAHub               something else answers
    │   ├── WrongKey              its encryption key is another one
    │   ├── AnswerDamaged         its answer is not what it sealed: see ``kvassfs.remote.errors``, also for NoRoomForAnswer
    │   ├── HubFailed             it reports an error
    │   └── HubDowngraded         it speaks an older protocol than before
    ├── ShareError                what is shared by its address
    │   ├── NothingShared         a token that nothing has
    │   └── ShareEnded            a token that leads nowhere any more
    ├── TooLongForCode            an address that no QR code holds
    ├── CannotListen              the address to serve on
    ├── TransferError             import, export and backup: see ``transfer_errors``
    ├── PairingError              of devices: ``kvassfs.pairing.errors`` has the tree below it
    ├── ServiceError              a service that cannot be installed or removed
    └── MountError                mounting and unmounting: ``kvassfs.mount.errors`` has the tree below it
"""

from __future__ import annotations

import errno
from collections.abc import Sequence


class KvassError(Exception):
    """An expected failure; ``str()`` of it is the line shown to the user.

    A class owns the exit status of the command that fails with it, and the ``errno`` that a file
    system call answers.
    """

    exit_code = 1
    errno = errno.EIO


class InvalidKey(KvassError):
    """A key is empty, holds a NUL, or is not text."""

    errno = errno.EINVAL

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"{key!r} cannot be a key: {reason}")
        self.key, self.reason = key, reason


class EmptyValue(KvassError):
    """A stream that ends before its first byte, perhaps because what was to write it has failed."""

    errno = errno.EINVAL

    def __init__(self, key: str) -> None:
        super().__init__(
            f"nothing to set {key} to: the input is empty (`kvass rm` deletes, `kvass set --empty` makes an empty file)"
        )
        self.key = key


class ValueTooLarge(KvassError):
    """A value would have more than ``largest`` bytes."""

    errno = errno.EFBIG

    def __init__(self, largest: int) -> None:
        super().__init__(f"too large: a value has at most {largest:,} bytes; keep it in several")
        self.largest = largest


class KeyMissing(KvassError):
    """There is no entry under the key."""

    errno = errno.ENOENT

    def __init__(self, key: str) -> None:
        super().__init__(f"no such key: {key}")
        self.key = key


class KeyIsDirectory(KeyMissing):
    """There is no value under the key, but a directory."""

    errno = errno.EISDIR

    def __init__(self, prefix: str, remedy: str = "`kvass ls` lists what is in it") -> None:
        super().__init__(prefix)
        self.args = (f"{prefix} is a directory; {remedy}",)


class TransferRefused(KvassError):
    """Keys cannot be moved or copied to where they are to go; nothing was changed."""


class RevisionMissing(KvassError):
    """A key has no version with the ``number``, or not any longer; ``None``: none before the present one."""

    errno = errno.ENOENT

    def __init__(self, key: str, number: int | None) -> None:
        which = "earlier version" if number is None else f"version {number}"
        super().__init__(f"{key} has no {which}; `kvass log` lists what is kept")
        self.key = key
        self.number = number


class ConflictMissing(KvassError):
    """No conflict of this key is open."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} is in no conflict (`kvass log --conflicts` lists those that are)")


class NothingToUndo(KvassError):
    """Nothing that was changed on this machine can be taken back; the keys ``changed`` have changed again since."""

    def __init__(self, changed: Sequence[str] = ()) -> None:
        reason = f": {changed[0]} has changed since, or is not kept; see `kvass log`" if changed else ""
        super().__init__(f"nothing to undo{reason}")
        self.changed = changed


class LinkMissing(KvassError):
    """What was given names no share link that could be ended."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no such link and no key with links: {name}; `kvass links` lists the links")
        self.name = name


class ValueReplaced(KvassError):
    """The key has another value than the one that was found."""

    errno = errno.ESTALE

    def __init__(self) -> None:
        super().__init__("the value was replaced before it could be read; try again")


class InvalidConfiguration(KvassError):
    """A configuration value is refused."""


class StoreError(KvassError):
    """A failure of the database file at ``path``."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class StoreUnavailable(StoreError):
    """The database file cannot be opened or created."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, f"cannot open the database {path}: {reason}")
        self.reason = reason


class NotAStore(StoreError):
    """The file is not a kvass database; it is left as it was."""

    def __init__(self, path: str) -> None:
        super().__init__(path, f"{path} is not a kvass database; name another file with --db or move this one away")


class NewerStore(StoreError):
    """The database was written by a later version of the program; it is left as it was."""

    def __init__(self, path: str, version: int) -> None:
        super().__init__(path, f"{path} was written by a newer kvassfs (format {version}); upgrade kvassfs to open it")
        self.version = version


class DamagedStore(StoreError):
    """SQLite finds the database corrupt; it is left as it was."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            path,
            f"the database {path} is damaged ({reason}); `kvass doctor --full` says what is lost, and with --salvage FILE"
            " saves the rest",
        )
        self.reason = reason


class StoreBusy(StoreError):
    """Another process, ``pid`` if that is known, held the database locked for too long, perhaps as it is stopped."""

    errno = errno.EBUSY

    def __init__(self, path: str, pid: int = 0, *, is_stopped: bool = False) -> None:
        who = f"process {pid}" if pid else "another process"
        state = f"which is stopped; have it go on by `kill -CONT {pid}`, or end it"
        waits = "; try again when it is done" if not is_stopped else f", {state}"
        super().__init__(path, f"the database {path} is locked by {who}{waits}")
        self.pid = pid
        self.is_stopped = is_stopped


class DiskFull(StoreError):
    """The disk that holds the database has no space left; nothing was changed."""

    errno = errno.ENOSPC

    def __init__(self, path: str) -> None:
        super().__init__(path, f"no space left on the disk that holds {path}; nothing was changed")


class NoRoomForCopy(StoreError):
    """There is no room to write the database anew, which takes two copies of ``needed`` bytes; nothing was changed."""

    errno = errno.ENOSPC

    def __init__(self, path: str, needed: int) -> None:
        size = f"{max(1, round(needed / 1_000_000)):,} MB"
        super().__init__(
            path,
            f"{path} is written anew once, which takes twice {size} meanwhile: on its disk, and where temporary files go"
            " (TMPDIR, else /var/tmp); make room there and try again",
        )
        self.needed = needed


class MessageError(KvassError):
    """A message between devices cannot be used."""


class Undecipherable(MessageError):
    """A message is not sealed with the encryption key of this store, or damaged."""

    def __init__(self) -> None:
        super().__init__(
            "a message cannot be decrypted: it was sealed with another encryption key, or damaged on its way"
        )


class InvalidMessage(MessageError):
    """A message was sealed with the right key, but is none of the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"a message cannot be understood: {reason}")
        self.reason = reason


class OutOfRange(InvalidMessage):
    """A message has an entry, of ``key``, with a ``number`` that none can have; ``name`` says which of its numbers."""

    def __init__(self, key: str, name: str, number: int) -> None:
        super().__init__(f"the {name} of {key!r} is out of range: {number}")
        self.key, self.name, self.number = key, name, number


class SyncError(KvassError):
    """An exchange with the hub at ``remote`` failed; what is not acknowledged is pushed another time."""

    def __init__(self, remote: str, message: str) -> None:
        super().__init__(message)
        self.remote = remote


class HubUnreachable(SyncError):
    """The hub cannot be connected to, does not answer in time, or the connection broke.

    ``summary`` is the message without advice, for those who do without the hub.
    """

    def __init__(self, remote: str, reason: str) -> None:
        self.summary = f"cannot reach the hub {remote}: {reason}"
        super().__init__(remote, f"{self.summary}; check that it runs there and that the network is up")
        self.reason = reason


class HubTlsFailed(SyncError):
    """TLS with the hub fails, its certificate for one."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            remote,
            f"no secure connection to the hub {remote}: {reason}; check its certificate, and the name and https in"
            " `kvass config remote`",
        )
        self.reason = reason


class NotAHub(SyncError):
    """What answers at the address is no kvass hub."""

    def __init__(self, remote: str, reason: str) -> None:
        super().__init__(
            remote,
            f"no kvass hub answers at {remote}: {reason}; check `kvass config remote`, and whether a network login"
            " page is in between",
        )
        self.reason = reason


class WrongKey(SyncError):
    """The hub has another encryption key."""

    def __init__(self, remote: str) -> None:
        super().__init__(
            remote,
            f"the hub {remote} has another encryption key; type `kvass pair` on a device that it accepts, and the line"
            " that appears, with --merge, on this one (or set the key with `kvass config key`): nothing here is lost",
        )


class HubFailed(SyncError):
    """The hub answers that it cannot do what was asked; ``status`` is that of HTTP."""

    def __init__(self, remote: str, status: int, reason: str) -> None:
        failed = f"the hub {remote} failed with status {status}: {reason}; look at its log"
        super().__init__(remote, f"the hub {remote} takes no more: {reason}" if status == 507 else failed)
        self.status = status
        self.reason = reason


class HubDowngraded(SyncError):
    """The hub once spoke a newer protocol than it does now, which somebody in between may have made it do."""

    def __init__(self, remote: str) -> None:
        super().__init__(
            remote,
            f"the hub {remote} speaks an older protocol than before; if an older program was installed there, accept"
            " it by setting `kvass config remote` anew",
        )


class ShareError(KvassError):
    """What an address leads to cannot be had; the message is for whoever has the address."""


class NothingShared(ShareError):
    """No entry has the token of the address, and no link."""

    def __init__(self) -> None:
        super().__init__("there is nothing at this address; check that it was copied whole")


class ShareEnded(ShareError):
    """The address led to something once, and does not any more."""

    def __init__(self, reason: str = "what was shared here has been removed, replaced or used up") -> None:
        super().__init__(f"{reason}; ask whoever gave you the address for another one")
        self.reason = reason


class TooLongForCode(KvassError):
    """The address is of more bytes, ``length``, than any QR code holds."""

    def __init__(self, length: int) -> None:
        super().__init__(
            f"an address of {length} bytes is too long for a QR code; send what `kvass url` prints, or set a shorter"
            " public address with `kvass config url URL`"
        )
        self.length = length


class CannotListen(KvassError):
    """The hub cannot be served at the address ``bind``."""

    def __init__(self, bind: str, reason: str) -> None:
        super().__init__(f"cannot listen on {bind}: {reason}")
        self.bind, self.reason = bind, reason


class ServiceError(KvassError):
    """A service cannot be installed, removed or looked at."""
