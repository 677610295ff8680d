"""contrib/run, with a Python that only pretends to install, so that no network is needed."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree, rmtree

import pytest

ROOT = Path(__file__).parents[2]

FAKE_PYTHON = r"""#!/bin/sh
# As `PYTHON`: says that it will do, and makes environments in which `python3 -m pip install` only makes a `kvass`.
case $1 in
    -c) echo "$0" ;;
    -m)
        mkdir -p "$3/bin"
        cat >"$3/bin/python3" <<'PIP'
#!/bin/sh
for source; do :; done
if ! [ -d "$source" ]; then
    echo "$@" >>"$(dirname "$0")/locked"
    exit
fi
echo pip >>"$(dirname "$0")/../../calls"
(cd "$source" && find . -type f) >"$(dirname "$0")/given"
sleep "${SLEEP:-0}"
printf '#!/bin/sh\nprintf "<%%s>" "$PWD" "$@"\n' >"$(dirname "$0")/kvass"
chmod +x "$(dirname "$0")/kvass"
PIP
        chmod +x "$3/bin/python3"
        ;;
esac
"""


class Checkout:
    """A copy of the checkout, and what `contrib/run` does there."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.root.mkdir()
        for name in ("contrib", "kvassfs", "cli"):
            copytree(ROOT / name, self.root / name)
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            (self.root / name).write_bytes((ROOT / name).read_bytes())
        self.python = folder / "python"
        self.python.write_text(FAKE_PYTHON)
        self.python.chmod(0o755)
        self.folder = folder
        self.command: Sequence[str | Path] = (self.root / "contrib" / "run",)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHON": str(self.python), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[str, str]:
        """Run to the end; return what it wrote to standard output and standard error."""
        with self.start(*arguments, **variables) as process:
            output = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return output

    @property
    def installs(self) -> int:
        calls = self.root / "calls"
        return len(calls.read_text().splitlines()) if calls.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_run_sets_up_and_says_so_on_standard_error(checkout: Checkout) -> None:
    output, said = checkout.run("ls")
    assert output == f"<{checkout.folder}><ls>"
    assert f"contrib/run: making {checkout.root}/.venv" in said


def test_later_runs_are_quiet_and_install_nothing(checkout: Checkout) -> None:
    checkout.run("ls")
    assert checkout.run("ls") == (f"<{checkout.folder}><ls>", "")
    assert checkout.installs == 1


def test_everything_else_is_installed_in_the_versions_that_were_tested(checkout: Checkout) -> None:
    checkout.run()
    folder = checkout.root / "contrib/requirements"
    calls = (checkout.root / ".venv/bin/locked").read_text().splitlines()
    assert [" ".join(call.split(" --no-input ")[1:]) for call in calls] == [
        f"--require-hashes -r {folder}/build.txt",
        f"--require-hashes --no-build-isolation -r {folder}/run.txt",
    ]


def test_other_versions_are_installed_anew(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.root / "contrib/requirements/run.txt").open("a") as file:
        file.write("# newer\n")
    assert "bringing" in checkout.run()[1]
    assert checkout.installs == 2


def test_pip_is_given_all_that_the_package_is_built_from(checkout: Checkout) -> None:
    checkout.run()
    given = {line.removeprefix("./") for line in (checkout.root / ".venv/bin/given").read_text().splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = {path for paths in project["tool"]["setuptools"]["data-files"].values() for path in paths}
    modules = {str(path.relative_to(ROOT)) for folder in ("kvassfs", "cli") for path in (ROOT / folder).rglob("*.py")}
    assert {"pyproject.toml", project["project"]["readme"]} | shared | modules <= given


def test_arguments_reach_kvass_as_they_are(checkout: Checkout) -> None:
    checkout.run()
    assert checkout.run("set", "a  key", "", "*", "--", "$x\n") == (
        f"<{checkout.folder}><set><a  key><><*><--><$x\n>",
        "",
    )


def test_it_runs_through_a_link_and_by_its_bare_name(checkout: Checkout) -> None:
    checkout.run()
    link = checkout.folder / "link"
    link.symlink_to("a checkout/contrib/run")
    checkout.command = (link,)
    assert checkout.run("x") == (f"<{checkout.folder}><x>", "")
    checkout.command = ("sh", "link")
    assert checkout.run("x") == (f"<{checkout.folder}><x>", "")


def test_nothing_but_the_environment_appears_in_the_checkout(checkout: Checkout) -> None:
    before = set(checkout.root.rglob("*"))
    checkout.run()
    appeared = {path.relative_to(checkout.root).parts[0] for path in set(checkout.root.rglob("*")) - before}
    assert appeared == {".venv", "calls"}


@pytest.mark.parametrize(
    "changed", ["pyproject.toml", "cli/main.py", "kvassfs/store/__init__.py", "contrib/man/kvass.1"]
)
def test_a_changed_file_is_installed_even_if_it_is_dated_back(checkout: Checkout, changed: str) -> None:
    checkout.run()
    path = checkout.root / changed
    path.write_text(path.read_text() + "\n")
    os.utime(path, (0, 0))
    assert "up to date" in checkout.run()[1]
    assert checkout.run()[1] == ""
    assert checkout.installs == 2


def test_a_removed_module_is_noticed(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / "cli" / "__main__.py").unlink()
    assert "up to date" in checkout.run()[1]


def test_another_python_or_a_moved_checkout_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.run()
    other = checkout.folder / "other"
    other.write_text(FAKE_PYTHON)
    other.chmod(0o755)
    assert "making" in checkout.run(PYTHON=str(other))[1]
    moved = checkout.folder / "moved"
    checkout.root.rename(moved)
    checkout.command = (moved / "contrib" / "run",)
    assert f"making {moved}/.venv" in checkout.run(PYTHON=str(other))[1]


def test_a_python_that_is_gone_makes_the_environment_anew(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / ".venv" / "bin" / "python3").unlink()
    assert "making" in checkout.run()[1]


def test_concurrent_first_runs_set_up_once(checkout: Checkout) -> None:
    processes = [checkout.start(f"{number}", SLEEP="1") for number in range(4)]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert outputs == [f"<{checkout.folder}><{number}>" for number in range(4)]
    assert checkout.installs == 1


def test_a_set_up_that_was_killed_is_done_again(checkout: Checkout) -> None:
    with checkout.start(SLEEP="60") as process:
        deadline = time.monotonic() + 30
        while not checkout.installs and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert "making" in checkout.run()[1]
    assert checkout.installs == 2


def test_a_failing_pip_is_an_error_and_leaves_no_environment_that_looks_ready(checkout: Checkout) -> None:
    checkout.python.write_text(FAKE_PYTHON.replace('sleep "${SLEEP:-0}"', 'exit "${EXIT:-0}"'))
    with checkout.start(EXIT="1") as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said.splitlines()[-1].startswith("contrib/run: pip could not install")
    rmtree(checkout.root / ".venv")
    with checkout.start(EXIT="1") as process:
        process.communicate(timeout=60)
    assert process.returncode == 1


def test_a_python_that_will_not_do_is_refused_in_one_line(checkout: Checkout) -> None:
    with checkout.start(PYTHON="/bin/false") as process:
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 1
    assert said == "contrib/run: PYTHON=/bin/false is no Python 3.11 or later with venv, sqlite3 and ssl\n"


class TestAnotherUser:
    """One who may run what is there, and write nothing."""

    USER = 12345

    @pytest.fixture
    def shared(self, tmp_path: Path, checkout: Checkout) -> Checkout:
        """A checkout that everybody may read."""
        for folder in (*tmp_path.parents, tmp_path):
            if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
                folder.chmod(0o755)
        return checkout

    def run(self, checkout: Checkout, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*checkout.command, "ls"],
            cwd="/",
            env={"PATH": os.environ["PATH"], **variables},
            user=self.USER,
            group=self.USER,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_runs_what_the_owner_has_made_with_any_python(self, shared: Checkout) -> None:
        shared.run("ls")
        for variables in ({}, {"PYTHON": str(shared.python)}):
            done = self.run(shared, **variables)
            assert (done.returncode, done.stderr) == (0, "")

    def test_is_told_that_there_is_no_environment(self, shared: Checkout) -> None:
        self.assert_told(shared, f"there is no {shared.root}/.venv yet")

    def test_is_told_that_it_is_old(self, shared: Checkout) -> None:
        shared.run("ls")
        (shared.root / "kvassfs/new.py").write_text("new = 1\n")
        self.assert_told(shared, f"{shared.root}/.venv was not made from these files as they are")

    def test_is_told_that_its_python_is_private(self, shared: Checkout) -> None:
        shared.run("ls")
        (shared.root / ".venv/bin/python3").chmod(0o700)
        self.assert_told(
            shared,
            f"this user may not run the Python of {shared.root}/.venv;"
            " PYTHON=/usr/bin/python3 chooses one that everybody may",
        )

    def assert_told(self, checkout: Checkout, fault: str) -> None:
        done = self.run(checkout)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"contrib/run: {fault}; the owner of {checkout.root} must run this once\n"
