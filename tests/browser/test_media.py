"""Videos play, and going to another moment of one gets only what is needed for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.driver import Shared, Visitor
from tests.browser.neighbour import Neighbour
from tests.browser.samples import CODECS

DURATION = 20.0
LATE = 18.0

PLAYER = """<!DOCTYPE html>
<title>a film</title>
<video src="{url}" muted autoplay controls></video>
<script>
const video = document.querySelector("video")
video.onseeked = () => document.title = "seeked"
</script>
"""

WATCH = """(video => ({
    duration: video.duration,
    time: video.currentTime,
    size: [video.videoWidth, video.videoHeight],
    ready: video.readyState,
    seeking: video.seeking,
    refused: video.networkState === HTMLMediaElement.NETWORK_NO_SOURCE,
}))(document.querySelector("video"))"""


PLAY = "(video => { video.muted = true; video.play() })(document.querySelector('video'))"


@pytest.fixture(params=CODECS)
def film(request: pytest.FixtureRequest, videos: dict[str, Path]) -> Path:
    return videos[request.param]


def shared(hub: Shared, film: Path) -> str:
    with film.open("rb") as stream:
        return hub.give(f"films/{film.name}", stream)


def state(visitor: Visitor) -> dict[str, Any]:
    found: dict[str, Any] = visitor.page.evaluate(WATCH)
    if found["refused"]:  # as it also is for a moment before the player asks
        visitor.page.wait_for_timeout(500)
        found = visitor.page.evaluate(WATCH)
    assert not found["refused"], f"the video cannot be had; the console says {visitor.console}"
    return found


def watch_and_seek(visitor: Visitor, size: int) -> None:
    """Let a video begin, go to a moment near its end, and see that the part from there on was asked for."""
    visitor.wait(lambda: state(visitor)["ready"] >= 2, "the first picture")
    begun = state(visitor)
    assert abs(begun["duration"] - DURATION) < 0.1
    assert begun["size"] == [320, 180]
    visitor.page.evaluate(PLAY)
    visitor.wait(lambda: state(visitor)["time"] > begun["time"] + 0.2, "the video to play")
    before = len(visitor.responses)
    visitor.page.evaluate(f"document.querySelector('video').currentTime = {LATE}")
    visitor.wait(lambda: not (now := state(visitor))["seeking"] and now["ready"] >= 2, "the late picture")
    assert state(visitor)["time"] >= LATE
    parts = [part for response in visitor.responses[before:] if (part := part_of(response.headers)) is not None]
    assert any(0.8 * size < start < 0.95 * size for start in parts), parts
    assert all(response.status == 206 for response in visitor.responses[before:])


def part_of(headers: dict[str, str]) -> int | None:
    """Return where the part begins that an answer brings."""
    found = re.fullmatch(r"bytes (\d+)-\d+/\d+", headers.get("content-range", ""))
    return None if found is None else int(found[1])


def test_a_video_opened_by_its_address_plays_from_any_moment(hub: Shared, visitor: Visitor, film: Path) -> None:
    visitor.page.goto(shared(hub, film))
    try:
        watch_and_seek(visitor, film.stat().st_size)
    finally:
        visitor.picture(f"opened-{film.name}")


def test_a_video_in_the_page_of_another_site_plays_from_any_moment(
    hub: Shared, visitor: Visitor, neighbour: Neighbour, film: Path
) -> None:
    neighbour.pages["/player"] = PLAYER.format(url=shared(hub, film))
    visitor.page.goto(f"{neighbour.url}/player")
    watch_and_seek(visitor, film.stat().st_size)
    visitor.wait(lambda: visitor.page.title() == "seeked", "the event")
    visitor.picture(f"embedded-{film.name}")
    # Of what the player has already, it asks whether that is still right.
    assert {"GET /get 206"} <= set(hub.requests()) <= {"GET /get 206", "GET /get 304"}
