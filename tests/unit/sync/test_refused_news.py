"""kvassfs.sync.refused_news"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvassfs.store import Store
from kvassfs.sync.refused_news import MOST_KEPT, MOST_TOLD, RefusedNews


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "db") as store:
        yield store


def test_each_is_told_once_and_again_for_another_reason(store: Store) -> None:
    store.sealed.note_pulled((), [("before", "known")])
    said: list[str] = []
    news = RefusedNews(store, said.append)
    news.tell(store)
    assert said == []
    for reason in ("forged", "forged", "damaged"):
        store.sealed.note_pulled((), [("a", reason)])
        news.tell(store)
        news.tell(store)
    assert said == ["not taken from the hub, a: forged", "not taken from the hub, a: damaged"]


def test_of_many_some_are_told_and_how_many_more_there_are(store: Store) -> None:
    said: list[str] = []
    news = RefusedNews(store, said.append)
    for start in range(0, 4 * MOST_KEPT, MOST_KEPT):
        said.clear()
        store.sealed.note_pulled((), [(f"{start + number}", "forged") for number in range(MOST_KEPT)])
        news.tell(store)
        assert len(said) == MOST_TOLD + 1
        assert said[-1] == f"not taken from the hub, {MOST_KEPT - MOST_TOLD} more: `kvass status` lists the latest"
    assert len(news._told) == MOST_KEPT
