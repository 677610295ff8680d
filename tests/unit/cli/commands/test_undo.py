"""kvassfs_cli.commands.undo"""

from __future__ import annotations

import pytest

from kvassfs.entry import Delivery, Entry
from kvassfs.store import Store
from kvassfs_cli import streams
from kvassfs_cli.commands.undo import SHOWN, describe_plan
from tests.unit.cli.conftest import Kvass


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a person type standard input."""
    monkeypatch.setattr(streams, "input_is_terminal", lambda: True)


def test_undo_takes_the_last_change_back(kvass: Kvass, store: Store) -> None:
    kvass("set", "k", "one")
    kvass("set", "k", "two")
    assert kvass("undo") == (0, b"restored k\n", "")
    assert store.get("k").read() == b"one\n"
    assert kvass("undo") == (0, b"removed k\n", "")
    assert kvass("undo") == (1, b"", "kvass: nothing to undo\n")


def test_several_keys_go_back_at_once(kvass: Kvass, store: Store) -> None:
    for key in ("d/a", "d/b"):
        store.set(key, b"value")
    kvass("rm", "-r", "d")
    status, out, err = kvass("undo")
    assert (status, sorted(out.splitlines()), err) == (0, [b"restored d/a", b"restored d/b"], "")
    assert list(store.keys()) == ["d/a", "d/b"]


def test_a_dry_run_changes_nothing(kvass: Kvass, store: Store) -> None:
    kvass("set", "k", "one")
    status, out, err = kvass("undo", "--dry-run")
    assert (status, err) == (0, "")
    assert out.startswith(b"the change of 20")
    assert out.endswith(b":\n  remove k\n")
    assert list(store.keys()) == ["k"]


def remove_two(kvass: Kvass, store: Store) -> None:
    for key in ("a", "b"):
        store.set(key, b"value")
    kvass("rm", "a", "b")


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "status", "left"), [("y", 0, ["a", "b"]), ("n", 1, []), ("", 1, [])])
def test_a_person_is_asked_before_more_than_one_key_changes(
    kvass: Kvass, store: Store, answer: str, status: int, left: list[str]
) -> None:
    remove_two(kvass, store)
    done = kvass("undo", stdin=f"{answer}\n".encode())
    assert done.status == status
    assert "  restore a\n  restore b\nTake this back? [y/N]:" in done.err
    assert list(store.keys()) == left


@pytest.mark.usefixtures("terminal")
def test_nobody_is_asked_with_yes_nor_for_one_key(kvass: Kvass, store: Store) -> None:
    remove_two(kvass, store)
    assert kvass("undo", "--yes").status == 0
    kvass("rm", "a")
    assert kvass("undo") == (0, b"restored a\n", "")
    assert list(store.keys()) == ["a", "b"]


def test_what_has_changed_since_is_named_and_the_rest_goes_back(kvass: Kvass, store: Store) -> None:
    remove_two(kvass, store)
    row = store._entries.current("a")
    assert row is not None
    store.inbox.merge_pushed([Delivery(Entry("a", row.timestamp + 1, 90, 7, "T" * 22, 6), 90, b"theirs")])
    assert kvass("undo") == (
        1,
        b"restored b\n",
        "kvass: a has changed again since, and stays; `kvass log` shows its versions\n",
    )
    assert store.get("a").read() == b"theirs"


def test_of_many_keys_the_first_are_named(kvass: Kvass, store: Store) -> None:
    with store.transaction:
        for number in range(SHOWN + 5):
            store.set(f"k{number:02}", b"value")
    lines = list(describe_plan(store.undo.plan(), SHOWN))
    assert len(lines) == SHOWN + 2
    assert lines[-1] == "  and 5 more"
