"""What starting `kvass` costs: it loads what the command needs and no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kvassfs.store import Store

HEAVY = {
    "asyncio", "cryptography", "ctypes", "fuse", "getpass", "http", "importlib.metadata", "logging", "mfusepy",
    "multiprocessing", "pathlib", "qrcode", "requests", "socket", "ssl", "starlette", "subprocess", "tempfile",
    "urllib", "urllib3", "uvicorn",
}  # fmt: skip
ELSEWHERE = {
    "click.shell_completion", "click.testing", "kvassfs.sync.seal", "kvassfs.sync.follower", "kvassfs.sync.hub", "kvassfs.mount",
    "kvassfs.remote", "kvassfs.server", "kvassfs.sync", "kvassfs.sync.messages", "kvassfs_cli.commands.config", "kvassfs_cli.commands.mount",
    "kvassfs_cli.commands.serve", "kvassfs_cli.commands.status", "kvassfs_cli.commands.sync",
}  # fmt: skip

PROBE = "import sys; from kvassfs_cli.main import run; run(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"


def modules_after(*arguments: str) -> set[str]:
    # -S, -I: what the environment's .pth files and this test's coverage bring along is not ours.
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True, input="value"
    )
    return set(done.stderr.split())


COMMANDS = ["get k", "set k v", "set k", "ls", "ls -l", "rm k", "", "-h"]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_on_keys_load_click_and_the_store_alone(store: Store, database: Path, command: str) -> None:
    store.set("k", b"value")
    assert_light(command)


@pytest.mark.parametrize("command", COMMANDS)
def test_offline_they_load_no_more_where_there_is_a_hub(
    store: Store, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    store.set("k", b"value")
    store.settings.set_remote("hub.example")
    monkeypatch.setenv("KVASS_OFFLINE", "1")
    assert_light(command)


def test_get_loads_no_more_while_another_process_is_in_touch_with_the_hub(store: Store) -> None:
    store.set("k", b"value")
    store.settings.set_remote("hub.example")
    store.processes.follow("")
    store.processes.note_contact()
    assert_light("get k")


def assert_light(command: str) -> None:
    bare = modules_after_nothing()
    loaded = modules_after(*command.split()) - bare
    assert loaded & (HEAVY | ELSEWHERE) == set()
    third_party = {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert third_party <= {"click", "kvassfs", "kvassfs_cli"}


def modules_after_nothing() -> set[str]:
    """Return what Python loads by itself: the environment's .pth files and the measuring of coverage among it."""
    command = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_cheat_sheet_opens_no_store(database: Path) -> None:
    assert "kvassfs.store" not in modules_after()
    assert not database.exists()
