"""The forms of what is imported and exported, told by the ends of names."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import BinaryIO, cast

from ..transfer_errors import SourceUnreadable, UnknownForm
from .items import Sink, Source
from .streams import CountingReader, Readable, file_size
from .target import FileId, new_file


class Form(Enum):
    """A form; its value is what ``--format`` calls it."""

    DIRECTORY = "directory"
    TAR = "tar"
    TAR_GZ = "tar.gz"
    TAR_ZST = "tar.zst"
    ZIP = "zip"
    JSON = "json"


ENDINGS = {
    ".tar": Form.TAR,
    ".tar.gz": Form.TAR_GZ,
    ".tgz": Form.TAR_GZ,
    ".tar.zst": Form.TAR_ZST,
    ".tzst": Form.TAR_ZST,
    ".zip": Form.ZIP,
    ".json": Form.JSON,
}
"""Forms by how names end, in any case."""

STANDARD = "-"
"""The name of standard input and output."""

LABEL = "standard input"

StandardInput = Callable[[], AbstractContextManager[Readable]]
"""Opens standard input."""

SPOOLED = 8 * 1024 * 1024
"""Bytes of an archive from a pipe, which has to be read in any order, that are kept in memory."""


def find_form(name: str, *, is_source: bool) -> Form:
    """Return the form of what is called ``name``.

    Raises:
        UnknownForm: it does not say so.
    """
    if name == STANDARD:
        raise UnknownForm(name)
    if name.endswith("/") or os.path.isdir(name):
        return Form.DIRECTORY
    lower = name.lower()
    for ending, form in ENDINGS.items():
        if lower.endswith(ending):
            return form
    if is_source and not os.path.lexists(name):
        raise SourceUnreadable(name, "no such file or directory")
    if not is_source and "." not in os.path.basename(name):
        return Form.DIRECTORY
    raise UnknownForm(name)


@contextmanager
def open_source(form: Form, name: str, stdin: StandardInput, never_open: Collection[FileId]) -> Iterator[Source]:
    """``with`` the source of what is called ``name``.

    Raises:
        SourceUnreadable
    """
    if form is Form.DIRECTORY:
        from .directory_source import DirectorySource  # noqa: PLC0415  of the forms, one is used

        with DirectorySource(name, never_open) as directory:
            yield directory
        return
    with open_input(name, stdin, never_open) as file:
        if form is Form.ZIP and name == STANDARD:
            with _spool(file, LABEL) as spooled:
                yield _make_source(form, spooled, name)
        else:
            yield _make_source(form, file, name)


@contextmanager
def open_input(name: str, stdin: StandardInput, never_open: Collection[FileId] = ()) -> Iterator[Readable]:
    """``with`` the file called ``name``, or standard input.

    Raises:
        SourceUnreadable
    """
    if name == STANDARD:
        with stdin() as stream:
            yield stream
        return
    try:
        status = os.stat(name)
        if (status.st_dev, status.st_ino) in never_open:
            raise SourceUnreadable(name, "it is the database itself")
        file = open(name, "rb")  # noqa: SIM115  closed below; only opening may fail so
    except OSError as error:
        raise SourceUnreadable(name, (error.strerror or str(error)).lower()) from error
    with file:
        yield file


def _make_source(form: Form, file: Readable, name: str) -> Source:
    size = file_size(cast("BinaryIO", file)) if name != STANDARD else 0
    label = LABEL if name == STANDARD else name
    if form is Form.ZIP:
        from .zip_files import ZipSource  # noqa: PLC0415

        return ZipSource(cast("BinaryIO", file), label)
    if form is Form.JSON:
        from .json_files import JsonSource  # noqa: PLC0415

        return JsonSource(file, label, size)
    from .tar_files import TarSource  # noqa: PLC0415

    return TarSource(file, label, size)


@contextmanager
def _spool(stream: Readable, name: str) -> Iterator[BinaryIO]:
    """``with`` a file that has all of a pipe: a zip archive has the list of its members at its end."""
    with tempfile.SpooledTemporaryFile(SPOOLED) as spooled:
        try:
            shutil.copyfileobj(CountingReader(stream, name), spooled)
            spooled.seek(0)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise SourceUnreadable(name, f"it cannot be kept in a temporary file ({reason})") from error
        yield cast("BinaryIO", spooled)


@contextmanager
def open_sink(
    form: Form, name: str, stdout: BinaryIO, *, force: bool, never_replace: Collection[FileId]
) -> Iterator[Sink]:
    """``with`` the sink of what is called ``name``; where the block fails, no file is left.

    Raises:
        TargetExists, TargetUnwritable
    """
    if form is Form.DIRECTORY:
        from .directory_sink import DirectorySink  # noqa: PLC0415

        with DirectorySink(name, force=force, never_open=never_replace) as directory:
            yield directory
    elif name == STANDARD:
        with make_sink(form, stdout, "standard output") as sink:
            yield sink
    else:
        with (
            new_file(name, force=force, never_replace=never_replace) as path,
            open(path, "wb") as file,
            make_sink(form, file, name) as sink,
        ):
            yield sink


@contextmanager
def make_sink(form: Form, file: BinaryIO, name: str) -> Iterator[Sink]:
    """``with`` what writes the form of a file to ``file``, called ``name``."""
    sink = _make_sink(form, file, name)
    try:
        yield sink
    except BaseException:
        sink.abandon()
        raise


def _make_sink(form: Form, file: BinaryIO, name: str) -> Sink:
    if form is Form.ZIP:
        from .zip_files import ZipSink  # noqa: PLC0415

        return ZipSink(file, name)
    if form is Form.JSON:
        from .json_files import JsonSink  # noqa: PLC0415

        return JsonSink(file, name)
    from .tar_files import TarSink  # noqa: PLC0415

    return TarSink(file, name, form.value.partition(".")[2])
