"""kvassfs_cli.commands.edit and kvassfs_cli.editor"""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kvassfs.store import BLOCK_SIZE, Store
from kvassfs_cli import editor
from tests.support.near_hub import NearHub
from tests.support.processes import KVASS, is_running, unmeasured
from tests.support.stores import is_scratch, revision_values, save
from tests.support.waiting import find_within
from tests.unit.cli.conftest import Kvass, Processes

UseEditor = Callable[[str], None]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in memory."""
    directory = tmp_path / "memory"
    directory.mkdir()
    monkeypatch.setattr(editor, "IN_MEMORY", str(directory))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    return directory


@pytest.fixture
def use_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseEditor:
    """Make an editor that runs a script for the shell; $1 is the file."""

    def use(script: str) -> None:
        path = tmp_path / "the editor"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        monkeypatch.setenv("EDITOR", f"'{path}'")

    return use


def test_what_is_saved_is_set(kvass: Kvass, store: Store, use_editor: UseEditor, place: Path) -> None:
    save(store, "k", b"one\n", mode=stat.S_IFREG | 0o755)
    use_editor('echo two >> "$1"')
    assert kvass("edit", "k") == (0, b"", "")
    assert store.get("k").read() == b"one\ntwo\n"
    assert store.entry("k").mode == stat.S_IFREG | 0o755
    assert revision_values(store, "k") == [b"one\n"]
    assert list(place.iterdir()) == []


def test_a_large_value_goes_there_and_back(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    value = os.urandom(3 * BLOCK_SIZE)
    store.set("k", value)
    use_editor('printf x >> "$1"')
    assert kvass("edit", "k").status == 0
    assert store.get("k").read() == value + b"x"


def test_nothing_is_set_where_nothing_is_changed(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    store.set("k", b"value")
    before = store.entry("k")
    use_editor('touch "$1"')
    assert kvass("edit", "k") == (0, b"", "kvass: k is unchanged\n")
    assert store.entry("k") == before


@pytest.mark.parametrize("key", ["new", "a/b\n.md", "-x", "/"])
def test_a_new_key_is_made(kvass: Kvass, store: Store, use_editor: UseEditor, key: str) -> None:
    use_editor('test -e "$1" && echo text > "$1"')
    assert kvass("edit", "--", key) == (0, b"", "")
    assert store.get(key).read() == b"text\n"


@pytest.mark.parametrize("script", ["true", 'rm "$1"'])
def test_a_new_key_without_a_value_is_not_made(kvass: Kvass, store: Store, use_editor: UseEditor, script: str) -> None:
    use_editor(script)
    assert kvass("edit", "new") == (0, b"", "kvass: nothing was written; new is not made\n")
    assert list(store.keys()) == []


def test_what_is_emptied_is_an_empty_file(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    store.set("k", b"value")
    use_editor(': > "$1"')
    assert kvass("edit", "k") == (0, b"", "")
    assert (store.get("k").read(), revision_values(store, "k")) == (b"", [b"value"])


def test_a_file_that_is_replaced_counts(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    store.set("k", b"value")
    use_editor('echo new > "$1.new" && mv "$1.new" "$1"')
    assert kvass("edit", "k").status == 0
    assert store.get("k").read() == b"new\n"


def test_the_file_is_private_and_named_after_the_key(
    kvass: Kvass, store: Store, use_editor: UseEditor, place: Path
) -> None:
    store.set("notes/trip.md", b"value")
    use_editor('stat -c "%a %n" "$(dirname "$1")" "$1" > "$HOME/seen"')
    kvass("edit", "notes/trip.md")
    directory, file = (place.parent / "seen").read_text().splitlines()
    assert directory.startswith(f"700 {place}/kvass-edit-")
    assert file == f"600 {directory.removeprefix('700 ')}/trip.md"


@pytest.mark.parametrize(
    ("script", "how"), [("exit 3", "ended with status 3"), ("kill -9 $$", "was ended by signal 9")]
)
def test_an_editor_that_fails_sets_nothing(
    kvass: Kvass, store: Store, use_editor: UseEditor, place: Path, script: str, how: str
) -> None:
    store.set("k", b"value")
    use_editor(f'echo lost > "$1"; {script}')
    name = os.environ["EDITOR"]
    status, out, err = kvass("edit", "k")
    assert (status, out, err) == (1, b"", f"kvass: {name} {how}; nothing was set\n")
    assert store.get("k").read() == b"value"
    assert list(place.iterdir()) == []


def test_an_editor_that_is_missing_fails(kvass: Kvass, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/no/such/editor --wait")
    status, _, err = kvass("edit", "k")
    assert (status, err) == (1, "kvass: /no/such/editor --wait ended with status 127; nothing was set\n")


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [
        ({}, "vi"),
        ({"VISUAL": "", "EDITOR": ""}, "vi"),
        ({"EDITOR": "nano"}, "nano"),
        ({"EDITOR": "nano", "VISUAL": "code --wait"}, "code --wait"),
    ],
)
def test_visual_comes_before_editor(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], chosen: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert editor.choose_editor() == chosen


def test_a_change_made_meanwhile_is_kept_and_told(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    store.set("k", b"first")
    use_editor(f'echo mine > "$1"; {" ".join(KVASS)} set k other')
    said = (
        "kvass: k was changed meanwhile: it is as you saved it, and the other version is kept (`kvass log` shows it)\n"
    )
    assert kvass("edit", "k") == (0, b"", said)
    assert store.get("k").read() == b"mine\n"
    assert revision_values(store, "k") == [b"other\n", b"first"]


def test_so_is_one_that_another_device_made(
    kvass: Kvass, store: Store, hub: NearHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.store.set("k", b"first")

    def edit(_editor: str, path: str, _signals: editor.Signals) -> None:
        assert Path(path).read_bytes() == b"first"
        hub.store.set("k", b"other")
        Path(path).write_bytes(b"mine")

    monkeypatch.setattr("kvassfs_cli.commands.edit.run_editor", edit)
    status, _, err = kvass("edit", "k")
    assert (status, err.split(":")[1]) == (0, " k was changed meanwhile")
    assert store.get("k").read() == hub.store.get("k").read() == b"mine"
    assert revision_values(store, "k")[0] == b"other"


def test_a_key_that_was_removed_meanwhile_is_there_again_with_its_mode(
    kvass: Kvass, store: Store, use_editor: UseEditor
) -> None:
    save(store, "k", b"first", mode=stat.S_IFREG | 0o755)
    use_editor(f'echo mine > "$1"; {" ".join(KVASS)} rm k')
    said = "kvass: k was removed meanwhile, and is there again as you saved it\n"
    assert kvass("edit", "k") == (0, b"", said)
    assert store.entry("k").mode == stat.S_IFREG | 0o755


def test_what_cannot_be_set_stays_in_the_file(kvass: Kvass, store: Store, use_editor: UseEditor, place: Path) -> None:
    store.set("k", b"first")
    use_editor(f'echo mine > "$1"; mv "{store.path}" "{store.path}.away"; mkdir "{store.path}"')
    status, out, err = kvass("edit", "k")
    (directory,) = place.iterdir()
    assert (status, out) == (1, b"")
    assert err.startswith("kvass: cannot open the database ")
    assert err.endswith(f"; what you wrote is in {directory}/k\n")
    assert (directory / "k").read_text() == "mine\n"


def test_what_is_no_value_is_refused(kvass: Kvass, store: Store, use_editor: UseEditor) -> None:
    store.set("d/k", b"value")
    store.tree.directories.make("e/", 0o40700, is_scratch=is_scratch)
    save(store, "link", b"target", mode=stat.S_IFLNK | 0o777)
    use_editor("exit 9")
    assert kvass("edit", "d") == (1, b"", "kvass: d/ is a directory; `kvass ls` lists what is in it\n")
    assert kvass("edit", "e/").status == 1
    said = "kvass: link is a symbolic link; edit what it leads to, or set it anew with `kvass set`\n"
    assert kvass("edit", "link") == (1, b"", said)
    assert kvass("edit", "").status == 1


def read_number(path: Path) -> int:
    """Return the number that a file holds, 0 while it holds none."""
    text = path.read_text().strip() if path.exists() else ""
    return int(text or 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_editor_and_removes_the_file(
    processes: Processes, store: Store, use_editor: UseEditor, number: signal.Signals, tmp_path: Path
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(0o700)
    store.set("k", b"value")
    use_editor('echo half > "$1"; echo $$ > "$HOME/pid"; exec sleep 60')
    environment = {**unmeasured(), "XDG_RUNTIME_DIR": str(runtime)}
    with processes.running("edit", "k", env=environment) as process:
        find_within(20, lambda: read_number(tmp_path / "pid"), what="the editor runs")
        assert len([path for path in runtime.iterdir() if path.name.startswith("kvass-edit-")]) == 1
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert err.decode() == f"kvass: ended by {number.name}; nothing was set\n"
    assert [path for path in runtime.iterdir() if path.name.startswith("kvass-edit-")] == []
    assert store.get("k").read() == b"value"
    assert not is_running(read_number(tmp_path / "pid"))


def test_a_signal_while_the_editor_is_started_ends_it_all_the_same(
    use_editor: UseEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def start(command: list[str]) -> subprocess.Popen[bytes]:
        started.append(real(command))
        os.kill(os.getpid(), signal.SIGTERM)
        return started[-1]

    use_editor("exec sleep 60")
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(editor.EditingEnded) as ended, editor.ended_by_signals() as signals:
        editor.run_editor(editor.choose_editor(), "/dev/null", signals)
    assert ended.value.exit_code == 128 + signal.SIGTERM
    assert [process.returncode for process in started] == [-signal.SIGTERM]


def test_a_second_signal_does_not_disturb_what_the_first_one_ends() -> None:
    signals = editor.Signals()
    with pytest.raises(editor._Ended):
        signals.receive(signal.SIGHUP)
    signals.receive(signal.SIGTERM)


def test_an_interrupt_is_the_editors(processes: Processes, store: Store, use_editor: UseEditor, tmp_path: Path) -> None:
    store.set("k", b"value")
    use_editor('trap "echo mine > \\"$1\\"; exit 0" INT; echo > "$HOME/ready"; while :; do sleep 0.1; done')
    with processes.running("edit", "k", env=unmeasured(), start_new_session=True) as process:
        find_within(20, (tmp_path / "ready").exists, what="the editor runs")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert store.get("k").read() == b"mine\n"


def test_an_editor_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(editor, "PATIENCE", 0.1)
    with subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]) as process:
        try:
            find_within(20, lambda: ignores(process.pid, signal.SIGTERM), what="it runs")
            editor._end(process, signal.SIGTERM)
            assert process.wait(20) == -signal.SIGKILL
        finally:
            process.kill()


def ignores(pid: int, number: signal.Signals) -> bool:
    """Return whether a process ignores a signal, whatever others it ignores."""
    (mask,) = re.findall(r"^SigIgn:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return bool(int(mask, 16) >> number - 1 & 1)


def test_without_a_directory_in_memory_there_is_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(editor, "IN_MEMORY", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with editor.private_file("k") as file:
        assert Path(file.path).parents[1] == tmp_path
        file.write([b"value"])
        assert list(file.read()) == [b"value"]
    assert not Path(file.path).parent.exists()


def test_without_any_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(editor, "IN_MEMORY", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(editor.FileUnusable, match=r"to edit in: No such file or directory$"), editor.private_file("k"):
        pass


def test_a_full_directory_is_said(tmp_path: Path) -> None:
    file = editor.PrivateFile(b"/dev/full")
    with pytest.raises(editor.FileUnusable, match="cannot use /dev/full to edit in: No space left on device"):
        file.write([b"value"])
