"""How many long downloads go on at once."""

from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException

from kvassfs.server.downloads import Downloads


def is_refused(downloads: Downloads, token: str) -> bool:
    try:
        downloads.enter(token)()
    except HTTPException as refused:
        return (refused.status_code, refused.headers) == (503, {"Retry-After": "5"})
    return False


def test_one_token_has_a_few_and_others_have_theirs() -> None:
    downloads = Downloads(2, 10)
    leave, _ = downloads.enter("a"), downloads.enter("a")
    assert is_refused(downloads, "a")
    assert not is_refused(downloads, "b")
    leave()
    assert not is_refused(downloads, "a")


def test_all_tokens_together_have_a_limit() -> None:
    downloads = Downloads(2, 3)
    leaves = [downloads.enter(token) for token in ("a", "a", "b")]
    assert is_refused(downloads, "c")
    for leave in leaves:
        leave()
    assert not is_refused(downloads, "c")


@pytest.mark.parametrize("count", [1, 5])
def test_those_that_have_ended_leave_nothing(count: int) -> None:
    downloads = Downloads(count, count)
    for leave in [downloads.enter("a") for _ in range(count)]:
        leave()
    for leave in [downloads.enter("b") for _ in range(count)]:
        leave()
    assert not downloads._counts
