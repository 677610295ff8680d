"""Two homes without anything, paired and mounted by what is printed alone, in real terminals"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kvassfs.pairing.errors import WrongCode
from kvassfs.pairing.words import WORDS
from tests.mounted.test_qr_terminal import DARK, LIGHT, Theme, picture, read
from tests.support.node import run_module
from tests.support.processes import KVASS
from tests.support.terminal import Terminal, press
from tests.support.waiting import find_within

PROMPT = "next command>"

JOIN = Path(__file__).parents[1] / "unit/cli/commands/join_as_page.mjs"


def environment_of(home: Path) -> dict[str, str]:
    """Return the environment of a shell in a home directory, whose `kvass` is this one."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("KVASS_", "COLUMNS", "LINES"))}
    return {
        **ours,
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "PS1": f"{PROMPT} ",
        "XDG_RUNTIME_DIR": "",
        "LC_ALL": "C.UTF-8",
    }


class Home:
    """A home directory of its own, and a shell in a terminal."""

    def __init__(self, path: Path, ending: ExitStack, columns: int = 200, rows: int = 40) -> None:
        self.path = path
        path.mkdir()
        bin_directory = path / "bin"
        bin_directory.mkdir()
        script = bin_directory / "kvass"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(KVASS)} "$@"\n')
        script.chmod(0o755)
        self.terminal = ending.enter_context(
            Terminal(["sh"], environment=environment_of(path), directory=path, columns=columns, rows=rows)
        )
        self.terminal.wait_for(PROMPT)

    def type(self, line: str) -> None:
        self.terminal._tmux("send-keys", "-l", "--", line)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        self.terminal.play([press(*keys)])

    def find(self, pattern: str) -> re.Match[str]:
        """Return what the screen shows, once it does."""
        self.terminal.wait_until(lambda screen: re.search(pattern, screen) is not None, pattern)
        found = re.search(pattern, self.terminal.screen())
        assert found is not None
        return found

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-u", "-z", str(self.path / "kvass")], capture_output=True, check=False)


@contextmanager
def homes(directory: Path) -> Iterator[tuple[Home, Home, Home]]:
    """``with`` a machine that serves, with a second terminal, and another machine."""
    with ExitStack() as ending:
        serving = Home(directory / "server", ending)
        second = Home(directory / "second", ending)
        second.type(f"HOME={serving.path}")
        other = Home(directory / "laptop", ending)
        ending.callback(other.unmount)
        yield serving, second, other
        serving.press("C-c")


def serve(home: Home) -> str:
    """Serve as the first device would, but on the loopback; return the address."""
    home.type("kvass serve --bind 127.0.0.1:0")
    address = home.find(r"serving \S+ on http://(127\.0\.0\.1:\d+)")[1]
    home.find("no device has joined yet: `kvass pair` in another terminal here")
    return address


def pair(home: Home) -> str:
    home.type("kvass pair")
    return home.find(r"(kvass join \S+ \d+-\w+-\w+)\n")[1]


def test_two_homes_are_paired_and_mounted_by_what_is_printed_alone(tmp_path: Path) -> None:
    with homes(tmp_path) as (serving, second, other):
        serve(serving)
        second.type("kvass set hello 'from the hub'")
        other.type(pair(second))
        other.find(r"joined \S+; this device is called \S+")
        other.find(r"Show the keys as files in ~/kvass\? \[Y/n\]:")
        other.press("Enter")
        second.find(r"\n\S+ has joined\n")
        note = tmp_path / "laptop/kvass/hello"
        find_within(20, note.exists, what="the mount")
        assert note.read_text() == "from the hub\n"
        note.with_name("reply").write_text("from the laptop\n")
        second.type("clear; while ! kvass get reply 2>/dev/null; do sleep 0.1; done")
        second.find("from the laptop")
        other.type("kvass umount ~/kvass; echo ended $?")
        other.find("ended 0")


@pytest.mark.parametrize(("options", "rows"), [("", 25), (" --phone", 24)])
@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_a_phone_joins_by_what_a_terminal_shows(tmp_path: Path, options: str, rows: int, theme: Theme) -> None:
    with ExitStack() as ending:
        serving = Home(tmp_path / "server", ending)
        serving.type("kvass config url https://hub.example")
        address = serve(serving)
        second = Home(tmp_path / "second", ending, columns=80, rows=rows)
        second.type(f"export HOME={serving.path}; clear")
        second.type(f"kvass pair{options}")
        second.find(r"(?:.*█.*\n){19}\n*\Z")
        screen = second.terminal.screen()
        assert options or re.search(r"kvass join https://hub\.example \d+-\w+-\w+\n", screen), screen
        picture(second.terminal.coloured_screen(), theme).save(tmp_path / "screen.png")
        page, _, fragment = read(tmp_path / "screen.png").partition("#")
        assert page == "https://hub.example/app/"
        assert run_module(JOIN, f"http://{address}/app/", fragment)["result"]["name"]
        second.find(r"\nphone has joined\n")
        serving.press("C-c")


def test_where_the_line_would_be_out_of_sight_nothing_is_drawn(tmp_path: Path) -> None:
    with ExitStack() as ending:
        serving = Home(tmp_path / "server", ending)
        serving.type("kvass config url https://hub.example")
        serve(serving)
        low = Home(tmp_path / "low", ending, columns=80, rows=22)
        low.type(f"export HOME={serving.path}; clear")
        low.type("kvass pair")
        low.find(r"On a phone, type the code at https://hub\.example/app/ \(`kvass pair --phone` draw")
        assert "█" not in low.terminal.screen()
        low.press("C-c")
        serving.press("C-c")


@pytest.mark.parametrize("typed", ["n", "C-c"])
def test_who_wants_no_mount_has_joined_nonetheless(tmp_path: Path, typed: str) -> None:
    with homes(tmp_path) as (serving, second, other):
        serve(serving)
        other.type(f"{pair(second)}; echo status $?")
        other.find(r"Show the keys as files in ~/kvass\?")
        other.press(*((typed,) if typed == "C-c" else (typed, "Enter")))
        if typed == "n":
            other.find("status 0")
        other.type("clear; kvass sync; echo status $?")
        other.find("in step: nothing to move\nstatus 0")
        assert not (tmp_path / "laptop/kvass").exists()


def test_a_wrong_code_is_one_line_in_both_terminals(tmp_path: Path) -> None:
    with homes(tmp_path) as (serving, second, other):
        serve(serving)
        line = pair(second)
        *_, first, last = line.split("-")
        wrong = next(word for word in WORDS if word not in {first, last})
        other.type(f"{line.removesuffix(last)}{wrong}; echo status $?")
        other.find("status 3")
        said = " ".join(other.terminal.screen().split())
        assert " ".join(str(WrongCode(joining=True)).split())[:60] in said
        second.find("somebody has tried a wrong code")


def test_at_a_terminal_the_code_is_asked_for(tmp_path: Path) -> None:
    with homes(tmp_path) as (serving, second, other):
        serve(serving)
        *line, code = pair(second).split()
        other.type(" ".join(line))
        other.find("Code:")
        other.type(code.replace("-", " "))
        other.find(r"Show the keys as files in ~/kvass\?")
        second.find("has joined")


def test_where_the_picture_does_not_fit_the_line_is_printed_alone(tmp_path: Path) -> None:
    with ExitStack() as ending:
        serving = Home(tmp_path / "server", ending)
        serve(serving)
        narrow = Home(tmp_path / "narrow", ending, columns=35)
        narrow.type(f"clear; export HOME={serving.path}")
        narrow.type("kvass pair")
        narrow.find("kvass join")
        assert "█" not in narrow.terminal.screen()
        narrow.press("C-c")
        narrow.type("echo status $?")
        narrow.find("status 130")
        serving.press("C-c")
