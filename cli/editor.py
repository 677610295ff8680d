"""The editor of the user, and a file for it that nobody else reads and that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import FrameType

from kvassfs.errors import KvassError

from . import streams
from .occasions import is_own_directory
from .process import core_dumps
from .running import describe_status

DEFAULT = "vi"
"""The editor that POSIX requires of a system."""

IN_MEMORY = "/dev/shm"  # noqa: S108  the directory made in it is the user's alone

PATIENCE = 5.0
"""Seconds that an editor is given to end in, after a signal."""

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_OF_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
"""Those of keys at the terminal, which are the editor's while it runs."""


class EditorFailed(KvassError):
    """The editor ended with a failure, so what it wrote is not used."""

    def __init__(self, editor: str, status: int) -> None:
        super().__init__(f"{editor} {describe_status(status)}; nothing was set")
        self.editor = editor
        self.status = status


class EditingEnded(KvassError):
    """A signal ended the editing."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}; nothing was set")
        self.exit_code = 128 + number


class FileUnusable(KvassError):
    """The file to edit at ``path`` cannot be made."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot use {path} to edit in: {reason}")
        self.path = path
        self.reason = reason


def choose_editor() -> str:
    """Return the command of the editor, as a shell reads it."""
    return os.environ.get("VISUAL") or os.environ.get("EDITOR") or DEFAULT


class PrivateFile:
    """A file in a directory of its own; ``keep`` leaves it there at the end."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self.kept = False

    @property
    def path(self) -> str:
        """Where it is."""
        return os.fsdecode(self._path)

    def keep(self) -> str:
        """Have the file stay, and return where it is."""
        self.kept = True
        return self.path

    def write(self, chunks: Iterable[bytes]) -> None:
        """Make the file, readable by its owner alone.

        Raises:
            FileUnusable
        """
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "wb") as file:
                file.writelines(chunks)
        except OSError as error:
            raise FileUnusable(self.path, error.strerror or str(error)) from error

    def read(self) -> Iterator[bytes]:
        """Yield what is in the file, a piece at a time; nothing where the editor has removed it.

        Raises:
            FileUnreadable
        """
        if not os.path.lexists(self._path):
            return
        with self.open() as stream:
            while piece := stream.read(1 << 18):
                yield piece

    def open(self) -> AbstractContextManager[streams.Input]:
        """``with`` what is in the file; raises ``FileUnreadable``."""
        return streams.input_file(self.path)


@contextmanager
def private_file(name: str) -> Iterator[PrivateFile]:
    """``with`` a file of this name in a new directory, in memory if the system has any; both are gone afterwards.

    Raises:
        FileUnusable: there is no place for a directory.
    """
    directory = _make_directory()
    file = PrivateFile(os.path.join(os.fsencode(directory), name.encode()))
    try:
        yield file
    finally:
        if not file.kept:
            shutil.rmtree(directory, ignore_errors=True)


def _make_directory() -> str:
    for place in (os.environ.get("XDG_RUNTIME_DIR", ""), IN_MEMORY):
        if place == IN_MEMORY or is_own_directory(place):
            with suppress(OSError):
                return tempfile.mkdtemp(prefix="kvass-edit-", dir=place)
    try:
        return tempfile.mkdtemp(prefix="kvass-edit-")
    except OSError as error:
        raise FileUnusable(error.filename or "/tmp", error.strerror or str(error)) from error  # noqa: S108  as a name


class _Ended(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


class Signals:
    """Has the first signal that comes raise an error; the others come too late to matter."""

    def __init__(self) -> None:
        self._is_held = False
        self._pending = 0
        self._has_raised = False

    def receive(self, number: int, _frame: FrameType | None = None) -> None:
        """Take a signal: the handler of each."""
        if self._is_held:
            self._pending = self._pending or number
        elif not self._has_raised:
            self._has_raised = True
            raise _Ended(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """``with`` a block that no signal leaves halfway; one that came raises its error at the end."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
        if self._pending:
            self.receive(self._pending)


@contextmanager
def ended_by_signals() -> Iterator[Signals]:
    """``with`` a block that signals leave by an error, so that what it cleans up is cleaned up.

    Raises:
        EditingEnded
    """
    signals = Signals()
    wanted = [number for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, signals.receive) for number in wanted}
    try:
        yield signals
    except _Ended as ended:
        raise EditingEnded(ended.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_editor(editor: str, path: str, signals: Signals) -> None:
    """Have the user edit the file at ``path``.

    Raises:
        EditorFailed
    """
    before = {number: signal.signal(number, lambda *_: None) for number in _OF_TERMINAL}
    try:
        status = _run(editor, path, signals)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if status:
        raise EditorFailed(editor, status)


def _run(editor: str, path: str, signals: Signals) -> int:
    # The variable may have options and quotes, as in "code --wait". The editor, not the shell, is to get signals.
    command = ["/bin/sh", "-c", f'exec {editor} "$@"', "kvass", path]
    process = None
    try:
        with signals.held(), core_dumps():  # the former, or it would be started, and nobody knew it
            process = subprocess.Popen(command)  # noqa: S603  the user's own choice
        return process.wait()
    except _Ended as ended:
        if process is not None:
            _end(process, ended.number)
        raise


def _end(process: subprocess.Popen[bytes], number: int) -> None:
    process.send_signal(number)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
