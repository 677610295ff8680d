"""skate, pass and a running hub as sources."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from kvassfs.echo import is_echo
from kvassfs.errors import HubUnreachable, WrongKey
from kvassfs.remote import http
from kvassfs.store import Store
from kvassfs.transfer.directory_source import DirectorySource
from kvassfs.transfer.items import Reason, format_seconds, parse_seconds
from kvassfs.transfer.password_store import PasswordStoreSource
from kvassfs.transfer.programs import run
from kvassfs.transfer.running_hub import HubSource
from kvassfs.transfer.skate import SkateListSource, SkateSource
from kvassfs.transfer_errors import ProgramFailed, SourceUnreadable, TargetUnwritable
from tests.support.near_hub import NearHub
from tests.support.original import OriginalClient, OriginalHub
from tests.support.programs import need
from tests.unit.transfer.conftest import FILE, LINK, TIME, Left, contents, fill, put, take_from

# skate


class Skate:
    """The program, as far as it is asked: keys and values of a database."""

    def __init__(self, **values: bytes) -> None:
        self.values = values
        self.calls: list[Sequence[str]] = []

    def __call__(self, arguments: Sequence[str], stdin: bytes) -> bytes:
        assert stdin == b""
        self.calls.append(arguments)
        if arguments[1] == "list":
            return "".join(f"{key}\n" for key in self.values).encode()
        return self.values[arguments[-1].partition("@")[0]]


def test_skate_is_asked_for_each_value(store: Store, left: Left) -> None:
    skate = Skate(a=b"one", b=b"two\nlines\n", c=b"\xff\0", d=b"")
    source = SkateSource("", skate)
    take_from(store, source, left)
    assert {key: value for key, (value, *_) in contents(store).items()} == skate.values
    assert source.position() == (sum(map(len, skate.values.values())), 0)
    assert skate.calls[:2] == [["skate", "list", "--keys-only"], ["skate", "get", "--", "a"]]


@pytest.mark.parametrize("name", ["@work", "work"])
def test_another_database_of_skate_is_named(store: Store, left: Left, name: str) -> None:
    skate = Skate(a=b"x")
    take_from(store, SkateSource(name, skate), left)
    assert skate.calls == [["skate", "list", "--keys-only", "@work"], ["skate", "get", "--", "a@work"]]
    assert list(store.keys()) == ["a"]


def test_an_empty_skate_has_nothing(store: Store, left: Left) -> None:
    take_from(store, SkateSource("", Skate()), left)
    assert list(store.keys()) == []


def test_what_skate_printed_is_read_line_by_line(store: Store, left: Left) -> None:
    text = b"no key\na\tone\nb\tlong\nand longer\n\nend\nc\twith\ttab\nd\t"
    take_from(store, SkateListSource(io.BytesIO(text), "list"), left)
    assert {key: value for key, (value, *_) in contents(store).items()} == {
        "a": b"one",
        "b": b"long\nand longer\n\nend",
        "c": b"with\ttab",
        "d": b"",
    }
    assert left.texts == ["left out no key: there is no tab behind a key"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/missing/skate"], "it cannot be run (no such file or directory)"),
        (["sh", "-c", "echo one >&2; echo 'last words' >&2; exit 3"], "last words"),
        (["sh", "-c", "exit 3"], "it ended with status 3"),
    ],
)
def test_a_program_that_fails_says_why(command: list[str], reason: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        run(command, b"")
    assert str(caught.value) == f"{command[0]} failed: {reason}"


def test_a_program_reads_its_input_and_its_output_is_what_it_wrote() -> None:
    assert run(["cat"], b"\xff\0") == b"\xff\0"


# pass


def decrypt(arguments: Sequence[str], stdin: bytes) -> bytes:
    assert arguments == ["gpg", "--decrypt", "--quiet", "--yes"]
    if not stdin.startswith(b"sealed:"):
        raise ProgramFailed("gpg", "decryption failed: No secret key")
    return stdin.removeprefix(b"sealed:")


@pytest.fixture
def passwords(tmp_path: Path) -> Path:
    directory = tmp_path / "passwords"
    (directory / "web" / "empty").mkdir(parents=True)
    (directory / ".git").mkdir()
    (directory / ".git" / "config").write_text("x")
    (directory / ".gpg-id").write_text("me")
    (directory / "web" / "shop.gpg").write_bytes(b"sealed:secret\nuser: me\n")
    (directory / "web" / "broken.gpg").write_bytes(b"nothing")
    (directory / "alias.gpg").symlink_to("web/shop.gpg")
    (directory / "work").symlink_to("web")
    (directory / "README").write_text("x")
    os.utime(directory / "web" / "shop.gpg", ns=(TIME, TIME))
    return directory


def test_passwords_are_decrypted_one_by_one(store: Store, left: Left, passwords: Path) -> None:
    with PasswordStoreSource(str(passwords), decrypt) as source:
        done = take_from(store, source, left, "passwords/")
        assert source.position()[0] == len("sealed:secret\nuser: me\n") + len("nothing")
    assert {key: each[:2] for key, each in contents(store, "passwords/").items()} == {
        "alias": (b"web/shop", LINK),
        "work": (b"web", LINK),
        "web/shop": (b"secret\nuser: me\n", 0o100600),
    }
    assert contents(store)["passwords/web/shop"][2] == TIME
    assert left.told[0][:2] == ("README", Reason.FOREIGN)
    assert left.texts[1:] == ["left out web/broken.gpg: gpg failed: decryption failed: No secret key"]
    assert (done.entries, done.left_out, done.failures) == (3, 1, 1)


def test_the_real_gpg_decrypts(store: Store, left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("gpg")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(home))
    options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run(
        ["gpg", *options, "--quick-generate-key", "me@example.org", "default", "default", "never"], check=True
    )
    directory = tmp_path / "passwords"
    directory.mkdir()
    try:
        subprocess.run(
            [
                "gpg",
                *options,
                "--trust-model",
                "always",
                "-r",
                "me@example.org",
                "-o",
                directory / "k.gpg",
                "--encrypt",
            ],
            input=b"secret\n",
            check=True,
        )
        with PasswordStoreSource(str(directory)) as source:
            take_from(store, source, left)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True)
    assert (store.get("k").read(), left.texts) == (b"secret\n", [])


def test_a_password_store_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no such file"), PasswordStoreSource(str(tmp_path / "missing")):
        pass


# A hub


@pytest.fixture
def hub(other: Store, monkeypatch: pytest.MonkeyPatch) -> NearHub:
    near = NearHub(other)
    monkeypatch.setattr(http, "HttpRemote", near.connect)
    return near


def test_what_a_hub_has_is_taken_over_and_nothing_is_sent(
    store: Store, other: Store, hub: NearHub, left: Left, tmp_path: Path
) -> None:
    fill(other)
    other.set("removed", b"x")
    other.delete("removed")
    told: list[object] = []
    with HubSource("hub.example", other.settings.config().encryption_key, str(tmp_path), told.append) as source:
        take_from(store, source, left)
        done, total = source.position()
        assert done == total > 0
    after = contents(store)
    assert {key: after.get(key) for key in contents(other)} == contents(other)
    assert "push" not in hub.calls
    assert told
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".kvass-import")]


def test_a_hub_of_the_original_is_taken_over_too(
    store: Store, left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = bytes(range(32))
    hub = OriginalHub(7, key, os.urandom)
    calls: list[str] = []

    class Remote:
        address = "hub.example:8000"

        def post(self, call: str, body: bytes, *, wait: float = 0.0, largest: int = 0) -> bytes:
            calls.append(call)
            return hub.answer(call, body)

        def close(self) -> None:
            pass

    monkeypatch.setattr(http, "HttpRemote", lambda *_: Remote())
    client = OriginalClient(8, key, os.urandom, lambda: TIME, hub.answer)
    for name, value in (("a", b"one"), ("b/c", bytes(1_000_000)), ("gone", b"x"), ("gone", b"")):
        client.set(name, value)
    client.push()
    with HubSource("hub.example", key, str(tmp_path)) as source:
        take_from(store, source, left)
    assert {name: value for name, (value, *_) in contents(store).items()} == {"a": b"one", "b/c": bytes(1_000_000)}
    assert contents(store)["a"][2] // 1000 == hub.entries["a"].timestamp
    assert calls == ["pull", "push", "pull"]
    assert [key for key in hub.entries if not is_echo(key)] == ["a", "b/c", "gone"]


@pytest.mark.parametrize("failure", [HubUnreachable("hub", "gone"), WrongKey("hub"), KeyboardInterrupt()])
def test_a_hub_that_fails_leaves_nothing(other: Store, hub: NearHub, tmp_path: Path, failure: BaseException) -> None:
    hub.failure = failure
    with pytest.raises(type(failure)), HubSource("hub", bytes(32), str(tmp_path)):
        pass
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".kvass-import")]


def test_a_place_that_cannot_be_written_is_said() -> None:
    with pytest.raises(TargetUnwritable, match="no such file"), HubSource("hub", bytes(32), "/missing"):
        pass


# Times


@pytest.mark.parametrize(
    ("time", "text"),
    [(0, "0"), (TIME, "1600000000.123456789"), (-1, "-0.000000001"), (-1_500_000_000, "-1.5"), (250_000_000, "0.25")],
)
def test_times_are_decimal_seconds(time: int, text: str) -> None:
    assert format_seconds(time) == text
    assert parse_seconds(text) == time


@pytest.mark.parametrize(
    ("text", "time"),
    [("99999999999999999999", 2**63 - 1), ("-99999999999999999999", -(2**63) + 1), ("1.1234567899", 1_123_456_789)],
)
def test_times_that_the_store_cannot_hold_are_the_nearest(text: str, time: int) -> None:
    assert parse_seconds(text) == time


@pytest.mark.parametrize("text", ["", "x", "1.", ".5", "nan", "1e9", "１", "1" * 30])
def test_other_texts_are_no_times(text: str) -> None:
    assert parse_seconds(text) is None


# A directory with the names of an export, without its list


def test_a_shortened_name_stands_for_a_key_that_is_there(store: Store, left: Left, tmp_path: Path) -> None:
    from kvassfs.paths import file_name

    long = "x" * 300
    put(store, f"d/{long}", b"old", FILE)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / file_name(long)).write_text("new")
    (tmp_path / "source" / "%@").write_text("no list")
    with DirectorySource(str(tmp_path / "source")) as source:
        take_from(store, source, left, "d/")
    assert store.get(f"d/{long}").read() == b"new"
    assert list(store.keys()) == [f"d/{long}"]
