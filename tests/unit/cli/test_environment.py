"""What contrib/doc/environment.md lists: nothing of it ends in a traceback, whatever it is."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs_cli import file_limit, process
from tests.support.processes import KVASS, ROOT, unmeasured
from tests.support.waiting import find_within
from tests.unit.cli.conftest import Kvass, Processes

PAGE = ROOT / "contrib/doc/environment.md"

ODD = "\udcff\n\x01/no/such"
"""Neither text nor one line nor a file."""

VARIABLES = {
    "COLUMNS": "-1",
    "CURL_CA_BUNDLE": ODD,
    "EDITOR": ODD,
    "FUSE_LIBRARY_PATH": ODD,
    "HOME": "no/such",
    "LANG": "xx_YY.odd",
    "LC_ALL": "xx_YY.odd",
    "LC_CTYPE": ODD,
    "LISTEN_FDNAMES": ODD,
    "LISTEN_FDS": ODD,
    "LISTEN_PID": ODD,
    "NOTIFY_SOCKET": ODD,
    "NO_COLOR": ODD,
    "PATH": ODD,
    "PYTHONIOENCODING": "ascii:strict",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "0",
    "PYTHONWARNINGS": "error",
    "REQUESTS_CA_BUNDLE": ODD,
    "SHELL": ODD,
    "SSL_CERT_DIR": ODD,
    "SSL_CERT_FILE": ODD,
    "TERM": ODD,
    "TMPDIR": ODD,
    "TZ": ODD,
    "VISUAL": ODD,
    "XDG_CACHE_HOME": ODD,
    "XDG_CONFIG_HOME": ODD,
    "XDG_DATA_HOME": ODD,
    "XDG_RUNTIME_DIR": ODD,
    "WATCHDOG_PID": ODD,
    "WATCHDOG_USEC": ODD,
    "all_proxy": ODD,
    "http_proxy": ODD,
    "https_proxy": "socks5://[",
    "no_proxy": ODD,
}
"""Those that commands go on with, and an odd value of each."""

EMPTY = dict.fromkeys(VARIABLES, "")

REFUSED = {
    "KVASS_DB": (f"/dev/null/{ODD}", "ls", "cannot open the database "),
    "KVASS_FUSE": (ODD, "mount m", "unknown FUSE binding "),
    "KVASS_OFFLINE": (ODD, "get k", "KVASS_OFFLINE is 1 or 0, and "),
}
"""Those that are refused, with a command that does, and what it says."""

COMMANDS = ("ls -l", "set new é", "get é猫", "qr k", "status --offline", "doctor --offline", "rm k", "nope")


@pytest.fixture
def given(store: Store, tmp_path: Path) -> dict[str, str]:
    """An environment with as little as possible, for a store with keys and a hub that nobody reaches."""
    for key in ("k", "é猫"):
        store.set(key, b"value")
    store.settings.set_remote("127.0.0.1:1")
    return {name: value for name, value in unmeasured().items() if name.startswith("PYTHON")} | {
        "KVASS_DB": store.path,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


def assert_fit(environment: dict[str, str], command: str, prefix: str = "", end: str = "") -> None:
    """Assert that a command does its work, or says in a line why it does not."""
    line = (*KVASS, *command.split())
    if prefix or end:
        line = ("/bin/bash", "-c", f'{prefix} exec "$@" {end}', "bash", *line)
    done = subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    said = f"{command}: {done.returncode}\n{done.stderr.decode(errors='replace')}"
    assert b"Traceback" not in done.stderr, said
    assert done.stderr.count(b"\n") <= 1, said
    expected = {"nope": 2}.get(command, 0)
    assert done.returncode == expected or (end and done.returncode == 1), said


class TestVariables:
    @pytest.mark.parametrize("values", [{}, EMPTY, VARIABLES], ids=["absent", "empty", "odd"])
    def test_all_of_them_may_be_absent_or_empty_or_odd(self, given: dict[str, str], values: dict[str, str]) -> None:
        for command in COMMANDS:
            assert_fit({**values, **given}, command)

    @pytest.mark.parametrize("name", VARIABLES)
    def test_each_of_them_may_be_odd(self, given: dict[str, str], name: str) -> None:
        assert_fit({**given, name: VARIABLES[name]}, "qr k")

    @pytest.mark.parametrize("name", REFUSED)
    def test_or_is_refused_in_a_line(
        self, processes: Processes, given: dict[str, str], name: str, tmp_path: Path
    ) -> None:
        value, command, said = REFUSED[name]
        status, out, err = processes.run(*command.split(), env={**given, name: value}, cwd=tmp_path)
        assert (status, out) == (1, b"")
        assert err.startswith(f"kvass: {said}")
        assert err.count("\n") == 1

    def test_each_of_them_is_in_the_documentation(self) -> None:
        for name in VARIABLES | REFUSED:
            assert re.search(rf"\| .*`{name if not name.startswith('PYTHON') else 'PYTHON…'}`", PAGE.read_text()), name


STATES = {
    "standard input closed": ("", "<&-"),
    "standard output closed": ("", ">&-"),
    "standard error closed": ("", "2>&-"),
    "all streams closed": ("", "<&- >&- 2>&-"),
    "standard output full": ("", ">/dev/full"),
    "standard error full": ("", "2>/dev/full"),
    "no working directory": ("mkdir gone; cd gone; rmdir ../gone;", ""),
    "umask 777": ("umask 777;", ""),
    "umask 0": ("umask 0;", ""),
    "few descriptors": ("ulimit -n 32;", ""),
    "signals ignored": ("trap '' INT HUP PIPE;", ""),
}
"""What a shell does before, and with the streams."""


class TestStates:
    @pytest.mark.parametrize("state", STATES)
    def test_none_ends_in_a_traceback(
        self, given: dict[str, str], state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        prefix, end = STATES[state]
        for command in ("set new v", "qr k"):
            assert_fit({**given, "KVASS_OFFLINE": "1"}, command, prefix, end)

    def test_the_database_is_its_owners_alone_with_any_umask(self, given: dict[str, str], tmp_path: Path) -> None:
        for umask in ("000", "777"):
            path = tmp_path / f"{umask}.sqlite"
            assert_fit(given, f"--db {path} set k v", f"umask {umask};")
            assert path.stat().st_mode & 0o777 == 0o600


class TestLocales:
    @pytest.fixture(params=["C", "POSIX", "ISO-8859-1"])
    def locale(self, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
        """A locale in which there is no é, or another one; Python does not put UTF-8 in its place."""
        name: str = request.param
        if name == "ISO-8859-1":
            command = ["localedef", "-i", "en_US", "-f", name, str(tmp_path / "latin")]
            if (
                shutil.which("localedef") is None
                or subprocess.run(command, capture_output=True, check=False).returncode
            ):
                pytest.skip("the definitions of locales are not installed")
            name = "latin"
        return {"LC_ALL": name, "LOCPATH": str(tmp_path), "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}

    def test_keys_are_utf_8_all_the_same(
        self, processes: Processes, given: dict[str, str], locale: dict[str, str]
    ) -> None:
        environment = {**given, **locale}
        for command in COMMANDS:
            assert_fit(environment, command)
        assert processes.run("get", "é猫".encode(), env=environment) == (0, b"value", "")
        assert "é猫\n".encode() in processes.run("ls", env=environment).out

    def test_they_are_completed(self, processes: Processes, given: dict[str, str], locale: dict[str, str]) -> None:
        asked = {"_KVASS_COMPLETE": "bash_complete", "COMP_LINE": "kvass get é", "COMP_REPLACED": "é"}
        assert processes.run(env={**given, **locale, **asked}) == (0, "plain,é猫\n".encode(), "")


MOUNTS = {
    "nothing": ({}, "", ""),
    "everything empty": (EMPTY, "", ""),
    "everything odd": (VARIABLES, "", ""),
    "another locale": ({"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, "", ""),
    **{name: ({}, *STATES[name]) for name in ("all streams closed", "umask 777", "few descriptors", "signals ignored")},
}


class TestMountAndHub:
    @pytest.fixture
    def directory(self, tmp_path: Path) -> Iterator[Path]:
        yield tmp_path / "é"
        subprocess.run(["umount", "-l", tmp_path / "é"], capture_output=True, check=False)

    @pytest.mark.parametrize("case", MOUNTS)
    def test_a_mount_works_in_any(
        self,
        given: dict[str, str],
        case: str,
        directory: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        variables, prefix, end = MOUNTS[case]
        environment = {**variables, **given, "KVASS_OFFLINE": "1"}
        assert_fit(environment, f"mount {directory}", prefix, end)
        assert directory.joinpath("é猫").read_bytes() == b"value"
        directory.joinpath("new").write_bytes(b"value")
        assert_fit(environment, f"umount {directory}", prefix, end)
        assert not os.path.ismount(directory)

    @pytest.mark.parametrize("case", MOUNTS)
    def test_a_hub_works_in_any(
        self, given: dict[str, str], case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        variables, prefix, end = MOUNTS[case]
        script = f'{prefix} exec "$0" -m kvassfs_cli serve --bind 127.0.0.1:0 {end}'
        with subprocess.Popen(
            ["/bin/bash", "-c", script, KVASS[0]], env={**variables, **given}, stderr=subprocess.PIPE
        ) as started:
            try:
                find_within(30, lambda: listens(started.pid), what="the hub listens")
            finally:
                started.send_signal(signal.SIGTERM)
                _, said = started.communicate(timeout=30)
        assert b"Traceback" not in said
        assert started.returncode in (0, -signal.SIGTERM)


def listens(pid: int) -> bool:
    """Return whether a process has a socket that listens (proc(5), net/tcp: state 0A)."""
    sockets = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(os.readlink(each))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return any(row[3] == "0A" and f"socket:[{row[9]}]" in sockets for row in rows)


class TestDescriptors:
    def test_closed_streams_are_not_given_to_others(self, processes: Processes, given: dict[str, str]) -> None:
        code = (
            "from kvassfs_cli import process; process.occupy_closed(); import os; print(os.readlink('/proc/self/fd/2'))"
        )
        script = f'"$0" -c "{code}" 2>&-'
        assert processes.run_command(["bash", "-c", script, KVASS[0]], env=given).out == b"/dev/null\n"

    @pytest.mark.parametrize(
        ("found", "during"),
        [((-1, -1), (1, -1)), ((5000, 9000), (1, 9000)), ((0, 0), (0, 0)), ((0, -1), (1, -1)), ((-1, 1), (1, 1))],
    )
    def test_there_is_no_core_dump_but_of_programs_of_the_user(
        self, monkeypatch: pytest.MonkeyPatch, found: tuple[int, int], during: tuple[int, int]
    ) -> None:
        limits = [found]
        monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
        process.forbid_core_dumps()
        assert limits[-1] == during
        with process.core_dumps():
            assert limits[-1] == (found if found != (-1, 1) else (1, 1))
        assert limits[-1] == during

    def test_a_crash_leaves_no_image_of_the_memory(
        self, processes: Processes, given: dict[str, str], tmp_path: Path
    ) -> None:
        """Also where a program gets the images, which a limit of 0 does not keep from it."""
        code = (
            "import os, resource; from kvassfs_cli import process;"
            "resource.setrlimit(resource.RLIMIT_CORE, (-1, -1)); process.forbid_core_dumps();"
            "print(resource.getrlimit(resource.RLIMIT_CORE)[0], flush=True); os.abort()"
        )
        script = f'cd "$1"; "$0" -c "{code}" || ls -A'
        (empty := tmp_path / "empty").mkdir()
        done = processes.run_command(["bash", "-c", script, KVASS[0], str(empty)], env=given)
        assert done.out in {b"1\n", b"0\n"}  # 0 where the system allows no other

    def test_a_low_limit_is_raised(self, monkeypatch: pytest.MonkeyPatch) -> None:
        limits = [(8, 4096)]
        monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda _, limit: limits.append(limit))
        file_limit.allow_enough_files()
        file_limit.allow_enough_files()
        assert limits == [(8, 4096), (file_limit.ENOUGH_FILES, 4096)]

    def test_one_that_cannot_be_raised_is_said(self, kvass: Kvass, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise ValueError

        monkeypatch.setattr(resource, "getrlimit", lambda _: (8, 8))
        monkeypatch.setattr(resource, "setrlimit", refuse)
        with pytest.raises(file_limit.TooFewFiles, match="only 8 files may be open at a time; allow 32"):
            file_limit.allow_enough_files()
