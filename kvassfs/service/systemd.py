"""Having systemd run services: their units are written, enabled and started, looked at, and removed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

from ..errors import ServiceError
from .units import MARK, Unit

USER_FOLDER: Final = "systemd/user"
"""Where the units of a user are, below the folder of configuration."""

SYSTEM_FOLDER: Final = "/etc/systemd/system"

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class State(NamedTuple):
    """How a service is, in the words of systemd; ``status`` is what it says of itself."""

    name: str
    active: str
    enabled: str
    status: str


def run_program(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program; return what it says."""
    return subprocess.run(  # noqa: S603  systemctl
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
    )


class Systemd:
    """The manager of the user's services or, with ``system``, of those of the system; ``folder`` is where units are.

    ``systemctl`` is that program's path, ``None`` if there is none.
    """

    def __init__(self, systemctl: str | None, folder: str, *, system: bool = False, run: Run = run_program) -> None:
        self._program = systemctl
        self._options = ["--system"] if system else ["--user"]
        self._folder = folder
        self._run = run
        self._remedy = (
            "be root" if system else "log in as this user, not with su or sudo; `--print` writes the unit without it"
        )

    def check(self) -> None:
        """Raise ServiceError if there is no manager that could be asked."""
        if self._program is None:
            raise ServiceError(
                "there is no systemctl here; `--print` writes the unit, and contrib/ has examples for runit and launchd"
            )
        done = self._call("show", "--property=Version")
        if done.returncode:
            raise ServiceError(f"systemd does not answer: {_last_line(done.stderr)}; {self._remedy}")

    def install(self, units: Sequence[Unit]) -> None:
        """Write units, and have the services in them run now and later.

        Raises:
            ServiceError: what systemd says, or a unit of the same name is not ours; nothing was written then.
        """
        self.check()
        for unit in units:
            if os.path.lexists(path := self._path(unit.name)) and not self._is_ours(unit.name):
                raise ServiceError(f"{path} was not written by kvass; move it away, or choose another --name")
        for unit in units:
            self._write(unit)
        services = [unit.name for unit in units if unit.name.endswith(".service")]
        others = [unit.name for unit in units if not unit.name.endswith(".service")]
        self._do("daemon-reload")
        self._do("enable", *services, *others)
        if others:  # a socket is not opened under a service that runs
            self._do("stop", *services)
            self._do("restart", *others)
        for service in services:
            self._start(service)

    def _start(self, service: str) -> None:
        done = self._call("restart", service)
        if done.returncode:
            log = " ".join(["journalctl", *self._options, "-n", "20", "-u", service])
            raise ServiceError(f"{service} is installed but does not start; look why with: {log}")

    def find_installed(self) -> list[str]:
        """Return the names of the units that we have written."""
        try:
            names = sorted(os.listdir(self._folder))
        except OSError:
            return []
        return [name for name in names if name.startswith("kvass-") and self._is_ours(name)]

    def find_states(self) -> list[State]:
        """Return how the services are that we have written."""
        return [self._find_state(name) for name in self.find_installed() if name.endswith(".service")]

    def is_active(self, name: str) -> bool:
        """Return whether a service runs."""
        return self._find_state(name).active.startswith("active")

    def _find_state(self, name: str) -> State:
        properties = ("ActiveState", "SubState", "UnitFileState", "StatusText")
        done = self._call("show", f"--property={','.join(properties)}", "--", name)
        if done.returncode:  # a path that is not UTF-8 is in no answer of systemd's
            return State(name, self._ask("is-active", name), self._ask("is-enabled", name), "")
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        active, sub, enabled, status = (found.get(each, "") for each in properties)
        return State(name, f"{active} ({sub})", enabled, status)

    def _ask(self, question: str, name: str) -> str:
        return self._call(question, "--", name).stdout.strip()

    def uninstall(self, names: Iterable[str]) -> list[str]:
        """Stop services, and remove their units; return the names of those.

        Raises:
            ServiceError: one is not there, or what systemd says.
        """
        self.check()
        installed = self.find_installed()
        chosen = [each for name in names for each in (name, name.replace(".service", ".socket")) if each in installed]
        if missing := set(names) - set(chosen):
            raise ServiceError(
                f"there is no {min(missing)} that kvass has installed; `kvass service status` lists them"
            )
        # The socket first: it would start the service again.
        for name in sorted(chosen, key=lambda name: name.endswith(".service")):
            self._do("disable", "--now", name)
        for name in chosen:
            with suppress(FileNotFoundError):
                os.unlink(self._path(name))
        self._do("daemon-reload")
        return chosen

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _is_ours(self, name: str) -> bool:
        try:
            with open(self._path(name), encoding="utf-8", errors="replace") as file:
                return file.readline().startswith(MARK)
        except OSError:
            return False

    def _write(self, unit: Unit) -> None:
        """Put a unit in its place in one step."""
        new = f"{self._path(unit.name)}.new"
        try:
            os.makedirs(self._folder, exist_ok=True)
            with open(new, "w", encoding="utf-8") as file:
                file.write(unit.text)
            os.chmod(new, 0o644)
            os.replace(new, self._path(unit.name))
        except OSError as error:
            with suppress(OSError):
                os.unlink(new)
            raise ServiceError(f"cannot write {self._path(unit.name)}: {(error.strerror or '').lower()}") from error

    def _do(self, *arguments: str) -> None:
        done = self._call(*arguments)
        if done.returncode:
            raise ServiceError(f"systemctl {' '.join(arguments)} failed: {_last_line(done.stderr)}")

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert self._program is not None
        try:
            return self._run([self._program, *self._options, *arguments])
        except OSError as error:
            raise ServiceError(f"cannot run {self._program}: {error.strerror}") from error


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].rstrip(".") if lines else "it says nothing"
