"""A source tree in an archive, with its git repository, and what programs do with it: tar, git, grep."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

FOLDER_FILES = 50
"""In each folder of the tree."""

SMALLEST, LARGEST = 500, 8000
"""Bytes of a file of the tree."""

WRITTEN = 1_700_000_000
"""When all files were changed last: long ago, so that git does not look into them for that reason."""

NEEDLE = "the line that one file alone has"
WORDS = ("store", "value", "entry", "token", "where", "which", "while", "return", "raise", "import", "self", "class")


class SourceTree:
    """The archive, made in a directory of its own.

    What its methods run raises OSError where the program is missing or fails, and ValueError where it finds something
    else than is there.
    """

    def __init__(self, room: Path, count: int) -> None:
        self._count = count
        self.archive = room / "tree.tar"
        tree = room / "tree"
        self._write(tree)
        commit_all(tree)
        run("tar", "-cf", str(self.archive), "-C", str(tree), ".")

    def _write(self, tree: Path) -> None:
        """Write the files: text, of which no two are alike."""
        chance = random.Random(self._count)  # noqa: S311 (no secrets)
        pool = "".join(" ".join(chance.choices(WORDS, k=10)) + "\n" for _ in range(5000))
        for number in range(self._count):
            path = tree / f"folder-{number // FOLDER_FILES:03d}" / f"module-{number:05d}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            start, size = chance.randrange(len(pool) - LARGEST), chance.randrange(SMALLEST, LARGEST)
            last = NEEDLE if number == self._count - 1 else "the end"
            path.write_text(f"file {number}\n{pool[start : start + size]}\n{last}\n", encoding="utf-8")
            os.utime(path, (WRITTEN, WRITTEN))

    def unpack(self, directory: Path) -> float:
        """Unpack it into a new directory, with times, as an ordinary user does."""
        directory.mkdir()
        run("tar", "--no-same-owner", "-xf", str(self.archive), "-C", str(directory))
        return self._count

    def find_changes(self, directory: Path) -> float:
        """Run `git status`; there is no change."""
        changes = git(directory, "status", "--porcelain")
        if changes:
            raise ValueError(f"git status finds changes: {changes[:200]}")
        return self._count

    def search(self, directory: Path) -> float:
        """Run `grep -r` for the one line."""
        found = run("grep", "-rlF", "--exclude-dir=.git", NEEDLE, str(directory))
        if found.count("\n") != 1:
            raise ValueError(f"grep finds {found[:200]!r}")
        return self._count


def commit_all(tree: Path) -> None:
    """Make a git repository of it, in one pack."""
    git(tree, "init", "--quiet", "--template=")
    git(tree, "add", ".")
    git(tree, "-c", "user.name=bench", "-c", "user.email=bench@localhost", "commit", "--quiet", "-m", "all of it")
    git(tree, "repack", "-adq")
    git(tree, "prune-packed", "--quiet")


def git(directory: Path, *arguments: str) -> str:
    """Run git without anybody's configuration."""
    return run("git", "-C", str(directory), "-c", "gc.auto=0", *arguments)


def run(*command: str) -> str:
    """Run a program and return its output; OSError with what it said where it fails."""
    plain = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    if done.returncode != 0:
        raise OSError(f"{command[0]}: {done.stderr.strip()[-300:]}")
    return done.stdout
