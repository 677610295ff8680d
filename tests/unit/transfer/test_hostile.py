"""What means harm, or is odd, does none: names that lead elsewhere, links, devices, bombs, and files of another form."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
import zstandard

from kvassfs.store import Store
from kvassfs.transfer import streams
from kvassfs.transfer.directory_source import DirectorySource
from kvassfs.transfer.items import Item, LeftOut, Reason, whole
from kvassfs.transfer.json_files import JsonSource
from kvassfs.transfer.tar_files import TarSource
from kvassfs.transfer.zip_files import ZipSource
from kvassfs.transfer_errors import SourceDamaged, SourceUnreadable
from tests.support.stores import error_line
from tests.unit.transfer.conftest import FILE, LINK, TIME, Left, contents, put, take, take_from

NAMES = [
    ("/etc/passwd", "left out /etc/passwd: its name is absolute"),
    ("../up", "left out ../up: its name leads upwards with .."),
    ("a/../../up", "left out a/../../up: its name leads upwards with .."),
    ("a/..", "left out a/..: its name leads upwards with .."),
    ("%", "left out %: it is empty"),
]


def tar_of(*members: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for each in members:
            member, value = each if isinstance(each, tuple) else (each, b"")
            if value:
                member.size = len(value)
            archive.addfile(member, io.BytesIO(value))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, **attributes: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type = kind
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def take_tar(store: Store, data: bytes, left: Left) -> None:
    take_from(store, TarSource(io.BytesIO(data), "x.tar"), left)


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, value in members:
            archive.writestr(name, value)
    return out.getvalue()


def take_zip(store: Store, data: bytes, left: Left) -> None:
    take_from(store, ZipSource(io.BytesIO(data), "x.zip"), left)


def take_json(store: Store, text: str | bytes, left: Left) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    take_from(store, JsonSource(io.BytesIO(data), "x.json"), left)


@pytest.mark.parametrize(("name", "said"), NAMES)
def test_names_that_lead_elsewhere_are_refused_and_the_others_go(
    store: Store, left: Left, name: str, said: str
) -> None:
    take_tar(store, tar_of((member(name), b"evil"), (member("good"), b"x")), left)
    take_zip(store, zip_of((name, b"evil"), ("good2", b"x")), left)
    assert left.texts == [said, said]
    assert list(store.keys()) == ["good", "good2"]


def test_names_mean_what_they_mean_to_others(store: Store, left: Left) -> None:
    take_tar(store, tar_of(member("./", tarfile.DIRTYPE), (member("./a//b/./c"), b"x"), (member("C:\\x"), b"x")), left)
    assert list(store.keys()) == ["C:\\x", "a/b/c"]
    assert left.texts == []


def test_names_that_are_not_utf8_and_links_of_the_store_are_refused(store: Store, left: Left, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "good").write_text("x")
    open(os.fsencode(source) + b"/bad\xff", "w").close()
    with DirectorySource(str(source)) as opened:
        take_from(store, opened, left)
    take_tar(store, tar_of(member("\x01link/token/-/once/k")), left)
    take_json(store, r'[{"key": "\ud800", "text": "x"}, {"key": "a\u0000b", "text": "x"}]', left)
    assert [text.partition(": ")[2] for text in left.texts] == [
        "'bad\\udcff' cannot be a file name: it is not UTF-8",
        "links travel under such keys",
        "it is not valid UTF-8",
        "it holds a NUL character",
    ]
    assert list(store.keys()) == ["good"]


def test_what_lies_behind_a_link_is_not_touched(store: Store, left: Left, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to(outside)
    (source / "file").symlink_to(outside / "secret")
    with DirectorySource(str(source)) as opened:
        take_from(store, opened, left)
    assert {key: (value, mode) for key, (value, mode, _) in contents(store).items()} == {
        "link": (os.fsencode(outside), LINK),
        "file": (os.fsencode(outside / "secret"), LINK),
    }


def test_a_member_behind_a_link_is_a_key_of_its_own(store: Store, left: Left, tmp_path: Path) -> None:
    link = member("x", tarfile.SYMTYPE, linkname=str(tmp_path))
    take_tar(store, tar_of(link, (member("x/evil"), b"evil")), left)
    assert not (tmp_path / "evil").exists()
    assert set(store.keys()) == {"x", "x/evil"}


def test_a_directory_that_becomes_a_link_meanwhile_is_not_followed(store: Store, left: Left, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "d" / "k").write_text("x")
    (source / "z").write_text("x")
    stat_of = os.stat

    def change(name: object, **options: object) -> os.stat_result:
        status = stat_of(name, **options)  # type: ignore[arg-type]
        if name == "d":
            (source / "d").rename(tmp_path / "moved")
            (source / "d").symlink_to("/etc")
        return status

    with pytest.MonkeyPatch.context() as patch, DirectorySource(str(source)) as opened:
        patch.setattr(os, "stat", change)
        take_from(store, opened, left)
    assert left.texts == ["left out d: not a directory"]
    assert list(store.keys()) == ["z"]


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_left_out(store: Store, left: Left, kind: bytes) -> None:
    take_tar(store, tar_of(member("device", kind), (member("good"), b"x")), left)
    info = zipfile.ZipInfo("zipped")
    info.create_system = 3
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    take_zip(store, zip_of((info, b"")), left)
    assert left.texts == [
        "left out device: it is a device, a pipe or a socket",
        "left out zipped: it is a device, a pipe or a socket",
    ]
    assert list(store.keys()) == ["good"]


def test_set_user_id_is_not_kept(store: Store, left: Left) -> None:
    take_tar(store, tar_of((member("k", mode=0o6755), b"x")), left)
    assert contents(store)["k"][1] == stat.S_IFREG | 0o755


def test_a_hard_link_has_the_value_of_the_other(store: Store, left: Left) -> None:
    large = os.urandom(300_000)
    data = tar_of(
        (member("a", mtime=1), large),
        (member("short"), b"x"),
        member("b", tarfile.LNKTYPE, linkname="a", mtime=1),
        member("c", tarfile.LNKTYPE, linkname="./short"),
        member("d", tarfile.LNKTYPE, linkname="/etc/passwd"),
        member("e", tarfile.LNKTYPE, linkname="missing"),
    )
    take_tar(store, data, left)
    assert {key: value for key, (value, *_) in contents(store).items()} == {
        "a": large,
        "b": large,
        "c": b"x",
        "short": b"x",
    }
    assert left.texts == [
        "left out /etc/passwd: its name is absolute",
        "left out e: it is a link to missing, which is not imported",
    ]


@pytest.mark.parametrize("target", [b"", b"a\0b", b"x" * 4096, b"\xff"])
def test_a_symbolic_link_to_nothing_possible_is_refused(store: Store, left: Left, target: bytes) -> None:
    item = Item("l", LINK, TIME, len(target), whole(target))
    assert take(store, [item, item._replace(key="ok", read=whole(b"x" * 4095))], left).failures == 1
    assert left.texts == ["left out l: no symbolic link can have such a target"]
    assert list(store.keys()) == ["ok"]


def test_a_header_that_pretends_to_be_huge_is_refused(store: Store, left: Left) -> None:
    bomb = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(bomb, closefd=False) as out:
        out.write(member("pax", tarfile.XHDTYPE, size=1 << 32).tobuf())
    with pytest.raises(SourceDamaged, match="a header of"):
        take_tar(store, bomb.getvalue(), left)


def test_many_zeros_that_were_compressed_take_no_room(store: Store, left: Left, tmp_path: Path) -> None:
    size = 200 * 1024 * 1024
    bomb = io.BytesIO()
    with gzip.open(bomb, "wb") as out:
        header = member("zeros", size=size).tobuf()
        out.write(header)
        for _ in range(size // (1 << 20)):
            out.write(bytes(1 << 20))
        out.write(bytes(1024))
    take_tar(store, bomb.getvalue(), left)
    assert store.get("zeros").size == size
    store.upkeep.checkpoint()
    assert os.stat(store.path).st_size < 2_000_000


def test_sparse_members_of_an_archive_have_their_holes(store: Store, left: Left, tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "sparse").write_bytes(b"")
    with open(tmp_path / "sparse", "r+b") as file:
        file.truncate(1 << 40)
        file.seek(1 << 39)
        file.write(b"middle")
    subprocess.run(["tar", "-Scf", "x.tar", "sparse"], cwd=tmp_path, check=True)
    take_tar(store, (tmp_path / "x.tar").read_bytes(), left)
    _, value = store.tree.open("sparse")
    assert (value.size, value.read((1 << 39) - 1, 8)) == (1 << 40, b"\0middle\0")
    value.close()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive",
        b"\0" * 10,
        gzip.compress(b"none", mtime=0),
        b"\x1f\x8brest",
        b"\x28\xb5\x2f\xfdrest",
        bytes(range(256)) * 8,
    ],
)
def test_what_is_no_archive_is_said_to_be_none(store: Store, left: Left, data: bytes) -> None:
    for take_it in (take_tar, take_zip):
        with pytest.raises(SourceDamaged) as caught:
            take_it(store, data, left)
        assert "is damaged, cut off or no" in error_line(caught.value)


def test_a_wrong_checksum_is_noticed(store: Store, left: Left) -> None:
    value = os.urandom(3000)
    zipped = bytearray(zip_of(("k", value)))
    zipped[500] ^= 1
    with pytest.raises(SourceDamaged, match="CRC"):
        take_zip(store, bytes(zipped), left)
    compressed = bytearray(gzip.compress(tar_of((member("k"), value))))
    compressed[-5] ^= 1
    with pytest.raises(SourceDamaged):
        take_tar(store, bytes(compressed), left)


def test_what_is_encrypted_in_a_zip_archive_is_left_out(store: Store, left: Left) -> None:
    data = bytearray(zip_of(("k", b"value")))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    data[6] |= 1
    take_zip(store, bytes(data), left)
    assert left.texts == ["left out k: it is encrypted"]


@pytest.mark.parametrize(
    ("extra", "time"),
    [
        (struct.pack("<HHq", 0x564B, 8, -5), -5),
        (struct.pack("<HHBi", 0x5455, 5, 1, -7), -7 * 10**9),
        (struct.pack("<HHIHHQQQ", 0x000A, 32, 0, 1, 24, (11_644_473_600 + 9) * 10**7 + 1, 0, 0), 9 * 10**9 + 100),
        (b"\0\0\xff\xffshort", None),
        (b"x", None),
    ],
)
def test_times_of_zip_archives_are_the_most_exact_there(
    store: Store, left: Left, extra: bytes, time: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = zipfile.ZipInfo("k", (2001, 2, 3, 4, 5, 6))
    info.extra = extra
    source = ZipSource(io.BytesIO(zip_of(("k", b"x"))), "x.zip")
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda _: [info])
    monkeypatch.setattr(ZipSource, "_read", lambda *_: iter([b"x"]))
    (item,) = source.items()
    import time as clock

    assert isinstance(item, Item)
    assert item.mtime == (int(clock.mktime((2001, 2, 3, 4, 5, 6, 0, 0, -1))) * 10**9 if time is None else time)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "entry 1: it does not begin with ["),
        ("{}", "entry 1: it does not begin with ["),
        ("[", "entry 1: Expecting value"),
        ("[1]", "entry 1: an object is expected"),
        ('[{"key": "a", "text": "x"}', "entry 2: it ends before its ]"),
        ('[{"key": "a", "text": "x"} {', "entry 2: '{' where , or ] should be"),
        ('[{"key": "a", "text": "x"}] x', "entry 2: there is more behind its ]"),
        ('[{"text": "x"}]', "entry 1: there is no key"),
        ('[{"key": "a"}]', "entry 1: it has either text or base64"),
        ('[{"key": "a", "text": "", "base64": ""}]', "entry 1: it has either text or base64"),
        ('[{"key": "a", "base64": "?"}]', "entry 1: base64 is not"),
        ('[{"key": 1, "text": "x"}]', "entry 1: key is no text"),
        ('[{"key": "a", "text": "x", "mode": "9"}]', "entry 1: mode is no permissions in octal: '9'"),
        ('[{"key": "a", "text": "x", "mtime": "now"}]', "entry 1: mtime is no seconds since the epoch: 'now'"),
        ('[{"key": "a", "text": "x", "type": "device"}]', "entry 1: type is none of file, symlink, directory"),
        ('[{"key": "a", "type": "directory"}]', "entry 1: the key of a directory ends in /"),
        ('[{"key": "a", "text": "x', "entry 1: "),
        ("[" * 100_000, "entry 1: "),
        (b"[\xff]", "entry 1: "),
    ],
)
def test_json_of_another_form_is_refused_with_its_place(
    store: Store, left: Left, text: str | bytes, reason: str
) -> None:
    with pytest.raises(SourceDamaged) as caught:
        take_json(store, text, left)
    assert error_line(caught.value).startswith(f"x.json is damaged, cut off or no JSON as of `kvass export`: {reason}")


def test_json_by_hand_needs_a_key_and_a_value(store: Store, left: Left) -> None:
    take_json(
        store,
        '\n[ {"key" : "a" , "text":"ü"},\n{"key":"b","base64":"/w=="} , {"key": "d/", "type": "directory"}]\n',
        left,
    )
    assert {key: value for key, (value, mode, _) in contents(store).items()} == {
        "a": "ü".encode(),
        "b": b"\xff",
        "d/": b"",
    }


def test_an_entry_of_json_that_comes_in_pieces_is_read_whole(store: Store, left: Left) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 7))

    text = f'[{{"key": "ä", "text": "{"é" * 5000}"}}]'
    take_from(store, JsonSource(Slow(text.encode()), "x"), left)
    assert store.get("ä").read() == ("é" * 5000).encode()


def test_the_same_name_twice_is_the_last_one(store: Store, left: Left) -> None:
    take_tar(store, tar_of((member("k"), b"one"), (member("k"), b"two")), left)
    assert store.get("k").read() == b"two"


def test_a_file_that_cannot_be_read_is_left_out_and_a_broken_disk_is_an_error(
    store: Store, left: Left, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "source").mkdir()
    for name in ("a", "b"):
        (tmp_path / "source" / name).write_text("x")
    opened = os.open

    def refuse(name: str, *arguments: int, **options: int) -> int:
        if name == "a":
            raise PermissionError(13, "Permission denied")
        return opened(name, *arguments, **options)

    with DirectorySource(str(tmp_path / "source")) as source, monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        take_from(store, source, left)
    assert left.told == [LeftOut("a", Reason.REFUSED, "permission denied")]
    assert list(store.keys()) == ["b"]

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with DirectorySource(str(tmp_path / "source")) as source, monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        with pytest.raises(SourceUnreadable, match="input/output error"):
            take_from(store, source, left)


def test_the_database_itself_is_not_opened(store: Store, left: Left) -> None:
    from kvassfs.transfer.target import identify_database

    put(store, "k", b"x", FILE)
    directory = os.path.dirname(store.path)
    with DirectorySource(directory, identify_database(store.path)) as source:
        take_from(store, source, left)
    assert {text for text in left.texts if "database itself" in text} >= {
        "left out store.sqlite: it is the database itself"
    }
    assert list(store.keys()) == ["k"]


def test_a_reader_that_goes_back_is_no_archive() -> None:
    reader = streams.ForwardReader(io.BytesIO(b"0123456789"))
    reader.seek(5)
    assert reader.read(2) == b"56"
    with pytest.raises(streams.ArchiveError):
        reader.seek(6)
