"""The examples of the help, the manual and the README do what they show: each is run as it stands.

An example works in a home of its own, with a store that holds the keys which examples name, and a hub at the loopback that
is reached under the names that they give it. One that cannot be run stands in `NOT_RUN` with the reason, one that stays
until it is interrupted in `STAYS`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from tests.support import certificates
from tests.support.examples import all_scripts
from tests.support.mounts import force_unmount, is_in_table
from tests.support.processes import HERE, end_process, start_logged, start_server, unmeasured
from tests.support.programs import TIMEOUT, environment
from tests.support.waiting import PATIENCE, find_within, wait_until

SCRIPTS = {script.source: script for script in all_scripts()}

NOT_RUN = {
    **dict.fromkeys(
        (
            "kvass config sealed on",
            "kvass config sealed on --yes",
            "kvass config access-key | ssh you@yourserver.com kvass --db sealed.sqlite config key -",
            "kvass fetch 'https://example.org/open#TOKEN.KEY' report.pdf",
            'echo "$ADDRESS" | kvass fetch --force - report.pdf',
            "kvass config sealed on          # on a device of yours: makes a new key, which no hub ever gets, and prints what to do next",
            "kvass config access-key         # prints what the hub gets instead",
            "kvass --db ~/sealed.sqlite config key        # asks for the key; type or paste what access-key printed",
            "kvass --db ~/sealed.sqlite serve",
        ),
        "tests/unit/cli/commands has sealed stores: what follows here needs a hub that can read this one",
    ),
    "ssh you@yourserver.com kvass serve                # stays; `kvass service` starts it by itself": (
        "the hub that it would be runs already"
    ),
    "kvass log --forget notes/plan.txt         # or leave it at that": "it is in place of the line before; the help has it",
    "sudo kvass service install serve --system": "it would change the machine: a user, /etc, /var/lib",
    "sudo kvass service uninstall --system": "it would remove what is installed on the machine",
    **dict.fromkeys(
        (
            "kvass serve --database postgresql:///kvass --bind 127.0.0.1:8000",
            "kvass serve --database postgresql:///kvass --processes 4 --metrics 127.0.0.1:9100 --log-format json",
            "kvass serve --database postgresql:///kvass --blocks s3://kvass/blocks --blocks-endpoint https://s3.example.com",
            "kvass hub add family --database postgresql:///kvass --url https://hub.example.com",
            "kvass hub list --database postgresql:///kvass",
            "kvass hub remove family --yes --database postgresql:///kvass",
            "kvass hub quota family --mb 5000 --keys 100000 --requests 50 --database postgresql:///kvass",
            "kvass hub import ~/.kvassdb.sqlite family --database postgresql:///kvass",
            "kvass hub export family family.sqlite --database postgresql:///kvass",
            "kvass hub export family family.sqlite --blocks s3://kvass/blocks --blocks-endpoint https://s3.example.com --database postgresql:///kvass",
            "kvass hub restored --database postgresql:///kvass",
            "kvass claim https://hub.example.com/s/family#hv5s-2nqk-7gte-x6lp-3mwa-4c2y",
        ),
        "tests/many/test_commands.py runs it, on a PostgreSQL of its own",
    ),
}
"""Lines that are left out, and why."""

STAYS = {
    "kvass mount --foreground ~/kvass",
    "kvass mount --allow-other --foreground ~/kvass",
    "kvass serve --bind :8000",
    "kvass serve --quiet --max-body 64 --body-memory 16 --per-address 0 --bind 127.0.0.1:8000",
    "kvass serve --no-app --bind 127.0.0.1:8000",
    "kvass serve --tls-cert server.pem --tls-key server.key",
    "kvass sync --follow",
    "kvass watch",
    "kvass watch notes/ -- sh -c 'notify-send \"$KVASS_EVENT $KVASS_KEY\"'",
    "kvass watch --offline -0 notes/",
    "kvass pair",
    "kvass pair --phone",
    "ssh you@yourserver.com kvass pair",
}
"""Lines that stay: they are ended once they do what they are for."""

NEEDS_ROOT = {
    "kvass mount --allow-other --foreground ~/kvass": "elsewhere it takes `user_allow_other` in /etc/fuse.conf"
}

BEFORE = {
    "kvass umount ~/kvass": ["kvass mount ~/kvass"],
    "kvass mount ~/kvass": ["kvass rm -r notes/"],
    "kvass backup kvass-backup.sqlite # while all goes on; and later, to put it back:": ["kvass mount ~/kvass"],
    "kvass service uninstall mount": ["kvass service install mount"],
}
"""What is done before the script that begins with a line: there is something to end, or nothing in the way."""

LOST = Entry("notes/plan.txt", 5, 5, 4711, "T" * 22, 5, seen="")
"""A version of another device that is in a conflict with what is here."""

KEYS = {
    "todo": (b"buy milk\n",),
    "hello": (b"world\n",),
    "notes/idea": (b"a value\n",),
    "notes/todo.md": (b"# To-do\n",),
    "notes/trip.md": (b"# Trip\n", b"# Trip to the sea\n"),
    "notes/plan.txt": (b"1\n", b"1\n2\n", b"1\n2\n3\n", b"all is lost\n"),
    "drafts/letter": (b"Dear all\n",),
    "config/app/port": (b"8080\n",),
    "secrets/app/db-url": (b"postgres://here\n",),
    "logo.png": (b"\x89PNG\r\n\x1a\n",),
    "report.pdf": (b"%PDF-1.7\n",),
    "password": (b"secret\n",),
}
"""What examples find in the store: the versions of each key."""

FILES = {
    "src/project/file": "text\n",
    "notes/file": "text\n",
    "backups/README": "",
    ".password-store/mail.gpg": "secret\n",
    "cat.jpg": "a picture\n",
    "app": '#!/bin/sh\ntest "$DB_URL" = postgres://here\n',
    ".local/share/bash-completion/completions/README": "",
}
"""What examples find in the home directory."""

PROGRAMS = {
    "kvass": f'exec "{sys.executable}" -m kvassfs_cli "$@"',
    "ssh": 'shift; KVASS_DB=$HOME/server.sqlite exec "$@"',
    "vi": 'echo written >> "$1"',
    "vim": 'echo written >> "$1"',
    "nano": 'echo written >> "$1"',
    "meld": 'cat "$1" "$2"',
    "notify-send": 'echo "$1"',
    "gpg": "cat",
    "skate": 'test "$1" = list && echo name || echo value',
    "systemctl": """case "$*" in *"show --property=ActiveState"*) echo ActiveState=active ;; esac""",
}
"""Programs that stand in for those that need a person, another machine or a service manager."""

CODE = "7-purple-lamp"
"""The code in examples of pairing."""

JOINS_EMPTY = "kvass join (?!--merge)"
"""How a device joins that has no keys."""


class Home:
    """A home directory in which examples are run."""

    def __init__(self, folder: Path, hub: str, key: bytes) -> None:
        self.folder = folder
        self._hub = hub
        self._key = key
        programs = folder / "programs"
        programs.mkdir()
        for name, script in PROGRAMS.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        variables = environment(folder, PATH=f"{programs}{os.pathsep}{os.environ['PATH']}")
        self.environment = {**unmeasured(), **variables}
        self.environment.pop("KVASS_DB", None)

    def fill(self) -> None:
        """Make what examples find: keys, links, files."""
        with Store.open(self.folder / ".kvassdb.sqlite") as store:
            store.settings.set_scratch_patterns(None)
            for key, values in KEYS.items():
                for value in values:
                    store.set(key, value)
            store.inbox.merge_pushed([Delivery(LOST, LOST.size, b"there")])
            store.share_links.create("report.pdf")
            if self._hub:
                store.settings.set_encryption_key(self._key)
                store.settings.set_remote(self._hub)
            else:
                store.settings.set_public_url("http://hub.example:8000")
        for path, text in FILES.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_text(text)
            (self.folder / path).chmod(0o755)
        (self.folder / "key.txt").write_text(f"{self._key.hex()}\n")
        made = certificates.make(self.folder / "certificates")
        made.certificate.rename(self.folder / "server.pem")
        made.key.rename(self.folder / "server.key")

    def run(self, lines: list[str]) -> None:
        """Run lines one after another, as one types them; each must succeed."""
        text = "\n".join(("set -e -o pipefail", *map(self._placed, lines)))
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment,
            input=f"{self._key.hex()}\n".encode(),
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout.decode(errors='replace')}{done.stderr.decode()}"

    def run_for_a_while(self, line: str) -> None:
        """Run a line that stays until it says something or has mounted, and then end it."""
        with self.running(line) as log:

            def has_done_something() -> bool:
                if line.startswith("kvass watch"):
                    self._change_a_key()
                return log.stat().st_size > 0 or is_in_table(self.folder / "kvass")

            wait_until(has_done_something, what=f"{line} does something")

    def join(self, line: str) -> None:
        """Run a line that joins, while a device at the hub waits for it."""
        with self.running("ssh you@yourserver.com kvass pair") as log:
            code = find_within(PATIENCE, lambda: re.search(r"kvass join \S+ (\S+)", log.read_text()), what="a code")
            self.run([line.replace(CODE, code[1])])
            wait_until(lambda: "has joined" in log.read_text(), what="the other device knows of it")

    @contextmanager
    def running(self, line: str) -> Iterator[Path]:
        """``with`` the log of a line that stays; it is ended behind that, and must not have failed."""
        log = self.folder / "log"
        command = ["bash", "-c", f"cd {self.folder}; exec {self._placed(line)}"]
        process = start_logged(command, log, self.environment)
        try:
            yield log
        finally:
            end_process(process)
        assert process.returncode in {0, -15}, log.read_text()

    def _change_a_key(self) -> None:
        with Store.open(self.folder / ".kvassdb.sqlite") as store:
            store.set("notes/now", str(time.time_ns()).encode())

    def _placed(self, line: str) -> str:
        """Return the line with the addresses that there are here; nothing listens elsewhere than on the loopback."""
        line = re.sub(r"(yourserver\.com|server|hub|old\.example\.org):8000", self._hub, line)
        if "kvass service" in line:
            return line
        line = re.sub(r"--bind \S+", "", line)
        return line.replace("kvass serve", f"kvass serve --bind {HERE}:0")


@contextmanager
def prepared(folder: Path, *, with_hub: bool) -> Iterator[Home]:
    """``with`` a home directory that is still empty; what is mounted there in the end is taken away."""
    folder.mkdir()
    if with_hub:
        database = folder / "server.sqlite"
        with Store.open(database) as store:
            key = store.settings.config().encryption_key
        command = [sys.executable, "-m", "kvassfs_cli", "--db", str(database), "serve", "--bind", f"{HERE}:0"]
        process, port = start_server(command, folder / "server.log")
        home = Home(folder, f"{HERE}:{port}", key)
    else:
        process, home = None, Home(folder, "", bytes(32))
    try:
        yield home
    finally:
        if is_in_table(folder / "kvass"):
            force_unmount(folder / "kvass")
        if process is not None:
            end_process(process)


@pytest.mark.parametrize("source", SCRIPTS)
def test_an_example_does_what_it_shows(source: str, tmp_path: Path) -> None:
    excused = NOT_RUN if os.getuid() == 0 else NOT_RUN | NEEDS_ROOT
    lines = [line for line in SCRIPTS[source].lines if line not in excused]
    text = "\n".join(lines)
    with prepared(tmp_path / "home", with_hub=bool(re.search(r"\b(sync|ssh|remote|pair|join)\b", text))) as home:
        if not re.search(JOINS_EMPTY, text):
            home.fill()
        for part in parts_of([*(BEFORE.get(lines[0], ()) if lines else ()), *lines]):
            if part[0] in STAYS:
                home.run_for_a_while(part[0])
            elif CODE in part[0]:
                home.join(part[0])
            else:
                home.run(part)


def parts_of(lines: list[str]) -> Iterator[list[str]]:
    """Yield lines that are run together, and each one that stays by itself."""
    part: list[str] = []
    for line in lines:
        if line in STAYS or CODE in line:
            yield from filter(None, (part, [line]))
            part = []
        else:
            part.append(line)
    yield from filter(None, (part,))


def test_what_is_said_of_examples_is_said_of_ones_that_there_are() -> None:
    lines = {line for script in SCRIPTS.values() for line in script.lines}
    assert (NOT_RUN.keys() | STAYS | NEEDS_ROOT.keys() | BEFORE.keys()) - lines == set()
    assert all(NOT_RUN.values())


def test_an_example_that_fails_is_seen(tmp_path: Path) -> None:
    with prepared(tmp_path / "home", with_hub=False) as home:
        home.fill()
        with pytest.raises(AssertionError, match="no such key: nothing"):
            home.run(["kvass get nothing", "kvass ls"])
