"""kvassfs_cli.shells: a line is completed level by level in real shells"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.service.units import MARK
from kvassfs.store import Store
from kvassfs_cli import shells
from kvassfs_cli.commands import service
from kvassfs_cli.formats import format_local_time
from kvassfs_cli.main import COMMANDS, kvass
from kvassfs_cli.process import COMPLETION
from tests.support.commands import all_commands
from tests.support.processes import unmeasured
from tests.support.programs import environment
from tests.support.terminal import See, Terminal, Type, press

COMPLETIONS = Path(__file__).parents[3] / "contrib" / "completions"
SETTINGS = {
    "bash": (".bashrc", f"PS1='ready> '\n. '{COMPLETIONS}/kvass'\n"),
    "zsh": (".zshrc", f"PS1='ready> '\nfpath=('{COMPLETIONS}' $fpath)\nautoload -U compinit\ncompinit -u\n"),
    "fish": (
        ".config/fish/config.fish",
        f"function fish_prompt; echo -n 'ready> '; end\nset fish_greeting\nsource '{COMPLETIONS}/kvass.fish'\n",
    ),
}


@contextmanager
def interactive(shell: str, store: Store, home: Path) -> Iterator[Terminal]:
    """``with`` a shell at its prompt, in which ``kvass`` is completed and works on ``store``."""
    assert shutil.which(shell) is not None, f"{shell} is missing: contrib/test installs it"
    name, settings = SETTINGS[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(settings)
    # Without it, fish reads all manual pages of the system at its first start.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables = {**unmeasured(), **environment(home, PATH=path, KVASS_DB=store.path)}
    with Terminal((shell, "-i"), environment=variables, directory=home) as terminal:
        terminal.wait_for("ready>")
        yield terminal
        terminal.play([press("C-c"), Type("exit"), press("Enter")])
        terminal.wait_for_end()


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_directory_is_completed_without_a_space_and_a_key_with_one(shell: str, store: Store, tmp_path: Path) -> None:
    for key in ("docs/drafts/a", "docs/drafts/b", "docs/plan", "zeta"):
        store.set(key, b"value")
    with interactive(shell, store, tmp_path) as terminal:
        terminal.play(
            [
                Type("kvass get d"),
                press("Tab"),
                See("get docs/"),
                Type("p"),
                press("Tab"),
                See("get docs/plan"),
                Type("X"),
                See("get docs/plan X"),
                press("C-u"),
            ]
        )


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_removed_key_its_version_and_a_prefix_are_completed(shell: str, store: Store, tmp_path: Path) -> None:
    for key, value in (("gone/key", b"it was\n"), ("secrets/word", b"hidden\n"), ("secret", b"value")):
        store.set(key, value)
    store.delete("gone/key")
    with interactive(shell, store, tmp_path) as terminal:
        terminal.play([Type("kvass restore g"), press("Tab"), See("restore gone/"), Type("k"), press("Tab")])
        terminal.play([See("restore gone/key"), Type("--rev "), press("Tab"), See("--rev 1"), press("Enter")])
        terminal.play([Type("kvass exec --env s"), press("Tab"), See("--env secrets/"), Type(" -- printenv WORD")])
        terminal.play([press("Enter"), See("hidden\n")])
    assert store.get("gone/key").read() == b"it was\n"


SPECIAL = {
    "back\\slash": ["'back"],
    "two words": [r"two\ w", '"two w', "'two w", 'tw"o w'],
    "it's": ["it", "\"it'", "'it"],
    "co:lon": ["co:", '"co:'],
    "a=b=c": ["a=", "'a="],
    "x@y": ["x@"],
    'say "$HOME" !': ["say", '"say', r'"say \"'],
    "pa th/k": [r"pa\ th/", "'pa th/"],
    "{a,b}": ["'{"],
    "(par);&|<>`": ["'("],
    "#hash": ["'#", r"\#"],
    "line\nbreak": ["line", "'line"],
    "esc\x1b[31m": ["esc"],
    "no\xa0break": ["no", '"no'],
    "é猫": ["é"],
    "~til": ["'~", r"\~t"],
}
"""Keys that a shell takes apart or cannot show, and beginnings of them as people write these."""

ALONE = {
    "bash": {"\ttab": ["$'\\t"], "*?[x]": ["'*", r"\*"]},
    "zsh": {"\ttab": ["$'\\t"], "*?[x]": ["'*", r"\*"]},
    "fish": {},
}
"""Keys that fish alone does not complete: what is said of a word stands behind a tab, and it expands every wildcard."""


@pytest.mark.parametrize("shell", SETTINGS)
def test_a_key_is_completed_however_it_is_written(shell: str, store: Store, tmp_path: Path) -> None:
    keys = SPECIAL | ALONE[shell]
    for number, key in enumerate(keys):
        store.set(key, b"value %d\n" % number)
    with interactive(shell, store, tmp_path) as terminal:
        for number, beginnings in enumerate(keys.values()):
            for beginning in beginnings:
                terminal.play([Type(f"kvass get {beginning}"), See(f"kvass get {beginning}"), press("Tab", "Enter")])
                terminal.play([See(f"value {number}\n"), Type("clear"), press("Enter")])
                terminal.wait_until(lambda screen: "value" not in screen)


@pytest.mark.parametrize(
    ("line", "replaced", "completions"),
    [
        ("kvass get co", "co", "plain,co:lon"),
        ("kvass get co:", "", "plain,lon"),
        ("kvass get x@", "@", "plain,@y"),
        ("kvass qr --terminal=pl", "pl", "plain,plain"),
        ("kvass qr --terminal=pl", "--terminal=pl", "plain,--terminal=plain"),
        ("kvass qr --terminal pl", "pl", "plain,plain"),
        ("kvass --db=/tmp/x", "/tmp/x", "file,/tmp/x"),
    ],
)
def test_what_takes_the_place_of_a_part_of_a_word(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    line: str,
    replaced: str,
    completions: str,
) -> None:
    for key in ("co:lon", "x@y"):
        store.set(key, b"value")
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_REPLACED", replaced)
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") == 0
    assert capfd.readouterr().out.split() == [completions]


def test_an_odd_environment_completes_to_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"COMP_LINE": "kvass get k", "COMP_REPLACED": "k", "KVASS_OFFLINE": "odd"}.items():
        monkeypatch.setenv(name, value)
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") in (0, 1)
    monkeypatch.setenv("COMP_LINE", "kvass mount \udcff")
    monkeypatch.setenv("COMP_REPLACED", "\udcff")
    assert shells.complete(kvass, "kvass", COMPLETION, "zsh_complete") == 1
    assert capfd.readouterr() == ("", "")
    assert shells.complete(kvass, "kvass", COMPLETION, "bash_complete") == 0
    assert capfd.readouterr() == ("dir,$'\\377'\n", "")


def test_no_function_for_an_unknown_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert shells.complete(kvass, "kvass", COMPLETION, "tcsh_source") == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("shell", "file"), [("bash", "kvass"), ("zsh", "_kvass"), ("fish", "kvass.fish")])
def test_the_files_that_are_installed_are_what_the_command_prints(shell: str, file: str) -> None:
    assert (COMPLETIONS / file).read_text() == shells.script(kvass, "kvass", COMPLETION, shell)


def words_offered(line: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what zsh is given for a line: the words, and what is said of each."""
    monkeypatch.setenv("COMP_LINE", line)
    assert shells.complete(kvass, "kvass", COMPLETION, "zsh_complete") == 0
    fields = capfd.readouterr().out.split("\0")
    return dict(zip(fields[1::3], fields[2::3], strict=False))


def test_every_command_is_offered_with_what_it_is_for(
    database: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert words_offered("kvass ", monkeypatch, capfd) == COMMANDS


@pytest.mark.parametrize("path", sorted(all_commands()))
def test_every_option_of_every_command_is_offered_with_what_it_does(
    database: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], path: str
) -> None:
    context = all_commands()[path]
    options = [each for each in context.command.get_params(context) if isinstance(each, click.Option)]
    expected = {name: option.help for option in options for name in option.opts if name.startswith("--")}
    assert words_offered(f"{path} --", monkeypatch, capfd) == expected
    assert all(expected.values())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kvass unl", ["unlink"]),
        ("X=1 Y='a b' kvass un", ["undo", "unlink"]),
        ("kvass config k", ["key"]),
        ("kvass help co", ["config", "completion"]),
        ("kvass help config scratch a", ["add"]),
        ("kvass help get ", []),
        ("kvass help nope ", []),
        ("kvass nope --d", ["--db"]),
        ("kvass completion ", ["bash", "zsh", "fish"]),
        ("kvass qr --terminal=p", ["--terminal=plain"]),
        ("kvass config scratch remove .Tr", [".Trash", ".Trash-[0-9]*", ".Trashes"]),
        ("kvass get -- -", ["-dash"]),
        ("kvass get ~/", ["{home}/key"]),
        (r"kvass get \~/", ["~/key"]),
        ("kvass rm em", ["empty/"]),
        ("kvass get em", []),
    ],
)
def test_what_is_offered(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    line: str,
    words: list[str],
) -> None:
    for key in ("-dash", f"{tmp_path}/key", "~/key"):
        store.set(key, b"value")
    store.tree.directories.make("empty/", 0o40755, is_scratch=lambda _: False)
    assert list(words_offered(line, monkeypatch, capfd)) == [word.format(home=tmp_path) for word in words]


OFFERED = [
    ("kvass get ", ["docs/", "secrets/", "shared"]),
    ("kvass get --rev 1 ", ["docs/", "gone/"]),
    ("kvass get docs/plan --rev ", ["2", "1"]),
    ("kvass get docs/plan --rev=", ["--rev=2", "--rev=1"]),
    ("kvass get --rev ", []),
    ("kvass restore ", ["docs/", "gone/"]),
    ("kvass restore gone/", ["gone/key"]),
    ("kvass restore gone/key --rev ", ["1"]),
    ("kvass diff d", ["docs/"]),
    ("kvass diff docs/plan ", ["2", "1"]),
    ("kvass diff docs/plan 1 2", ["2"]),
    ("kvass log ", ["docs/", "secrets/", "shared", "gone/"]),
    ("kvass log gone/", ["gone/key"]),
    ("kvass log --forget ", ["docs/"]),
    ("kvass log --forget docs/", ["docs/two"]),
    ("kvass mv docs/", ["docs/plan", "docs/two"]),
    ("kvass cp docs/two em", ["empty/"]),
    ("kvass edit docs/p", ["docs/plan"]),
    ("kvass grep pattern docs/t", ["docs/two"]),
    ("kvass watch e", ["empty/"]),
    ("kvass exec --env ", ["docs/", "secrets/"]),
    ("kvass exec --env secrets/", []),
    ("kvass exec --env=se", ["--env=secrets/"]),
    ("kvass links ", ["shared"]),
    ("kvass unlink ", ["shared"]),
    ("kvass ls --sort ", ["name", "time", "size"]),
    ("kvass service un", ["uninstall"]),
    ("kvass service install ", ["mount", "sync", "serve"]),
    ("kvass service uninstall ", ["mount", "serve"]),
    ("kvass service uninstall --system mo", []),
    ("kvass config re", ["remote", "rekey"]),
]


@pytest.mark.parametrize(("line", "words"), OFFERED)
def test_versions_prefixes_links_and_services_are_offered(
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    line: str,
    words: list[str],
) -> None:
    for key, value in (("docs/plan", b"1"), ("docs/plan", b"2"), ("docs/two", b"1"), ("gone/key", b"1")):
        store.set(key, value)
    for key in ("shared", "secrets/key"):
        store.set(key, b"value")
    store.delete("gone/key")
    lost = Entry("docs/two", 5, 5, 4711, "T" * 22, 5, seen="")
    store.inbox.merge_pushed([Delivery(lost, lost.size, b"there")])
    store.share_links.create("shared")
    store.tree.directories.make("empty/", 0o40755, is_scratch=lambda _: False)
    units = tmp_path / ".config/systemd/user"
    units.mkdir(parents=True)
    monkeypatch.setattr(service, "SYSTEM_FOLDER", str(tmp_path / "none"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in ("kvass-mount.service", "kvass-serve.service", "kvass-serve.socket"):
        (units / name).write_text(f"{MARK}\n")
    (units / "kvass-other.service").write_text("not ours\n")
    assert list(words_offered(line, monkeypatch, capfd)) == words


def test_of_a_version_it_is_said_from_when_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store.set("k", b"value")
    said = words_offered("kvass diff k ", monkeypatch, capfd)
    assert said == {"1": format_local_time(store.entry("k").timestamp)}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("kvass mount /m", "dir"),
        ("kvass service install mount /m", "dir"),
        ("kvass exec --env a -- ./m", "file"),
        ("kvass exec --env a -- program /m", "file"),
        ("kvass watch a -- ./m", "file"),
        ("kvass watch -- ./m", "file"),
        ("kvass set k --file /m", "file"),
    ],
)
def test_files_and_directories_are_left_to_the_shell(
    database: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], line: str, kind: str
) -> None:
    monkeypatch.setenv("COMP_LINE", line)
    assert shells.complete(kvass, "kvass", COMPLETION, "zsh_complete") == 0
    assert capfd.readouterr().out.split("\0")[:2] == [kind, line.rpartition(" ")[2]]


def test_fish_keeps_the_tilde_with_which_a_path_is_begun(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    store.set(f"{tmp_path}/key", b"value")
    monkeypatch.setenv("COMP_LINE", "kvass get ~/k")
    assert shells.complete(kvass, "kvass", COMPLETION, "fish_complete") == 0
    assert capfd.readouterr().out == "plain,~/key\0"
