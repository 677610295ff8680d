"""``kvass sync``: exchange with the hub, once or all the time."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from .. import hub, streams
from ..database import DatabaseFile, pass_database
from ..formats import format_entry_count, format_size
from ..group import Command
from ..notices import explain_interrupt, print_notice
from ..progress import show_exchange
from ..status_text import list_conflicts, list_refused
from ..supervision import take_supervisor

if TYPE_CHECKING:
    from kvassfs.supervisor import Supervisor
    from kvassfs.sync import Progress
    from kvassfs.sync.follower import Follower


@click.command("sync", cls=Command, example="kvass sync")
@click.option("--follow", is_flag=True, help="stay, and keep the store in step with the hub, until an interrupt")
@pass_database
def command(database: DatabaseFile, follow: bool) -> None:
    """Exchange with the hub what it and this store have not yet of each other, and say what moved."""
    if follow:
        follow_hub(database)
    else:
        streams.write([f"{format_summary(exchange(database))}\n".encode()])


def exchange(database: DatabaseFile) -> Progress:
    """Pull and push once, with a progress bar where a person sees it.

    Raises:
        InvalidConfiguration: no hub is set.
        SyncError: the exchange failed; what is not acknowledged is pushed another time.
    """
    from kvassfs.sync.connection import open_synchroniser

    with (
        database.open_to_write(create=False) as store,
        explain_interrupt(lambda: "what has moved stays; `kvass sync` goes on with the rest"),
        show_exchange() as report,
        open_synchroniser(store, report, patient=True) as synchroniser,
    ):
        moved = synchroniser.exchange()
        hub.warn_of_clock(store)
        for line in list_conflicts(list(store.conflicts.open()), store.settings.names()):
            print_notice(line)
        for line in list_refused(store.sealed.refused()):
            print_notice(line)
        hub.tell_port(store, synchroniser)
        return moved


def format_summary(moved: Progress) -> str:
    """Return what moved, in words."""
    parts = (("pulled", moved.pulled, moved.received), ("pushed", moved.pushed, moved.sent))
    return ", ".join(
        f"{verb} {format_entry_count(number)} ({format_size(amount)})" for verb, number, amount in parts if number
    ) or ("in step: nothing to move")


def follow_hub(database: DatabaseFile) -> None:
    """Follow the hub until SIGTERM or SIGINT; standard error tells when it is in touch, and why when it is not.

    Raises:
        InvalidConfiguration: no hub is set.
    """
    from kvassfs.sync.connection import hub_address
    from kvassfs.sync.follower import Follower

    with database.open_to_write(create=False) as store:
        hub_address(store)

    supervisor = take_supervisor()

    def say(line: str) -> None:
        print_notice(line)
        supervisor.tell_status(line)

    follower = Follower(database.path, say=say, started=lambda: supervisor.tell_ready("following the hub"))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stop(follower, supervisor))
    follower.run()


def _stop(follower: Follower, supervisor: Supervisor) -> None:
    supervisor.tell_stopping()
    # In a thread: the signal may have come while this one holds a lock that stopping takes.
    threading.Thread(target=follower.stop, daemon=True).start()
