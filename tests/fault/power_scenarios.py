"""What processes do whose disk is written down, for `test_power.py`; each is run in a process of its own.

They say by marks in the log what they begin and what is done: ``began KEY VALUE``, ``done KEY VALUE``. A value is a number and
how many bytes it has: ``3:70000``; ``-`` is none.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from kvassfs.entry import Delivery, Entry
from kvassfs.keeping.store_keeper import StoreKeeper
from kvassfs.sharing.offers import Offers
from kvassfs.store import FOLLOWER, HUB, MOUNT, SHARING, Store, names
from kvassfs.sync import messages
from kvassfs.sync.hub import Hub
from kvassfs.sync.seal import Seal
from kvassfs_cli.main import run as run_command_line
from tests.support.disk_calls import DiskCalls
from tests.support.stores import free_room, save

LARGE = 300_000
"""Bytes of a value in two blocks."""


def expand(value: str) -> bytes:
    """Return the bytes of a value."""
    number, _, size = value.partition(":")
    return (f"{number} ".encode() * (int(size) // 2 + 1))[: int(size)]


def run(name: str, db: str, secured_here: str) -> None:
    """Run a scenario on a database; ``secured_here``: SQLite is one that leaves directories alone."""
    if secured_here == "True":
        names.sqlite_secures_names = lambda connection: False
    SCENARIOS[name](db, DiskCalls.preloaded().mark)


Mark = Callable[[str], None]


def put(store: Store, mark: Mark, key: str, value: str) -> None:
    """Set a key, or delete it."""
    mark(f"began {key} {value}")
    if value == "-":
        store.delete(key)
    else:
        store.set_stream(key, io.BytesIO(expand(value)))
    mark(f"done {key} {value}")


def commands(db: str, mark: Mark) -> None:
    """Set keys from the first one of a store on, each as a command does."""
    for number in range(4):
        with Store.open(db) as store:
            put(store, mark, "short", f"{number}:20")
        with Store.open(db) as store:
            put(store, mark, "long", f"{number}:{LARGE}")
    with Store.open(db) as store:
        put(store, mark, "long", "-")


def beside_a_mount(db: str, mark: Mark) -> None:
    """Set keys while a mount has saved files, and have it wait for the disk; others copy the log meanwhile."""
    with Store.open(db, profile=MOUNT) as mount, Store.open(db, profile=MOUNT) as housekeeping:
        for number in range(3):
            mark(f"began file {number}:{LARGE}")
            save(mount, "file", expand(f"{number}:{LARGE}"))
            with Store.open(db) as store:
                put(store, mark, "short", f"{number}:2000")
            if number != 1:
                mount.flush()
            mark(f"done file {number}:{LARGE}")
            housekeeping.upkeep.checkpoint()
        mark("began file 9:100")
        save(mount, "file", expand("9:100"))


def short_mounts(db: str, mark: Mark) -> None:
    """Save and wait for the disk in mounts that end; the log goes and comes each time."""
    for number in range(4):
        with Store.open(db, profile=MOUNT) as mount:
            mark(f"began file {number}:3000")
            save(mount, "file", expand(f"{number}:3000"))
            if number % 2:
                mount.flush()
                mark(f"done file {number}:3000")


def delivery(key: str, value: bytes, counter: int) -> Delivery:
    """Return an entry of another replica."""
    return Delivery(Entry(key, 10**15 + counter, counter, 99, f"{key}-{counter}", len(value), None), counter, value)


def pushes(db: str, mark: Mark) -> None:
    """Acknowledge pushes as a hub does, whose links also are used once."""
    with Store.open(db, profile=HUB) as store, Store.open(db, profile=SHARING) as sharing:
        seal = Seal(store.settings.config().encryption_key)
        hub = Hub(StoreKeeper(store))
        for number in range(1, 4):
            value = f"{number}:{40_000 * number}"
            mark(f"began pushed {value}")
            hub.push(seal.seal(messages.encode_push([delivery("pushed", expand(value), number)])))
            mark(f"done pushed {value}")
        link = store.share_links.create("pushed", once=True)
        mark(f"link {link.token}")
        _, pieces = Offers(StoreKeeper(sharing)).consume_link(link.token)
        mark(f"used {link.token}")
        pieces.close()


def pulls(db: str, mark: Mark) -> None:
    """Merge what the hub has, which can be had again: the cursor never passes what is here."""
    with Store.open(db, profile=FOLLOWER) as store:
        for number in range(1, 5):
            entries = [delivery(f"pulled/{number}/{each}", expand(f"{number}:2000"), number) for each in range(4)]
            mark(f"began pulled {number}")
            store.inbox.merge_pulled(entries, cursor=number, epoch=store.peers.hub().epoch)
            if number == 2:
                store.upkeep.checkpoint()
        store.flush()


def gives_room_back(db: str, mark: Mark) -> None:
    """Clean up, and give room back."""
    with Store.open(db) as store:
        put(store, mark, "kept", f"1:{LARGE}")
        free_room(store, 600_000, below=LARGE)
        store.upkeep.give_all_back()
        store.upkeep.rewrite_small()
        mark("done kept 1:300000")


def rewrites(db: str, mark: Mark) -> None:
    """Write a database anew."""
    mark("done kept 1:300000")
    with Store.open(db) as store:
        store.upkeep.give_all_back()
    mark("done kept 1:300000")


def opens(db: str, mark: Mark) -> None:
    """Take over a database of the original, or bring one of an earlier version to this one."""
    Store.open(db, notice=lambda line: mark(f"notice {line}")).close()
    mark("opened")


def backups(db: str, mark: Mark) -> None:
    """Copy a store twice, beside it."""
    for number in range(2):
        with Store.open(db) as store:
            put(store, mark, "kept", f"{number}:{LARGE}")
        assert run_command_line(["--db", db, "backup", "--force", f"{db}.backup"]) == 0
        mark(f"copied kept {number}:{LARGE}")


def imports(db: str, mark: Mark) -> None:
    """Take in a directory."""
    source = Path(db).parent.with_name("source")
    source.mkdir(exist_ok=True)
    for number in range(12):
        (source / f"file{number}").write_bytes(expand(f"{number}:{LARGE if number == 3 else 500}"))
        mark(f"began file{number} {number}:{LARGE if number == 3 else 500}")
    assert run_command_line(["--db", db, "import", str(source)]) == 0
    for number in range(12):
        mark(f"done file{number} {number}:{LARGE if number == 3 else 500}")


SCENARIOS: dict[str, Callable[[str, Mark], None]] = {
    "commands": commands,
    "beside a mount": beside_a_mount,
    "short mounts": short_mounts,
    "pushes": pushes,
    "pulls": pulls,
    "gives room back": gives_room_back,
    "rewrites": rewrites,
    "opens": opens,
    "backups": backups,
    "imports": imports,
}

CODE = "import sys\nfrom tests.fault.power_scenarios import run\nrun(*sys.argv[1:])"
