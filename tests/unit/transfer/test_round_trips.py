"""Every key comes back from every form as it was: value, mode and time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.transfer.forms import Form, open_sink, open_source
from tests.unit.transfer.conftest import ODD, Left, contents, fill, give, put, take_from

FORMS = list(Form)
STREAMS = [form for form in Form if form is not Form.DIRECTORY]
NAMES = {form: f"export.{form.value}" if form is not Form.DIRECTORY else "export" for form in Form}


def write(store: Store, form: Form, target: str, prefix: str = "", stdout: io.BytesIO | None = None) -> Left:
    left = Left()
    with open_sink(form, target, stdout or io.BytesIO(), force=False, never_replace=()) as sink:
        give(store, sink, left, prefix)
    return left


def read(store: Store, form: Form, source: str, prefix: str = "", stdin: bytes = b"") -> Left:
    left = Left()
    with open_source(form, source, lambda: nullcontext(io.BytesIO(stdin)), ()) as opened:
        take_from(store, opened, left, prefix)
        done, total = opened.position()
        assert done <= total or not total
    return left


@contextmanager
def writable(directory: Path) -> Iterator[None]:
    """``with`` a directory that pytest can remove afterwards."""
    yield
    for above, _, _ in os.walk(directory):
        os.chmod(above, 0o700)


@pytest.mark.parametrize("form", FORMS)
def test_all_keys_come_back(store: Store, other: Store, tmp_path: Path, form: Form) -> None:
    fill(store)
    target = str(tmp_path / NAMES[form])
    with writable(tmp_path / "export"):
        assert write(store, form, target).texts == []
        assert read(other, form, target).texts == []
    before, after = contents(store), contents(other)
    assert {key: after.get(key) for key in before} == before
    # Directories that were there because of what is in them have an entry now.
    assert all(key.endswith("/") for key in after.keys() - before.keys())


@pytest.mark.parametrize("form", FORMS)
def test_importing_once_more_changes_nothing(store: Store, other: Store, tmp_path: Path, form: Form) -> None:
    fill(store)
    target = str(tmp_path / NAMES[form])
    with writable(tmp_path / "export"):
        write(store, form, target)
        for each in (store, other):
            read(each, form, target)
            clock = each.settings.config().clock
            assert read(each, form, target).texts == []
            assert each.settings.config().clock == clock


@pytest.mark.parametrize("form", FORMS)
def test_a_part_goes_below_another_prefix(store: Store, other: Store, tmp_path: Path, form: Form) -> None:
    for key in ["", *ODD]:
        put(store, f"from/{key}", b"x")
        put(store, f"not/{key}", b"x")
    target = str(tmp_path / NAMES[form])
    write(store, form, target, "from/")
    read(other, form, target, "to/below/")
    assert {key for key in contents(other, "to/below/") if key[-1:] != "/" or key in ODD} == {"", *ODD}
    assert [key for key in other.keys() if not key.startswith("to/below/")] == []


@pytest.mark.parametrize("form", STREAMS)
def test_standard_output_and_input_do_as_well(store: Store, other: Store, form: Form) -> None:
    fill(store)

    class Pipe(io.BytesIO):
        """Can neither seek nor tell, as a pipe."""

        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

        def seek(self, *_: int) -> int:
            raise OSError

    pipe = Pipe()
    write(store, form, "-", stdout=pipe)
    assert read(other, form, "-", stdin=pipe.getvalue()).texts == []
    after = contents(other)
    assert {key: after.get(key) for key in contents(store)} == contents(store)


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_store_makes_an_empty_export(store: Store, other: Store, tmp_path: Path, form: Form) -> None:
    target = str(tmp_path / NAMES[form])
    write(store, form, target)
    read(other, form, target)
    assert contents(other) == {}


@pytest.mark.parametrize("form", STREAMS)
def test_an_archive_that_is_cut_off_anywhere_is_said_to_be(
    store: Store, other: Store, tmp_path: Path, form: Form
) -> None:
    from kvassfs.transfer_errors import SourceDamaged

    for number in range(20):
        put(store, f"k{number}", os.urandom(300))
    target = tmp_path / NAMES[form]
    write(store, form, str(target))
    whole = target.read_bytes()
    for length in range(0, len(whole) - 2, max(1, len(whole) // 60)):
        if form is Form.TAR and whole[length:].strip(b"\0") == b"":  # all but some of the zeros at the end
            continue
        target.write_bytes(whole[:length])
        with pytest.raises(SourceDamaged):
            read(other, form, str(target))
