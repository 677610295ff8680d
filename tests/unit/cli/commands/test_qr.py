"""kvassfs_cli.commands.qr"""

from __future__ import annotations

import errno
import os
import pty
import re
import signal
import struct
import termios
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

import pytest

from kvassfs.sharing.qr import Code
from kvassfs.store import Store
from kvassfs_cli.commands import qr
from tests.support.near_hub import NearHub
from tests.unit.cli.conftest import Kvass, Outcome, Processes

BASE = "https://photos.example"


@pytest.fixture
def url(store: Store) -> str:
    """The address of the key k."""
    store.set("k", b"value")
    store.settings.set_public_url(BASE)
    return f"{BASE}/get?q={store.entry('k').url_token}"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A directory for pictures, with one in it."""
    directory = tmp_path / "pictures"
    directory.mkdir()
    (directory / "old").write_bytes(b"old")
    return directory


def drawn(url: str, *, colour: bool = False, invert: bool = False) -> bytes:
    return "".join(f"{line}\n" for line in Code(url).lines(colour=colour, invert=invert)).encode()


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


# In the terminal


def test_where_there_is_no_terminal_the_code_is_drawn_plainly(kvass: Kvass, url: str) -> None:
    assert kvass("qr", "k") == kvass("qr", "k", "--terminal", "plain") == (0, drawn(url), "")


def test_colours_can_be_asked_for(kvass: Kvass, url: str) -> None:
    assert kvass("qr", "k", "--terminal", "color") == (0, drawn(url, colour=True), "")


@pytest.mark.parametrize(("name", "colour"), [("plain", False), ("color", True)])
def test_invert_swaps_light_and_dark(kvass: Kvass, url: str, name: str, colour: bool) -> None:
    outcome = kvass("qr", "k", "--terminal", name, "--invert")
    assert outcome == (0, drawn(url, colour=colour, invert=True), "")


def at_terminal(processes: Processes, *arguments: str, columns: int = 80, **environment: str) -> Outcome:
    """Run a command line whose standard output is a terminal."""
    variables = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
    reader, writer = pty.openpty()
    ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with processes.start(*arguments, stdout=writer, env={**variables, **environment}) as process:
        os.close(writer)
        out = b"".join(iter(lambda: read(reader), b""))
        _, err = process.communicate()
    os.close(reader)
    return Outcome(process.returncode, out.replace(b"\r\n", b"\n"), err.decode())


def read(terminal: int) -> bytes:
    with suppress(OSError):  # EIO: nobody has the other end any more
        return os.read(terminal, 65536)
    return b""


@pytest.mark.parametrize("terminal", ["xterm-256color", "screen", "linux"])
def test_at_a_terminal_the_code_has_its_own_colours(processes: Processes, url: str, terminal: str) -> None:
    assert at_terminal(processes, "qr", "k", TERM=terminal) == (0, drawn(url, colour=True), "")


@pytest.mark.parametrize("terminal", ["dumb", "", "vt100", "vt220"])
def test_at_a_terminal_without_colours_it_is_drawn_plainly(processes: Processes, url: str, terminal: str) -> None:
    assert at_terminal(processes, "qr", "k", TERM=terminal) == (0, drawn(url), "")


def test_at_a_terminal_where_none_are_wanted_it_is_drawn_plainly(processes: Processes, url: str) -> None:
    assert at_terminal(processes, "qr", "k", TERM="xterm-256color", NO_COLOR="1") == (0, drawn(url), "")
    assert at_terminal(processes, "qr", "k", TERM="xterm-256color", NO_COLOR="") == (0, drawn(url, colour=True), "")


def test_at_a_terminal_plain_lines_can_be_asked_for(processes: Processes, url: str) -> None:
    assert at_terminal(processes, "qr", "k", "--terminal=plain", TERM="xterm") == (0, drawn(url), "")


def test_a_terminal_that_is_too_narrow_is_told_the_width(processes: Processes, url: str) -> None:
    width = Code(url).width
    status, out, err = at_terminal(processes, "qr", "k", columns=width - 1)
    assert (status, out) == (1, b"")
    assert err == (
        f"kvass: the terminal is {width - 1} columns wide, and the code needs {width}; make it wider, or write the code"
        " to a file with --png or --svg\n"
    )


@pytest.mark.parametrize("wider", [0, 1])
def test_a_terminal_as_wide_as_the_code_is_wide_enough(processes: Processes, url: str, wider: int) -> None:
    assert at_terminal(processes, "qr", "k", columns=Code(url).width + wider, TERM="xterm").status == 0


def test_a_terminal_that_does_not_know_its_width_is_drawn_on(processes: Processes, url: str) -> None:
    assert at_terminal(processes, "qr", "k", columns=0, TERM="xterm") == (0, drawn(url, colour=True), "")


def test_a_narrow_terminal_does_not_matter_to_a_picture(processes: Processes, url: str, pictures: Path) -> None:
    assert at_terminal(processes, "qr", "k", "--png", str(pictures / "new"), columns=10) == (0, b"", "")


# What is drawn


def test_expires_and_once_draw_the_address_of_a_new_link(kvass: Kvass, store: Store, url: str) -> None:
    outcome = kvass("qr", "k", "--once", "--expires", "1h")
    (link,) = store.share_links.list_all()
    assert (link.key, link.once, link.expires > 0) == ("k", True, True)
    assert outcome == (0, drawn(f"{BASE}/get?q={link.token}"), "")


def test_the_hub_is_asked_unless_offline(kvass: Kvass, url: str, hub: NearHub) -> None:
    assert kvass("qr", "k", "--offline").status == 0
    assert hub.opened == []
    assert kvass("qr", "k").status == 0
    assert len(hub.opened) > 0


@pytest.mark.parametrize("key", ["-x", "--png", "猫咪 key"])
def test_any_key_can_be_named_after_a_double_dash(kvass: Kvass, store: Store, url: str, key: str) -> None:
    store.set(key, b"value")
    assert kvass("qr", "--", key) == (0, drawn(f"{BASE}/get?q={store.entry(key).url_token}"), "")


def test_a_missing_key_is_said_and_no_file_is_written(kvass: Kvass, url: str, pictures: Path) -> None:
    assert kvass("qr", "nothing", "--png", str(pictures / "new")) == (1, b"", "kvass: no such key: nothing\n")
    assert names(pictures) == ["old"]


def test_an_address_that_no_code_holds_is_said_and_what_to_do(kvass: Kvass, store: Store, url: str) -> None:
    store.settings.set_public_url(f"{BASE}/{'x' * 3000}")
    status, out, err = kvass("qr", "k")
    assert (status, out) == (1, b"")
    assert re.fullmatch(r"kvass: an address of \d+ bytes is too long for a QR code; .*`kvass config url URL`\n", err)


# Pictures


def test_png_writes_a_file_and_draws_nothing(kvass: Kvass, url: str, pictures: Path) -> None:
    assert kvass("qr", "k", "--png", str(pictures / "code.png")) == (0, b"", "")
    assert (pictures / "code.png").read_bytes() == Code(url).png()


def test_svg_writes_a_file_and_draws_nothing(kvass: Kvass, url: str, pictures: Path) -> None:
    assert kvass("qr", "k", "--svg", str(pictures / "code.svg")) == (0, b"", "")
    assert (pictures / "code.svg").read_bytes() == Code(url).svg()


def test_both_can_be_written_at_once(kvass: Kvass, url: str, pictures: Path) -> None:
    assert kvass("qr", "k", "--svg", str(pictures / "a"), "--png", str(pictures / "b")) == (0, b"", "")
    assert ((pictures / "a").read_bytes(), (pictures / "b").read_bytes()) == (Code(url).svg(), Code(url).png())


def test_a_dash_is_standard_output(kvass: Kvass, url: str) -> None:
    assert kvass("qr", "k", "--png", "-") == (0, Code(url).png(), "")
    assert kvass("qr", "k", "--svg", "-") == (0, Code(url).svg(), "")


@pytest.mark.parametrize("file", ["-", "same"])
def test_both_cannot_go_to_one_file(kvass: Kvass, url: str, file: str) -> None:
    status, out, err = kvass("qr", "k", "--png", file, "--svg", file)
    assert (status, out) == (2, b"")
    assert err == "kvass: --png and --svg name the same file (see `kvass qr --help`)\n"


@pytest.mark.parametrize("option", ["--png", "--svg"])
@pytest.mark.parametrize("file", ["", "new/"])
def test_a_name_that_is_none_of_a_file_is_refused(kvass: Kvass, url: str, option: str, file: str) -> None:
    status, out, err = kvass("qr", "k", option, file)
    assert (status, out) == (2, b"")
    assert err == f"kvass: invalid value for '{option}': it names no file (see `kvass qr --help`)\n"


def test_a_file_that_is_there_is_replaced(kvass: Kvass, url: str, pictures: Path) -> None:
    kvass("qr", "k", "--png", str(pictures / "old"))
    assert (pictures / "old").read_bytes() == Code(url).png()
    assert names(pictures) == ["old"]


def test_a_file_is_named_relative_to_the_working_directory(
    kvass: Kvass, url: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    assert kvass("qr", "k", "--png", "new").status == 0
    assert names(pictures) == ["new", "old"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640)])
@pytest.mark.parametrize("name", ["new", "old"])
def test_the_mode_of_the_file_is_that_of_new_files(
    kvass: Kvass, url: str, pictures: Path, name: str, mask: int, mode: int
) -> None:
    before = os.umask(mask)
    try:
        kvass("qr", "k", "--png", str(pictures / name))
    finally:
        os.umask(before)
    assert (pictures / name).stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("target", ["old", "new"])
def test_a_symbolic_link_stays_and_the_file_it_leads_to_is_written(
    kvass: Kvass, url: str, pictures: Path, tmp_path: Path, target: str
) -> None:
    link = tmp_path / "link"
    link.symlink_to(pictures / target)
    assert kvass("qr", "k", "--png", str(link)).status == 0
    assert link.is_symlink()
    assert (pictures / target).read_bytes() == Code(url).png()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/code.png", "No such file or directory"),
        ("old/code.png", "Not a directory"),
        (".", "Is a directory"),
        ("x" * 256, "File name too long"),
    ],
)
def test_a_file_that_cannot_be_written_is_said_in_one_line(
    kvass: Kvass, url: str, pictures: Path, name: str, reason: str
) -> None:
    path = os.path.join(pictures, name)
    assert kvass("qr", "k", "--png", path) == (1, b"", f"kvass: cannot write {path}: {reason}\n")
    assert names(pictures) == ["old"]


def test_a_device_is_written_to_and_not_replaced(kvass: Kvass, url: str) -> None:
    error = f"kvass: cannot write /dev/full: {os.strerror(errno.ENOSPC)}\n"
    assert kvass("qr", "k", "--png", "/dev/full") == (1, b"", error)
    assert Path("/dev/full").is_char_device()


def test_a_pipe_is_written_to(processes: Processes, url: str) -> None:
    assert processes.shell("kvass qr k --png /dev/stdout | cat") == (0, Code(url).png(), "")
    assert processes.shell("kvass qr k --svg >(cat) | cat") == (0, Code(url).svg(), "")


def test_a_file_on_a_full_disk_stays_as_it_was(
    kvass: Kvass, url: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = qr._write

    def fill_the_disk(path: str, mode: str, data: bytes) -> None:
        write(path, mode, data[:10])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(qr, "_write", fill_the_disk)
    assert_old_stays(kvass, pictures / "old", errno.ENOSPC)


def test_a_file_that_cannot_be_replaced_stays_as_it_was(
    kvass: Kvass, url: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: str) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "replace", refuse)
    assert_old_stays(kvass, pictures / "old", errno.EPERM)


def test_a_write_protected_file_stays_as_it_was(
    kvass: Kvass, url: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    protected = str(pictures / "old")  # and not by its mode: root may write all files
    monkeypatch.setattr(os, "access", lambda path, mode: path != protected)
    assert_old_stays(kvass, pictures / "old", errno.EACCES)


def assert_old_stays(kvass: Kvass, old: Path, reason: int) -> None:
    assert kvass("qr", "k", "--png", str(old)) == (1, b"", f"kvass: cannot write {old}: {os.strerror(reason)}\n")
    assert old.read_bytes() == b"old"
    assert names(old.parent) == ["old"]


def test_an_interrupted_write_leaves_nothing_behind(
    kvass: Kvass, url: str, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    assert kvass("qr", "k", "--png", str(pictures / "old")).status == 130
    assert names(pictures) == ["old"]


def test_a_reader_that_has_gone_ends_it_in_silence(processes: Processes, url: str) -> None:
    with processes.start("qr", "k", "--png", "-") as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, err = process.communicate()
    assert (process.returncode, err) == (-signal.SIGPIPE, b"")
