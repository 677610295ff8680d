"""Choosing a binding, and what it hands to libfuse; nothing is mounted here."""

from __future__ import annotations

import ctypes
import importlib
import inspect
import os
import threading
from functools import partial
from typing import Any

import pytest

from kvassfs.mount import binding as module
from kvassfs.mount import requirements
from kvassfs.mount.binding import BINDINGS, Binding, Presentation, choose
from kvassfs.mount.errors import FuseMissing, MountError, MountFailed
from kvassfs.mount.operations import Operations


@pytest.fixture(params=BINDINGS)
def binding(request: pytest.FixtureRequest) -> Binding:
    return choose(request.param)


# Choosing


def test_mfusepy_on_libfuse_3_comes_first() -> None:
    found = choose()
    assert (found.name, found.major) == ("mfusepy", 3)


def test_fusepy_on_libfuse_2_can_be_forced() -> None:
    found = choose("fusepy")
    assert (found.name, found.major) == ("fusepy", 2)


def test_fusepy_is_taken_where_libfuse_3_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.LIBRARIES, 3, ("libnothing.so.3",))
    monkeypatch.setattr(module, "find_library", lambda *_: None)
    assert choose().name == "fusepy"


@pytest.mark.parametrize(("wanted", "package"), [("auto", "fuse3"), ("mfusepy", "fuse3"), ("fusepy", "libfuse2")])
def test_one_line_names_the_package_where_no_libfuse_is_found(
    monkeypatch: pytest.MonkeyPatch, wanted: str, package: str
) -> None:
    monkeypatch.setattr(module, "_library", missing)
    monkeypatch.setattr(requirements, "_os_release", lambda: "ID=debian\n")
    with pytest.raises(FuseMissing) as raised:
        choose(wanted)
    assert str(raised.value) == f"cannot mount: libfuse is missing; install it, as root, with: apt install {package}"


def missing(major: int) -> str:
    raise OSError(major)


def test_an_unknown_binding_is_refused() -> None:
    with pytest.raises(MountError, match="unknown FUSE binding 'fuse': choose auto, mfusepy or fusepy"):
        choose("fuse")


def test_a_library_that_only_the_linker_knows_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.LIBRARIES, 3, ())
    assert module._library(3).startswith("libfuse3.so")


@pytest.mark.parametrize("before", [None, "/somewhere/else.so"])
def test_the_environment_is_as_before_after_the_import(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    monkeypatch.delenv("FUSE_LIBRARY_PATH", raising=False)
    if before is not None:
        monkeypatch.setenv("FUSE_LIBRARY_PATH", before)
    with module._environment("FUSE_LIBRARY_PATH", "libfuse3.so.3"):
        assert os.environ["FUSE_LIBRARY_PATH"] == "libfuse3.so.3"
    assert os.environ.get("FUSE_LIBRARY_PATH") == before


# What libfuse gets


def fields(binding: Binding) -> dict[str, Any]:
    """Return the prototypes of the callbacks that libfuse has, by name."""
    operations = importlib.import_module(BINDINGS[binding.name][0]).fuse_operations
    return {name: kind for name, kind, *_ in operations._fields_ if hasattr(kind, "_argtypes_")}


def test_each_callback_takes_what_libfuse_passes(binding: Binding) -> None:
    methods = {name: method for name, method in vars(Operations).items() if not name.startswith("_")}
    for name, prototype in fields(binding).items():
        if name in methods:
            inspect.signature(methods[name]).bind(None, *prototype._argtypes_)


def test_each_callback_is_one_of_libfuse_2_or_3() -> None:
    known = fields(choose("mfusepy")).keys() | fields(choose("fusepy")).keys()
    assert [name for name in vars(Operations) if not name.startswith("_") and name not in known] == []


def test_what_libfuse_calls_is_the_callback_itself(binding: Binding) -> None:
    got = []

    def getattr_(path: bytes, stat: int, info: int = 0) -> int:
        got.append((path, stat, info))
        return -2

    table, functions = binding._table({"getattr": getattr_, "no such callback": getattr_})
    assert len(functions) == 1
    address = ctypes.c_void_p.from_buffer(table, type(table).getattr.offset).value or 0
    pointers = [ctypes.c_size_t] * (2 if binding.major == 3 else 1)
    call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, *pointers)(address)
    assert call(b"/a", *(5, 6)[: len(pointers)]) == -2
    assert got == [(b"/a", 5, 6 if binding.major == 3 else 0)]
    assert not table.unlink


def test_libfuse_2_passes_times_that_are_left_as_they_are() -> None:
    table, _ = choose("fusepy")._table({})
    assert table.flag_utime_omit_ok == 1


def test_libfuse_2_calls_for_files_that_have_no_path_any_more() -> None:
    table, _ = choose("fusepy")._table({})
    assert table.flag_nullpath_ok == 1


def test_the_kernel_is_asked_for_plain_readdirplus() -> None:
    binding = choose("mfusepy")
    connection, configuration = binding._module.fuse_conn_info(want=0xFFFF), binding._module.fuse_config()
    binding.begin(ctypes.addressof(connection), ctypes.addressof(configuration))
    assert connection.want == 0xFFFF & ~module.CAP_READDIRPLUS_AUTO


def test_the_timeouts_of_libfuse_3_are_found_in_its_configuration() -> None:
    binding = choose("mfusepy")
    connection = binding._module.fuse_conn_info()
    configuration = binding._module.fuse_config(entry_timeout=60, negative_timeout=0.5, attr_timeout=60)
    binding.begin(ctypes.addressof(connection), ctypes.addressof(configuration))
    binding.layout.cache_times.suspend()
    kept = (configuration.entry_timeout, configuration.negative_timeout, configuration.attr_timeout)
    assert kept == (0, 0, 0)


def test_the_numbers_of_files_are_ours() -> None:
    binding = choose("mfusepy")
    connection, configuration = binding._module.fuse_conn_info(), binding._module.fuse_config()
    binding.begin(ctypes.addressof(connection), ctypes.addressof(configuration))
    assert configuration.use_ino == 1
    assert "use_ino" in set(choose("fusepy").options(Presentation()))


def test_libfuse_3_gets_no_option_that_it_refuses() -> None:
    refused = {"big_writes", "atomic_o_trunc", "nonempty", "max_write", "max_readahead", "async_read"}
    assert refused & set(choose("mfusepy").options(Presentation())) == set()
    assert {"big_writes", "atomic_o_trunc"} <= set(choose("fusepy").options(Presentation()))


def test_options_say_how_the_mount_looks(binding: Binding) -> None:
    plain = set(binding.options(Presentation("a,b\\c")))
    assert {"fsname=a\\,b\\\\c", "subtype=kvassfs", "default_permissions", "entry_timeout=60"} <= plain
    assert not {"ro", "allow_other"} & plain
    assert {"ro", "allow_other"} <= set(binding.options(Presentation(read_only=True, allow_other=True)))


def test_a_mount_whose_process_is_killed_stays(binding: Binding) -> None:
    assert "auto_unmount" not in set(binding.options(Presentation()))


# Beginning and end, with libfuse's main() played by the test


class Play:
    """Stands for libfuse: calls `init` and `destroy` of the table that it is given."""

    def __init__(self, binding: Binding, monkeypatch: pytest.MonkeyPatch, *, mounts: bool = True) -> None:
        self.stopped = False
        self.mounts = mounts
        monkeypatch.setattr(binding, "_main", self.main)
        monkeypatch.setattr(binding, "begin", lambda *_: None)
        monkeypatch.setattr(binding, "server", lambda: module.Server(7, 8))
        monkeypatch.setattr(binding, "stop", self.stop)

    def stop(self, fuse: int) -> None:
        assert fuse == 7
        self.stopped = True

    def main(self, _options: list[str], _directory: str, table: Any) -> int:
        for name in ("init", "destroy") if self.mounts else ():
            prototype = next(kind for field, kind, *_ in table._fields_ if field == name)
            address = ctypes.c_void_p.from_buffer(table, getattr(type(table), name).offset).value or 0
            ctypes.CFUNCTYPE(ctypes.c_void_p, *[ctypes.c_void_p] * len(prototype._argtypes_))(address)(
                *[None] * len(prototype._argtypes_)
            )
        return 8


def test_a_mount_says_when_it_starts_and_when_it_has_ended(binding: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    Play(binding, monkeypatch)
    heard: list[str] = []
    binding.serve(
        {}, "/d", Presentation(), started=lambda: heard.append("started"), ended=lambda: heard.append("ended")
    )
    assert heard == ["started", "ended"]


def test_a_failure_at_the_start_ends_the_mount_and_is_raised(binding: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(binding, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        binding.serve({}, "/d", Presentation(), started=lambda: 1 // 0)  # type: ignore[arg-type]
    assert play.stopped


def test_a_failure_at_the_end_is_raised(binding: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    Play(binding, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        binding.serve({}, "/d", Presentation(), ended=lambda: 1 // 0)  # type: ignore[arg-type]


def test_a_mount_that_does_not_come_about_is_an_error(binding: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    Play(binding, monkeypatch, mounts=False)
    with pytest.raises(MountFailed, match="could not mount /d: libfuse gave up"):
        binding.serve({}, "/d", Presentation())


@pytest.mark.parametrize("moment", ["before init", "in init", "between", "in destroy", "after destroy"])
def test_a_mount_can_be_stopped_at_any_moment(binding: Binding, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    play = Play(binding, monkeypatch)
    woken = []
    monkeypatch.setattr("kvassfs.mount.ending.wake_reader", lambda *arguments: woken.append(arguments))
    heard = []
    life = module._Life(binding, lambda: heard.append("started"), lambda: heard.append("ended"))
    monkeypatch.setattr(life, "_started", partial(life.stop) if moment == "in init" else life._started)
    monkeypatch.setattr(life, "_ended", partial(life.stop) if moment == "in destroy" else life._ended)
    for step in ("before init", "init", "between", "destroy", "after destroy"):
        if step in {"init", "destroy"}:
            getattr(life, step)(0)
        elif step == moment:
            life.stop()
    assert play.stopped == (moment in {"before init", "in init", "between"})
    assert woken == ([(8, threading.get_ident())] if moment == "between" else [])
    assert life.began
    assert life.error is None
