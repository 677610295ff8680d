"""Media types and names for saving."""

from __future__ import annotations

import stat
from urllib.parse import unquote

import pytest

from kvassfs.server.media import decide_type, file_name, format_disposition, guess_type, needs_head

LINK = stat.S_IFLNK | 0o777


def type_of(key: str, value: bytes = b"value", mode: int | None = None) -> str:
    guess = guess_type(key, mode)
    return decide_type(guess, value if needs_head(guess) else b"", len(value))


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("logo.png", "image/png"),
        ("a/b/PHOTO.JPG", "image/jpeg"),
        ("logo.svg", "image/svg+xml"),
        ("picture.webp", "image/webp"),
        ("film.webm", "video/webm"),
        ("film.mp4", "video/mp4"),
        ("song.opus", "audio/ogg"),
        ("paper.pdf", "application/pdf"),
        ("data.json", "application/json"),
        ("page.html", "text/html; charset=utf-8"),
        ("notes/trip.md", "text/markdown; charset=utf-8"),
        ("script.js", "text/javascript; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("table.csv", "text/csv; charset=utf-8"),
        ("src.tar.gz", "application/gzip"),
        ("dump.xz", "application/x-xz"),
        ("secrets.zip", "application/zip"),
        ("https://example.org/a.png", "image/png"),
        ("data:text/html,x", "text/plain; charset=utf-8"),
        ("todo", "text/plain; charset=utf-8"),
        (".profile", "text/plain; charset=utf-8"),
        ("png", "text/plain; charset=utf-8"),
        ("what.unknown", "text/plain; charset=utf-8"),
    ],
)
def test_the_extension_of_the_key_says_the_type(key: str, kind: str) -> None:
    assert type_of(key) == kind


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (b"", "text/plain; charset=utf-8"),
        ("grüß dich 👋".encode(), "text/plain; charset=utf-8"),
        ("grüß dich".encode("latin-1"), "application/octet-stream"),
        (b"text\0", "application/octet-stream"),
        ("👋".encode()[:3], "application/octet-stream"),
    ],
)
def test_without_an_extension_the_value_says_it(value: bytes, kind: str) -> None:
    assert type_of("key", value) == kind


def test_text_in_another_character_set_is_not_said_to_be_in_utf_8() -> None:
    assert type_of("page.html", "grüß dich".encode("latin-1")) == "text/html"


def test_a_character_that_the_head_cuts_is_none_of_another_set() -> None:
    head = "grü".encode()[:-1]
    assert decide_type(None, head, len(head) + 1) == "text/plain; charset=utf-8"


def test_a_symbolic_link_is_the_text_of_its_target() -> None:
    assert type_of("logo.png", b"../pictures/logo.png", LINK) == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("key", "name"), [("a/b.txt", "b.txt"), ("b", "b"), ("etc/", "etc"), ("/", "value"), ("a//", "a"), ("..", "..")]
)
def test_it_is_saved_under_the_last_part_of_the_key(key: str, name: str) -> None:
    assert file_name(key) == name


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("a/logo.png", 'inline; filename="logo.png"'),
        ("my notes.txt", 'inline; filename="my notes.txt"'),
        ("naïve plan.txt", "inline; filename=\"na_ve plan.txt\"; filename*=UTF-8''na%C3%AFve%20plan.txt"),
        ("€ rates", "inline; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"),
        ('a"b\\c.txt', "inline; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b%5Cc.txt"),
        ("50%.txt", "inline; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt"),
        ("a\r\nSet-Cookie: x", "inline; filename=\"a__Set-Cookie: x\"; filename*=UTF-8''a%0D%0ASet-Cookie%3A%20x"),
    ],
)
def test_the_name_is_written_as_the_standards_say(key: str, value: str) -> None:
    assert format_disposition(key) == value


@pytest.mark.parametrize("key", ["naïve plan.txt", "猫咪.png", 'quo"te', "50%", "👋", "a;b='é'.txt"])
def test_the_whole_name_is_read_back(key: str) -> None:
    written = format_disposition(key)
    assert written.isascii()
    assert unquote(written.rpartition("; filename*=UTF-8''")[2]) == key
