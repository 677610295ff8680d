"""kvassfs_cli.config_values"""

from __future__ import annotations

import pytest

from kvassfs.errors import InvalidConfiguration
from kvassfs_cli import config_values

KEY = "cd9994e3a0c5ca40c2652ff21ab401d6d3a1a5c5fd5482ae62c03ce32d340b49"


def test_an_encryption_key_is_64_hex_digits() -> None:
    assert (
        config_values.parse_encryption_key(KEY) == config_values.parse_encryption_key(KEY.upper()) == bytes.fromhex(KEY)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 0"),
        (KEY[:-1], "has 63"),
        (KEY + "0", "has 65"),
        (KEY[:-1] + "g", "has other characters"),
        (f"{KEY} ", "has other characters"),
        (f"{KEY}\n", "has other characters"),
        (f"0x{KEY}", "has other characters"),
        ("٣" * 64, "has other characters"),
        (" ".join(KEY[at : at + 2] for at in range(0, 64, 2)), "has other characters"),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_without_the_key(text: str, reason: str) -> None:
    with pytest.raises(InvalidConfiguration, match=reason) as caught:
        config_values.parse_encryption_key(text)
    assert KEY[:8] not in str(caught.value)


@pytest.mark.parametrize("text", ["1", "1001", "4294967295", "0000000001"])
def test_a_process_id_is_a_number(text: str) -> None:
    assert config_values.parse_process_id(text) == int(text)


@pytest.mark.parametrize("text", ["0", "4294967296", "-1", "", " 1", "1.5", "0x10", "1_000", "٣", "9" * 5000])
def test_other_process_ids_are_refused_with_the_range(text: str) -> None:
    with pytest.raises(InvalidConfiguration, match="from 1 to 4294967295"):
        config_values.parse_process_id(text)


@pytest.mark.parametrize(
    ("connect", "progress", "limits"),
    [
        ("2", "20", (2.0, 20.0)),
        ("0.5", ".25", (0.5, 0.25)),
        ("3600", "0.001", (3600.0, 0.001)),
        ("2", None, (2.0, 10.0)),
        ("default", None, (None, None)),
    ],
)
def test_timeouts_are_seconds(connect: str, progress: str | None, limits: tuple[float, float]) -> None:
    assert config_values.parse_timeouts(connect, progress, (1.0, 10.0)) == limits


@pytest.mark.parametrize("text", ["", "0", "0.0", "-1", "3601", "nan", "inf", "1e3", " 1", "1s", "1.", "٣", "9" * 500])
def test_other_timeouts_are_refused_with_the_range(text: str) -> None:
    for arguments in ((text, None), ("1", text)):
        with pytest.raises(InvalidConfiguration, match="a number of seconds up to 3600"):
            config_values.parse_timeouts(*arguments, (1.0, 10.0))


def test_default_stands_for_both_timeouts_and_not_for_one() -> None:
    with pytest.raises(InvalidConfiguration):
        config_values.parse_timeouts("default", "1", (1.0, 10.0))
    with pytest.raises(InvalidConfiguration):
        config_values.parse_timeouts("1", "default", (1.0, 10.0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "localhost:8000",
        "192.0.2.1:8000",
        "[2001:db8::1]:8000",
        "kvass.example.org",
        "http://127.0.0.1:18001",
        "https://example.org/kvass/",
        "HTTPS://example.org",
        "hüb.example:80",
    ],
)
def test_a_remote_is_a_host_or_a_url(text: str) -> None:
    assert config_values.check_remote(text) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("example.org:8000 ", "white space"),
        ("exa mple.org", "white space"),
        ("example.org\n", "white space"),
        ("exa\tmple", "white space"),
        ("ftp://example.org", "begins with http"),
        ("://example.org", "begins with http"),
        ("example.org:", "no host and port"),
        ("example.org:port", "port"),
        ("example.org:65536", "port"),
        ("example.org:-1", "port"),
        ("example.org:0", "port"),
        (":8000", "no host"),
        ("http://", "no host"),
        ("http://:80", "no host"),
        ("[::1:80", "no host and port"),
        ("2001:db8::1", "port"),
        ("exa\udcffmple", "UTF-8"),
    ],
)
def test_other_remotes_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidConfiguration, match=reason):
        config_values.check_remote(text)


@pytest.mark.parametrize(
    ("count", "days", "limits"),
    [("5", None, (5, 30.0)), ("5", "7", (5, 7)), ("0", "0", (0, 0)), ("default", None, (None, None))],
)
def test_limits_of_the_history_are_numbers(count: str, days: str | None, limits: tuple[int | None, ...]) -> None:
    assert config_values.parse_history(count, days, (10, 30.0)) == limits


@pytest.mark.parametrize(
    ("count", "days", "message"),
    [
        ("x", None, "a count of versions is a number from 0 to 999999, and 'x' is not"),
        ("-1", None, "a count of versions is a number from 0 to 999999, and '-1' is not"),
        ("1", "1.5", "a number of days is a number from 0 to 999999, and '1.5' is not"),
        ("default", "3", "a count of versions is a number from 0 to 999999, and 'default' is not"),
        ("1000000", None, "a count of versions is a number from 0 to 999999, and '1000000' is not"),
    ],
)
def test_other_limits_are_refused(count: str, days: str | None, message: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        config_values.parse_history(count, days, (10, 30.0))
    assert str(caught.value) == message
