"""``kvass watch``: tell what becomes of keys as it happens."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from kvassfs.errors import KvassError
from kvassfs.store import Store
from kvassfs.tools.watching import Change, Watch

from .. import streams
from ..arguments import complete_prefix, parse_text
from ..completions import complete_file
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import escape_controls, print_notice
from ..offline import offline_option
from ..process import core_dumps
from ..running import cannot_run, describe_status

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

KEY, EVENT = "KVASS_KEY", "KVASS_EVENT"
"""The variables that tell a command of a change."""

END_TIME = 5.0
"""Seconds that following the hub is given to end in."""

_COMMAND, _BEHIND = "kvassfs.watch.command", "kvassfs.watch.behind"


class WatchCommand(Command):
    """A command whose line goes on, behind ``--``, with another one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what is before ``--``; the rest is in ``meta`` of the context."""
        own, ctx.meta[_COMMAND] = split_arguments(args)
        ctx.meta[_BEHIND] = "--" in args
        return super().parse_args(ctx, own)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Offer options, or behind ``--`` files."""
        if ctx.meta[_BEHIND]:
            return complete_file(ctx, self.params[0], incomplete)
        return super().shell_complete(ctx, incomplete)


def complete_watched(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer prefixes, or behind ``--`` files."""
    return (complete_file if context.meta[_BEHIND] else complete_prefix)(context, parameter, incomplete)


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of ``watch`` itself, and those of the command behind ``--``.

    No command begins with a dash; behind ``--`` that is a prefix, and another ``--`` may follow it.
    """
    if "--" not in arguments:
        return list(arguments), []
    at = arguments.index("--")
    own, rest = list(arguments[:at]), list(arguments[at + 1 :])
    if rest and rest[0].startswith("-") and rest[0] != "--":
        return [*own, "--", rest[0]], rest[1:][rest[1:2] == ["--"] :]
    return own, rest


@click.command(
    "watch",
    cls=WatchCommand,
    options_metavar="[OPTIONS]",
    example="""
kvass watch
kvass watch notes/ -- sh -c 'notify-send "$KVASS_EVENT $KVASS_KEY"'
""",
)
@click.argument(
    "prefix", metavar="[PREFIX] [-- COMMAND...]", default="", type=parse_text, shell_complete=complete_watched
)
@click.option("-0", "--null", is_flag=True, help="end lines with NUL, for keys that hold newlines (xargs -0)")
@offline_option
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, prefix: str, null: bool, offline: bool) -> None:
    """Print a line for each change of a key, local or of another device, until an interrupt: what happened, and the key.

    That is created, changed or removed. With COMMAND, run that for each change instead, one after the other; it finds the
    key in KVASS_KEY and what happened in KVASS_EVENT.
    """
    arguments = context.meta[_COMMAND]
    if arguments and null:
        raise click.UsageError("--null goes with no COMMAND.")
    with open_store(database) as store, closing(Watch(store, prefix)) as watch:
        watching = Watching(store, watch, offline=offline)
        with watching.until_signal():
            changes = watch.changes(watching.goes_on)
            if arguments:
                run_for_each(arguments, changes, watching)
            else:
                streams.write(format_change(change, null=null) for change in changes)


def open_store(database: DatabaseFile) -> Store:
    """Open the store for as long as it takes, so not alone on a full disk."""
    return Store.open(database.path, notice=print_notice, create=False)


class Watching:
    """Goes on until a signal, and sees to it that somebody follows the hub meanwhile."""

    def __init__(self, store: Store, watch: Watch, *, offline: bool) -> None:
        self._store = store
        self._watch = watch
        self._offline = offline
        self._stopped = False
        self._following: Following | None = None

    def goes_on(self) -> bool:
        """Return whether no signal has come; follow the hub if there is one that nobody follows."""
        if self._following is None and not self._stopped and not self._offline and self._is_alone():
            self._following = Following(self._store.path)
        return not self._stopped

    def _is_alone(self) -> bool:
        return bool(self._store.settings.config().remote) and not self._store.processes.followers()

    @property
    def stopped(self) -> bool:
        """Whether a signal has come."""
        return self._stopped

    @contextmanager
    def until_signal(self) -> Iterator[None]:
        """``with`` a block in which SIGTERM and SIGINT stop the watching."""

        def stop(*_: object) -> None:
            self._stopped = True
            self._watch.wake()

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            if self._following is not None:
                self._following.stop()


class Following:
    """Follows the hub in a thread, as ``kvass sync --follow`` does."""

    def __init__(self, path: str) -> None:
        from kvassfs.sync.follower import Follower

        self._follower = Follower(path, say=print_notice)
        self._thread = threading.Thread(target=self._run, name="kvassfs-follow", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._follower.run()
        except KvassError as error:
            print_notice(f"warning: the hub is not followed: {error}")

    def stop(self) -> None:
        """Push what was written last if that can be, and end."""
        self._follower.stop()
        self._thread.join(END_TIME)


def format_change(change: Change, *, null: bool) -> bytes:
    """Return the line that tells of a change."""
    key = change.key if null or not streams.output_is_terminal() else escape_controls(change.key)
    return f"{change.event.value} {key}".encode() + (b"\0" if null else b"\n")


def run_for_each(arguments: Sequence[str], changes: Iterator[Change], watching: Watching) -> None:
    """Run a command for each change; that one of them fails is said, and the next one is run.

    Raises:
        CannotRun
    """
    for change in changes:
        if watching.stopped:
            return
        status = run(arguments, change)
        if status and not watching.stopped:
            print_notice(f"{arguments[0]}: {describe_status(status)} ({change.event.value} {change.key})")


def run(arguments: Sequence[str], change: Change) -> int:
    """Run a command for a change and return its exit status, negative for a signal.

    Raises:
        CannotRun
    """
    told = {KEY.encode(): change.key.encode(), EVENT.encode(): change.event.value.encode()}
    try:
        with core_dumps():
            return subprocess.run(arguments, env=os.environb | told, check=False).returncode  # noqa: S603  the user's own
    except OSError as error:
        raise cannot_run(arguments, error) from error
