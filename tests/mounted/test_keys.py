"""Every key makes the round trip from the command line to the mount and back, beside all the others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from kvassfs.store import Store
from tests.support.mounts import Mount
from tests.support.programs import kvass, kvass_here
from tests.support.waiting import within

LONG = "x" * 300
SHORTENED = f"{LONG[:230]}%~{hashlib.sha256(LONG.encode()).hexdigest()[:16]}"
"""How the component LONG is shown, here a key itself."""

KEYS = [
    "a",
    "a/b",
    "a/b/c",
    "A",
    "A/b",
    ".",
    "..",
    "./x",
    "../x",
    "a/.",
    "a/..",
    "a/./b",
    "a/../b",
    "/",
    "//",
    "/a",
    "//a",
    "/a/",
    "a/",
    "a//",
    "a//b",
    "a/b/",
    "%",
    "%%",
    "%.",
    "%..",
    "%%.",
    "%/x",
    "%@",
    "%%@",
    "a/%@",
    "a/b/%@",
    "%@/x",
    "a%@b",
    "a%",
    "%2F",
    LONG,
    LONG[:-1],
    LONG + "/below",
    "directory/" + LONG,
    "é" * 200,
    "😀" * 70 + "/" + "😀" * 70,
    SHORTENED,
    "y" * 255,
    "y" * 256,
    "%" * 255,
    "%" * 300,
    "new\nline",
    "tab\tand\x01control\x7f",
    "\u00e9",
    "e\u0301",
    "😀",
    "name",
    "Name",
    "NAME/below",
    "-rf",
    "--help",
    " ",
    "*",
    "back\\slash",
    "notes~",
    ".notes.swp",
    "a" * 100 + "/" + "b" * 100 + "/" + "c" * 100,
]

BEHIND = 5.0
"""Seconds within which a change from outside shows here; how soon it must is another test's business."""


def old(key: str) -> bytes:
    return f"value of {key}\n".encode()


def new(key: str) -> bytes:
    return f"changed value of {key}".encode()


def listed(mount: Mount) -> set[str]:
    return set(kvass(mount, "ls", "--null").decode().split("\0")) - {""}


def values(mount: Mount, keys: Iterable[str] = KEYS) -> dict[str, bytes]:
    return {key: kvass_here(mount, "get", "--", key) for key in keys}


def files(mount: Mount) -> dict[Path, bytes]:
    """Walk the mount; a file read twice would show that the walk leads in circles."""
    paths = [Path(top, name) for top, _, names in os.walk(mount.path) for name in names]
    assert len(paths) == len(set(paths))
    return {path: path.read_bytes() for path in paths}


def paths_of_keys(mount: Mount) -> Mapping[str, Path]:
    """Find the path of each key by its content."""
    by_content = {content: path for path, content in files(mount).items()}
    return {key: by_content[old(key)] for key in KEYS if old(key) in by_content}


def show(mount: Mount, contents: set[bytes]) -> Callable[[], bool]:
    return lambda: set(files(mount).values()) == contents


def is_directory(path: Path) -> bool:
    """Ask as often as need be: the kernel answers EIO once where it knew something of another type."""
    try:
        return path.is_dir()
    except OSError:
        return False


def empty(mount: Mount) -> None:
    """Remove everything through the mount, as `rm -r` does."""
    for top, directories, names in os.walk(mount.path, topdown=False):
        for name in names:
            Path(top, name).unlink()
        for name in directories:
            Path(top, name).rmdir()


def test_every_key_goes_from_the_command_line_through_the_mount_and_back(mount: Mount) -> None:
    for key in KEYS:
        kvass_here(mount, "set", "--", key, stdin=old(key))
    assert listed(mount) == set(KEYS)

    within(BEHIND, show(mount, {old(key) for key in KEYS}), what="all keys in the mount")
    paths = paths_of_keys(mount)
    assert set(paths) == set(KEYS)
    assert len(set(paths.values())) == len(files(mount)) == len(KEYS)

    for key, path in paths.items():
        path.write_bytes(new(key))
    assert listed(mount) == set(KEYS)
    assert values(mount) == {key: new(key) for key in KEYS}

    empty(mount)
    assert list(mount.path.iterdir()) == []
    assert listed(mount) == set()


def test_every_file_goes_from_the_mount_through_the_command_line_and_back(mount: Mount) -> None:
    """Shown names are created as files: each makes the key that it had shown, unless it was shortened or is scratch."""
    with Store.open(mount.db) as store:
        for key in KEYS:
            store.set(key, old(key))
    within(BEHIND, show(mount, {old(key) for key in KEYS}), what="all keys in the mount")
    shown = paths_of_keys(mount)
    empty(mount)

    scratch = {"notes~", ".notes.swp"}
    fit = [key for key in KEYS if key not in scratch and "%~" not in str(shown[key])]
    assert len(fit) > len(KEYS) * 3 // 4
    for key in fit:
        shown[key].parent.mkdir(parents=True, exist_ok=True)
        shown[key].write_bytes(old(key))
    assert listed(mount) == set(fit)
    assert values(mount, fit) == {key: old(key) for key in fit}

    for key in fit:
        kvass_here(mount, "set", "--", key, stdin=new(key))
    within(BEHIND, show(mount, {new(key) for key in fit}), what="the changed values")
    assert {key: shown[key].read_bytes() for key in fit} == {key: new(key) for key in fit}

    kvass(mount, "rm", "--", *fit)
    assert listed(mount) == set()
    within(BEHIND, show(mount, set()), what="an empty mount")


def test_a_shortened_name_is_free_for_a_file_once_its_key_is_gone(mount: Mount) -> None:
    kvass(mount, "set", "--", LONG, stdin=b"long")
    within(BEHIND, show(mount, {b"long"}), what="the long key")
    path = mount.path / SHORTENED
    assert path.read_bytes() == b"long"
    path.unlink()
    path.write_bytes(b"short")
    assert listed(mount) == {SHORTENED}
    assert [found.name for found in mount.path.iterdir()] == [SHORTENED]


def test_a_value_that_is_a_file_becomes_the_value_of_a_directory_and_back(mount: Mount) -> None:
    (mount.path / "key").write_bytes(b"value")
    kvass(mount, "set", "--", "key/below", stdin=b"below")
    within(BEHIND, lambda: is_directory(mount.path / "key"), what="the directory")
    assert (mount.path / "key" / "%@").read_bytes() == b"value"
    kvass(mount, "rm", "--", "key")
    within(BEHIND, lambda: not (mount.path / "key" / "%@").exists(), what="the value gone")
    assert (mount.path / "key" / "below").read_bytes() == b"below"
