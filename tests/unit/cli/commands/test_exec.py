"""kvassfs_cli.commands.exec"""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.tools.variables import LONGEST
from tests.unit.cli.conftest import Kvass, Processes


@pytest.fixture
def app(store: Store) -> Store:
    store.set("app/db-url", b"sqlite://\xff\n")
    store.set("app/token", b"secret\n")
    store.set("common/token", b"common\n")
    store.set("common/region", b"north\n")
    return store


@pytest.mark.usefixtures("app")
def test_values_are_in_the_environment_of_the_command(processes: Processes) -> None:
    script = 'printf "%s|%s|%s" "$DB_URL" "$TOKEN" "$HOME"'
    status, out, err = processes.run("exec", "--env", "app", "--", "sh", "-c", script)
    assert (status, err) == (0, "")
    assert out.startswith(b"sqlite://\xff|secret|/")


@pytest.mark.usefixtures("app")
def test_of_several_prefixes_the_last_counts(processes: Processes) -> None:
    script = 'echo "$TOKEN $REGION"'
    run = processes.run
    assert run("exec", "--env", "common", "--env=app/", "sh", "-c", script).out == b"secret north\n"
    assert run("exec", "--env", "app", "--env", "common", "sh", "-c", script).out == b"common north\n"


@pytest.mark.usefixtures("app")
def test_what_follows_the_command_is_its_own(processes: Processes) -> None:
    assert processes.run("exec", "--env", "app", "printf", "%s ", "--env", "-x", b"\xff").out == b"--env -x \xff "
    assert processes.run("exec", "--env", "app", "cat", stdin=b"input").out == b"input"


@pytest.mark.parametrize("status", [0, 1, 42])
@pytest.mark.usefixtures("app")
def test_the_exit_status_is_that_of_the_command(processes: Processes, status: int) -> None:
    assert processes.run("exec", "--env", "app", "sh", "-c", f"exit {status}") == (status, b"", "")


@pytest.mark.usefixtures("app")
def test_the_command_takes_the_place_of_this_process_with_usual_signals(processes: Processes) -> None:
    ignored = "grep SigIgn /proc/$$/status; echo $$"
    with processes.start("exec", "--env", "app", "sh", "-c", ignored) as process:
        out, _ = process.communicate()
    mask, pid = out.split()[1:]
    assert int(pid) == process.pid
    assert not int(mask, 16) & (1 << (signal.SIGPIPE - 1))
    assert processes.run("exec", "--env", "app", "sh", "-c", "kill -TERM $$").status == -signal.SIGTERM


@pytest.mark.usefixtures("app")
def test_it_inherits_no_file_of_the_store(processes: Processes) -> None:
    status, out, _ = processes.run("exec", "--env", "app", "sh", "-c", "ls -l /proc/$$/fd")
    assert (status, b" 2 -> " in out, b"sqlite" in out) == (0, True, False)


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [("no-such-command", 127, "No such file or directory"), ("./here", 126, "Permission denied")],
)
@pytest.mark.usefixtures("app")
def test_a_command_that_cannot_be_run_is_said(
    kvass: Kvass, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, status: int, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").touch(0o600)
    restored = [signal.getsignal(number) for number in (signal.SIGPIPE, signal.SIGXFSZ)]
    try:
        said = f"kvass: cannot run {command}: {reason}\n"
        assert kvass("exec", "--env", "app", "--", command) == (status, b"", said)
    finally:
        for number, handler in zip((signal.SIGPIPE, signal.SIGXFSZ), restored, strict=True):
            signal.signal(number, handler)


def test_more_than_the_system_takes_is_said(processes: Processes, store: Store) -> None:
    for number in range(80):
        store.set(f"app/v{number}", b"x" * (LONGEST - 10))
    status, out, err = processes.run("exec", "--env", "app", "true")
    assert (status, out, err) == (126, b"", "kvass: cannot run true: Argument list too long\n")


@pytest.mark.usefixtures("app")
def test_what_makes_no_variable_is_an_error_and_nothing_is_run(kvass: Kvass, store: Store) -> None:
    store.set("app/2fa", b"x")
    status, out, err = kvass("exec", "--env", "app", "echo", "run")
    assert (status, out) == (125, b"")
    assert err.startswith("kvass: app/2fa makes no variable: ")
    assert kvass("exec", "--env", "none", "echo").err == "kvass: none/ makes no variable: there are no keys below it\n"
    assert kvass("exec", "--env", "", "echo") == (1, b"", "kvass: '' cannot be a key: it is empty\n")


def test_wrong_usage_and_a_missing_database(kvass: Kvass) -> None:
    assert kvass("exec", "--env", "app") == (
        2,
        b"",
        "kvass: missing argument 'COMMAND [ARGUMENT]...' (see `kvass exec --help`)\n",
    )
    assert kvass("exec", "true").status == 2
    assert kvass("exec", "--env", "app", "true").status == 125
