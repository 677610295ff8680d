"""Mounting a store on a directory and serving it, in the foreground or as a daemon."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from ..errors import KvassError
from ..kind import Kind
from ..scratch import ScratchNames
from ..store import MOUNT, Store
from ..store.commits import CommitThread
from ..store_errors import ReadOnlyStore, SealedHub
from ..supervisor import NOBODY, Supervisor
from . import daemon, mountpoint, requirements
from .announcing import Announcer
from .binding import Binding, Presentation, choose
from .call_process import CallProcess
from .dot_directory import Describe
from .errors import MountError, MountFailed
from .filesystem import Filesystem
from .housekeeping import Housekeeping
from .invalidation import Invalidation
from .own_calls import Expected, make_callbacks
from .sync_process import SyncProcess
from .watchdog import Watchdog

log = logging.getLogger(__name__)

COMMIT_PAUSE = 0.1
"""Seconds between two looks at what was committed: the mount's own commits, which are many, are noticed as well."""

LOG_FORMAT = "%(asctime)s kvass[%(process)d] %(levelname)s: %(message)s"


@dataclass(frozen=True)
class MountOptions:
    """What to mount where.

    Attributes:
        directory: where; empty, and not where the database is.
        database: path of the store, made if it is missing.
        create: make the directory if it is missing.
        foreground: serve in this process instead of a daemon.
        allow_other: let other users in, as far as the permissions of files let them.
        binding: "auto", "mfusepy" or "fusepy"; see ``binding``.
        flags: options of mount(8) that libfuse takes, such as "noexec".
        log: file that messages are added to; else they go to standard error in the foreground, or nowhere.
        texts: what returns the texts in the dot directory, by name.
    """

    directory: str
    database: str
    create: bool = False
    foreground: bool = False
    read_only: bool = False
    allow_other: bool = False
    binding: str = "auto"
    log: str | None = None
    flags: tuple[str, ...] = ()
    texts: Mapping[str, Describe] = field(default_factory=dict)


def mount(
    options: MountOptions, *, notice: Callable[[str], None] = lambda _: None, supervisor: Supervisor = NOBODY
) -> None:
    """Mount; return when the mount answers, or with ``foreground`` when it has ended.

    It ends when it is unmounted, or by SIGTERM, SIGINT or SIGHUP; what is open is saved then. ``notice`` is told in
    a line what the store has to say, and ``supervisor``, in the foreground, how the mount does. Raises a MountError, or a StoreError if the database cannot be opened.
    """
    options = replace(options, database=os.path.abspath(options.database))
    made = options.create and not os.path.lexists(options.directory)
    try:
        directory = mountpoint.prepare(options.directory, options.database, create=options.create)
        binding = choose(options.binding)
        requirements.check(binding.major)
        _check_store(options, notice)  # whatever is wrong with it is said here and now
        options = replace(options, directory=directory)
        with mountpoint.claim(directory) as claim:
            mountpoint.prepare(directory, options.database, claimed=True)  # another mount may have been there first
            if options.foreground:
                serve(options, binding, claim, supervisor=supervisor)
            else:
                daemon.detach(partial(serve, options, binding, claim))
                _await(directory)
    except KvassError:
        if made and os.path.isdir(options.directory) and not os.path.ismount(options.directory):
            os.rmdir(options.directory)
        raise


def _check_store(options: MountOptions, notice: Callable[[str], None]) -> None:
    """Open the store once, which makes it if it is missing.

    Raises:
        StoreError: it cannot be opened.
        ReadOnlyStore: it can only be read, and the mount is not to be read-only.
    """
    with Store.open(options.database, notice=notice) as store:
        if store.obstacle and not options.read_only:
            raise ReadOnlyStore(store.path, store.obstacle, "mount it with --read-only")
        if store.settings.kind() == Kind.HUB:
            raise SealedHub(store.path)
        if store.is_copy:  # each thread would make one
            remedy = "it is of an earlier version, so make a copy elsewhere with `kvass backup FILE`, and mount that with --db"
            raise ReadOnlyStore(store.path, store.obstacle, remedy)


def _await(directory: str) -> None:
    """Wait until the mount answers."""
    try:
        os.stat(directory)
    except OSError as error:
        raise MountFailed(directory, f"it does not answer: {error.strerror}") from error


def serve(
    options: MountOptions,
    binding: Binding,
    claim: ExitStack,
    ready: Callable[[], None] = lambda: None,
    supervisor: Supervisor = NOBODY,
) -> None:
    """Serve the mount until it ends on a directory that will do; the claim ends, and ``ready`` is called, once it is there."""
    _log_to(options)
    with Store.open(options.database, profile=MOUNT) as store, mountpoint.closed(options.directory, claim) as close:
        store.own_changes.caller = binding.caller
        service = _prepare(store, options, supervisor)
        standard_error = daemon.Captured()

        def started() -> None:
            standard_error.release()
            close()
            service.start()
            ready()

        try:
            binding.serve(
                make_callbacks(service.filesystem, binding.layout, service.expected, binding.caller),
                options.directory,
                _presentation(options),
                started=started,
                ended=service.end,
            )
        except MountFailed as error:
            mountpoint.check_empty(options.directory)  # libfuse 2 looks as well, and advises to hide what is there
            said = mountpoint.last_line(standard_error.release())
            raise MountFailed(options.directory, said or error.reason) from error
        finally:
            standard_error.release()


def _prepare(store: Store, options: MountOptions, supervisor: Supervisor) -> _Service:
    """Return what is to be served, once the store has what it needs for that."""
    with suppress(KvassError):  # nobody needs it but `kvass doctor`
        store.processes.note_mount_point(options.directory)
    service = _Service(store, options, supervisor)
    if not options.read_only:
        with suppress(KvassError):  # it is tried again by the next mount
            service.filesystem.publish_directories()
    return service


class _Service:
    """The file system that is mounted, and what runs beside it: threads, and the process that synchronises."""

    def __init__(self, store: Store, options: MountOptions, supervisor: Supervisor) -> None:
        self._directory = options.directory
        self._supervisor = supervisor
        self._watchdog = Watchdog(options.directory, supervisor)
        self.filesystem = Filesystem(
            store,
            scratch=ScratchNames(store.settings.scratch_patterns()),
            clock=time.time_ns,
            uid=os.geteuid(),
            gid=os.getegid(),
            read_only=options.read_only,
            texts=options.texts,
        )
        self.expected = Expected()
        self._call_process = CallProcess(options.directory, self.expected)
        self._sync_process = SyncProcess(store.path, options.directory)
        invalidation = Invalidation(
            store,
            announcer=None if options.read_only else self._make_announcer(options),
            is_open=self.filesystem.is_open,
            invalidate=self._call_process.invalidate,
            rename=self._call_process.rename,
            superseded=self.filesystem.superseded,
        )
        housekeeping = Housekeeping(
            store, use_scratch=self.filesystem.use_scratch, supervise=self._sync_process.supervise
        )
        commit_thread = CommitThread(store.path, invalidation.wake, housekeeping.wake, pause=COMMIT_PAUSE)
        self._threads = (invalidation, housekeeping, commit_thread)

    def _make_announcer(self, options: MountOptions) -> Announcer:
        # What other users watch, only root can see.
        sees_all = os.geteuid() == 0 or not options.allow_other
        return Announcer(self._call_process.announce, self._call_process.is_watched if sees_all else lambda: True)

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()
        self._watchdog.start()
        # The mount is in the kernel's table: who calls it now gets an answer a moment later.
        self._supervisor.tell_ready(f"mounted at {self._directory}")

    def end(self) -> None:
        """Save what is open, and end."""
        self._supervisor.tell_stopping()
        self._call_process.hang_up()
        self._watchdog.stop()
        for thread in reversed(self._threads):
            thread.stop()
        self._call_process.end()
        self.filesystem.close()
        self._sync_process.end()


def _presentation(options: MountOptions) -> Presentation:
    return Presentation(
        options.database, read_only=options.read_only, allow_other=options.allow_other, flags=options.flags
    )


def _log_to(options: MountOptions) -> None:
    """Send what this package logs where the options say."""
    handler: logging.Handler
    if options.log is not None:
        try:
            handler = logging.StreamHandler(open(options.log, "a", encoding="utf-8", opener=_private))  # noqa: SIM115
        except OSError as error:
            raise MountError(f"cannot write the log {options.log}: {error.strerror}") from error
    else:
        handler = logging.StreamHandler() if options.foreground else logging.NullHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logger = logging.getLogger("kvassfs")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
