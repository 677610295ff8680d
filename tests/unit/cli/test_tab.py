"""kvassfs_cli.tab: what it offers by itself is what click would offer."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvassfs.store import Store
from kvassfs_cli import shells, start, tab
from kvassfs_cli.main import kvass as root
from kvassfs_cli.process import COMPLETION
from kvassfs_cli.tab_words import WORDS
from tests.support.processes import KVASS
from tests.support.tab_words import write_words

KEYS = (
    "docs/plan",
    "docs/draft",
    "a=b",
    "co:lon",
    "two words",
    "it's",
    "é猫",
    "tab\tkey",
    "line\nbreak",
    "@at",
    "zeta",
    "a b/c",
)

PARTS = [
    *("ls", "get", "set", "rm", "mv", "log", "grep", "undo", "exec", "config", "scratch", "add", "show", "service", "install", "help"),
    *("-l", "-V", "-h", "--help", "--force", "--offline", "--yes", "-r", "--long", "--rev", "--rev=", "--db", "--db=", "--db=/none", "--"),
    *("-", "--o", "--sort", "-lr", "=", "--x=y", "d", "docs/", "docs/p", "a=", "co:", "@", "é", "two", "l", "none", "1", "X=1", "~/", "'"),
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with keys that shells have trouble with, and an empty directory."""
    path = tmp_path_factory.mktemp("tab") / "db.sqlite"
    with Store.open(path) as store:
        for key in KEYS:
            store.set(key, b"value")
        store.tree.directories.make("empty/", 0o40755, is_scratch=lambda _: False)
    return path


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """``with`` these variables, as hypothesis cannot have a fixture for each example."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def offer_at_once(instruction: str) -> str | None:
    asked = tab.read(instruction, os.environ)
    offers = None if asked is None else start.find_offers(asked, os.environ)
    return None if asked is None or offers is None else tab.format_offers(asked, offers)


def offer_by_click(shell: str) -> str:
    return str(shells.SHELLS[shell](root, {}, "kvass", COMPLETION).complete())


@given(
    shell=st.sampled_from(sorted(shells.SHELLS)),
    parts=st.lists(st.sampled_from(PARTS), max_size=5),
    end=st.sampled_from(["", " ", "  "]),
    cut=st.integers(0, 12),
)
@example(shell="bash", parts=["get", "a=b"], end="", cut=1)
@example(shell="bash", parts=["get", "co:l"], end="", cut=2)
@example(shell="zsh", parts=["="], end="", cut=1)
def test_a_line_is_completed_as_by_click_or_left_to_it(
    filled: Path, shell: str, parts: list[str], end: str, cut: int
) -> None:
    line = " ".join(["kvass", *parts]) + end
    with environment(KVASS_DB=str(filled), COMP_LINE=line, COMP_REPLACED=line[max(len(line) - cut, 5) :]):
        found = offer_at_once(f"{shell}_complete")
        assert found is None or found == offer_by_click(shell)


def test_the_words_are_those_of_the_commands() -> None:
    assert write_words() == WORDS, "type: python -m tests.support.tab_words"


@pytest.mark.parametrize("shell", sorted(shells.SHELLS))
@pytest.mark.parametrize(
    "line",
    [
        *("kvass", "kvass ", "kvass ge", "kvass --d", "kvass --db /x ge", "kvass -V s", "kvass config ", "kvass service install m"),
        *("kvass get --", "kvass ls -", "kvass ls -l --", "kvass config scratch add --", "kvass undo ", "kvass undo x "),
        *("kvass get ", "kvass get d", "kvass get docs/", "kvass get --force docs/p", "kvass get none", "kvass get a b"),
        *("kvass rm ", "kvass rm zeta e", "kvass mv docs/plan ", "kvass ls e", "kvass get docs/plan ", "kvass set é", "kvass get a="),
        *("kvass get t", "kvass get l", "kvass get i"),
    ],
)  # fmt: skip
def test_a_plain_line_is_completed_at_once(filled: Path, shell: str, line: str) -> None:
    with environment(KVASS_DB=str(filled), COMP_LINE=line, COMP_REPLACED=line.rpartition(" ")[2]):
        assert offer_at_once(f"{shell}_complete") == offer_by_click(shell)


@pytest.mark.parametrize(
    "line",
    [
        *("kvass get 'd", 'kvass get "d', "kvass get \\d", "kvass get ~/", " kvass get d", "X=1 kvass get d", "kvass get \udcff"),
        *("kvass nope ", "kvass get --rev ", "kvass get --rev=1", "kvass get --rev 1 d", "kvass ls --sort ", "kvass ls -lh d"),
        *("kvass --db ", "kvass --db= get d", "kvass get -- d", "kvass get =", "kvass exec ", "kvass log ", "kvass help "),
        *("kvass get --x=", "kvass --db --db ", "kvass set key ", "kvass config nope "),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_left_to_click(line: str) -> None:
    assert tab.read("zsh_complete", {"COMP_LINE": line}) is None


def test_so_is_what_no_function_of_a_shell_asks_for() -> None:
    assert tab.read("tcsh_complete", {"COMP_LINE": "kvass "}) is None
    assert tab.read("bash_source", {"COMP_LINE": "kvass ", "COMP_REPLACED": ""}) is None
    assert tab.read("bash_complete", {"COMP_LINE": "kvass "}) is None
    assert tab.read("zsh_complete", {}) is None


# As processes


def completed(line: str, instruction: str = "zsh_complete", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Have a process complete a line; say on standard error whether it has loaded click."""
    probe = (
        "import sys, os; end = os._exit\n"
        "os._exit = lambda status: (print('click' in sys.modules, file=sys.stderr, flush=True), end(status))\n"
        "from kvassfs_cli.start import main; main()"
    )
    given = {COMPLETION: instruction, "COMP_LINE": line, **variables}
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, check=False, env={**os.environ, **given})


@pytest.mark.parametrize(
    ("line", "loads_click"),
    [("kvass get d", False), ("kvass conf", False), ("kvass get --f", False), ("kvass log d", True)],
)
def test_tab_loads_click_where_it_must(filled: Path, line: str, loads_click: bool) -> None:
    done = completed(line, KVASS_DB=str(filled))
    assert (done.returncode, done.stderr) == (0, f"{loads_click}\n".encode())
    with environment(KVASS_DB=str(filled), COMP_LINE=line):
        assert done.stdout.decode() == offer_by_click("zsh")


@pytest.mark.parametrize("name", ["missing.sqlite", "text", "relative"])
def test_a_database_that_is_no_plain_one_is_left_to_click(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("no database")
    path = name if name == "relative" else str(tmp_path / name)
    done = completed("kvass get d", KVASS_DB=path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"True\n")


def test_a_database_that_cannot_be_read_is_left_to_click(filled: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    content = bytearray(filled.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    damaged.write_bytes(content)
    damaged.chmod(0o600)
    assert completed("kvass get d", KVASS_DB=str(damaged)).stderr == b"True\n"


@pytest.mark.parametrize("variables", [{"KVASS_OFFLINE": "1"}])
def test_an_environment_that_is_not_plain_is_left_to_click(filled: Path, variables: dict[str, str]) -> None:
    assert completed("kvass get d", KVASS_DB=str(filled), **variables).stderr == b"True\n"


def test_a_shell_that_does_not_read_any_more_is_no_error(filled: Path) -> None:
    given = {COMPLETION: "zsh_complete", "COMP_LINE": "kvass ", "KVASS_DB": str(filled)}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(KVASS, stdout=writer, stderr=subprocess.PIPE, check=False, env={**os.environ, **given})
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (-2, b"")
