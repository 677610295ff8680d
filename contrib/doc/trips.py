#!/usr/bin/env python3
"""Count the rooms that four trips pass.

    .venv-test/bin/python contrib/doc/trips.py [CHECKOUT]

Runs a hub, a mount and commands of a checkout with every call traced, and prints for each trip the rooms that were
entered, the crossings (pairs of rooms of which one calls the other) and the turns back (calls of a room that does not
lie below the caller's). The command that started a process, and the log of requests, do not count.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import requests

FLOORS = (
    ("words", "entry", "errors", "block", "replica", "share_link", "share", "__init__"),
    ("store",),
    ("wire", "crypto"),  # rooms of commit 9ad019c, as are hub and follow
    ("remote",),
    ("sync", "sharing", "hub"),
    ("status", "follow"),
    ("mount", "server"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

TRACER = """
import os, sys, threading, time
log = os.open(os.environ["TRIPS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
roots = {os.environ["TRIPS_ROOT"] + "/kvassfs/": "kvassfs/", os.environ["TRIPS_ROOT"] + "/cli/": "cli/"}
names = {}
def name_of(code):
    path = code.co_filename
    if path not in names:
        real = os.path.realpath(path)
        names[path] = next((name + real[len(root):-3] for root, name in roots.items() if real.startswith(root)), "")
    return names[path]
def trace(frame, event, argument):
    name = name_of(frame.f_code)
    if event != "call" or not name:
        return
    stack = []
    while frame is not None:
        name = name_of(frame.f_code)
        if name and frame.f_code.co_name == "<module>" and frame.f_globals["__name__"] != "__main__":
            return  # while it is imported
        if name and stack[-1:] != [name]:
            stack.append(name)
        frame = frame.f_back
    thread = threading.current_thread().name.replace(" ", "-")
    os.write(log, f"{time.time()} {os.getpid()} {thread} {','.join(reversed(stack))}\\n".encode())
threading.setprofile(trace)
sys.setprofile(trace)
"""


class Call(NamedTuple):
    """A call: when, in which process and thread, and the modules on its stack."""

    time: float
    pid: int
    thread: str
    stack: list[str]


class Lab:
    """Stores, commands and processes of ``checkout`` below ``folder``, traced where that is asked for."""

    def __init__(self, checkout: Path, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        packages = folder / "packages"
        packages.mkdir()
        (packages / "kvassfs").symlink_to(checkout / "kvassfs")
        (packages / "kvassfs_cli").symlink_to(checkout / "cli")
        (folder / "trace").mkdir()
        (folder / "trace/sitecustomize.py").write_text(TRACER)
        self._plain = {**os.environ, "PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"}
        self._traced = {
            **self._plain,
            "PYTHONPATH": f"{packages}:{folder / 'trace'}",
            "TRIPS_LOG": str(self.log),
            "TRIPS_ROOT": str(checkout),
        }

    def run(self, store: str, *arguments: str, traced: bool = False) -> str:
        """Run a command to its end and return what it printed."""
        command = self._command(store, *arguments)
        environment = self._traced if traced else self._plain
        return subprocess.run(
            command, env=environment, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout

    @contextmanager
    def running(self, store: str, *arguments: str) -> Iterator[int]:
        """``with`` a traced process; ends it with SIGTERM."""
        command = self._command(store, *arguments)
        with subprocess.Popen(
            command, env=self._traced, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield process.pid
            finally:
                process.terminate()

    def _command(self, store: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "kvassfs_cli", "--db", str(self.folder / store), *arguments]

    def calls(self, begin: float, end: float) -> list[Call]:
        """Return the calls that began in this time."""
        found = []
        for line in self.log.read_text().splitlines():
            at, pid, thread, stack = line.split(" ")
            if begin <= float(at) <= end:
                found.append(Call(float(at), int(pid), thread, stack.split(",")))
        return found


def room_of(module: str) -> str:
    """Return the room of a module, which is given by its path."""
    top, *rest = module.split("/")
    return "cli" if top == "cli" else "words" if rest[0] in FLOORS[0] else rest[0]


def count(trip: str, calls: list[Call], *, is_command: bool = False) -> str:
    """Return a line with the numbers of a trip."""
    rooms: set[str] = set()
    crossings: set[tuple[str, str]] = set()
    for call in calls:
        stack = [room_of(module) for module in call.stack]
        while not is_command and stack[:1] == ["cli"]:
            del stack[0]
        if not stack or (not is_command and stack[-1] == "cli"):
            continue
        rooms.update(stack)
        if stack[-2:-1] not in ([], stack[-1:]):
            crossings.add((stack[-2], stack[-1]))
    back = sorted(f"{caller} to {room}" for caller, room in crossings if FLOOR[room] >= FLOOR[caller])
    return f"{trip:<16} rooms {len(rooms)}  crossings {len(crossings)}  turns back {len(back)}  {', '.join(back)}"


def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, for half a minute at most."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            sys.exit("it takes too long")
        time.sleep(0.05)


def answers(url: str) -> bool:
    """Return whether a hub answers."""
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def set_up(lab: Lab) -> str:
    """Make a hub's store and two devices; return the address of the hub."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    lab.run("hub", "set", "key", "value")
    lab.run("hub", "config", "url", f"http://{address}")
    key = lab.run("hub", "config", "show").split("\n")[0].split()[-1]
    for device in ("mounted", "other"):
        lab.run(device, "config", "key", key)
        lab.run(device, "config", "remote", address)
    lab.run("command", "set", "key", "value")
    return address


def trips(lab: Lab) -> Iterator[str]:
    """Make the trips; yield a line for each."""
    begin = time.time()
    lab.run("command", "set", "key", "another", traced=True)
    yield count("set", lab.calls(begin, time.time()), is_command=True)
    address = set_up(lab)
    mount = lab.folder / "mount"
    mount.mkdir()
    with lab.running("hub", "serve", "--bind", address) as hub:
        until(lambda: answers(f"http://{address}"))
        with lab.running("mounted", "mount", "--foreground", str(mount)) as mounted:
            until((mount / "key").exists)
            for value in ("first", "second"):  # the second time, everything is loaded
                time.sleep(3)
                begin = time.time()
                (mount / "file").write_text(value)
                end = time.time()
            calls = [call for call in lab.calls(begin, end) if (call.pid, call.thread) == (mounted, "MainThread")]
            yield count("save", calls)
            time.sleep(3)
            begin = time.time()
            lab.run("other", "set", "pulled", "value")
            until((mount / "pulled").exists)
            time.sleep(2.5)
            yield count("pull", lab.calls(begin, time.time()))
            (mount / "large").write_bytes(os.urandom(3_000_000))
            time.sleep(3)
        for trip, key in (("download", "file"), ("large download", "large")):
            url = lab.run("hub", "url", key).strip()
            for _ in range(2):
                time.sleep(0.5)
                begin = time.time()
                requests.get(url, timeout=5)
                end = time.time()
            yield count(trip, [call for call in lab.calls(begin, end + 0.2) if call.pid == hub and _shares(call)])


def _shares(call: Call) -> bool:
    """Whether a call is no work for devices, nor that of the commit watch."""
    rooms = {room_of(module) for module in call.stack}
    return rooms.isdisjoint({"sync", "hub"}) and call.thread not in {"kvassfs-changes", "kvassfs-commits"}


def main() -> None:
    """Print the numbers of this checkout, or of the one that is named."""
    checkout = Path(sys.argv[1] if sys.argv[1:] else __file__).resolve()
    checkout = checkout if checkout.is_dir() else checkout.parents[2]
    with tempfile.TemporaryDirectory() as folder:
        for line in trips(Lab(checkout, Path(folder))):
            print(line, flush=True)


if __name__ == "__main__":
    main()
