"""Addresses and links of real devices at a real hub, opened with curl."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.devices import Device, Network
from tests.support.programs import need
from tests.support.waiting import wait_until

URL = "user.kvass.url"

MIB = 1024 * 1024


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with Network(tmp_path) as made:
        yield made


def curl(url: str, *options: str) -> tuple[int, bytes]:
    """Return status and body of a request."""
    need("curl")
    done = subprocess.run(
        ["curl", "-s", "-w", "%{stderr}%{http_code}", *options, url], capture_output=True, timeout=60, check=True
    )
    return int(done.stderr), done.stdout


def address(device: Device, *arguments: str) -> str:
    outcome = device.kvass("url", *arguments)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out.decode().strip()


def test_the_attribute_of_a_file_is_its_address(network: Network, binding: str) -> None:
    device = network.device("device")
    with device.following(binding):
        file = device.path / "notes" / "trip.md"
        file.parent.mkdir()
        file.write_text("to Øya")
        device.wait_until_pushed()
        url = os.getxattr(file, URL).decode()
        assert os.listxattr(file) == []
        assert curl(url) == (200, "to Øya".encode())
        assert address(device, "notes/trip.md") == url
        file.write_text("to Ærø")
        assert os.getxattr(file, URL).decode() != url
        device.kvass("config", "url", "https://example.org/kvass")
        assert os.getxattr(file, URL).startswith(b"https://example.org/kvass/get?q=")


def test_without_a_hub_there_is_no_such_attribute(tmp_path: Path) -> None:
    device = Device(tmp_path / "device")
    with device.mounted():
        file = device.path / "file"
        file.write_text("value")
        with pytest.raises(OSError, match=re.escape(os.strerror(errno.ENODATA))):
            os.getxattr(file, URL)


def test_links_are_made_listed_and_ended_by_any_device(network: Network) -> None:
    here, there = network.device("here"), network.device("there")
    here.kvass("set", "key", "value")
    link = address(here, "key", "--expires", "1h")
    assert curl(link) == (200, b"value\n")
    assert link.encode() in there.kvass("links").out
    assert there.kvass("unlink", link).status == 0
    assert curl(link)[0] == 410
    assert here.kvass("links").out == b""


def test_what_is_thrown_away_is_shared_no_more_by_address_or_link(network: Network, binding: str) -> None:
    here, there = network.device("here"), network.device("there")
    with here.following(binding):
        file = here.path / "secret"
        file.write_text("value")
        here.wait_until_pushed()
        url, link = address(here, "secret"), address(there, "secret", "--expires", "1h")
        assert curl(link) == curl(url) == (200, b"value")
        trash = here.path / ".Trash-1000" / "files"
        trash.mkdir(parents=True)
        file.rename(trash / "secret")
        wait_until(lambda: [curl(address)[0] for address in (url, link)] == [410, 410], "both have ended")
        assert here.kvass("ls").out == there.kvass("ls").out == there.kvass("links").out == b""
        (trash / "secret").rename(file)
        here.wait_until_pushed()
        assert there.kvass("get", "secret").out == b"value"
        assert [curl(address)[0] for address in (url, link)] == [410, 410]


def test_a_link_that_was_used_up_is_known_to_a_mount_that_follows(network: Network) -> None:
    device = network.device("device")
    with device.following():
        (device.path / "secret").write_text("value")
        device.wait_until_pushed()
        link = address(device, "secret", "--once")
        assert curl(link, "-I")[0] == 405
        assert curl(link, "-d", "") == (200, b"value")
        assert curl(link, "-d", "")[0] == 410
        wait_until(lambda: device.kvass("links", "--offline").out == b"", "the link has ended here")
        assert os.listdir(device.path) == ["secret"]


def test_a_link_stays_used_up_where_the_hub_is_killed_at_once(network: Network) -> None:
    device = network.device("device")
    device.kvass("set", "key", stdin=os.urandom(20 * MIB))
    link = address(device, "key", "--once")
    with subprocess.Popen(["curl", "-s", "--limit-rate", "1M", "-d", "", link], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        assert reader.stdout.read(1)
        network.hub.stop(signal.SIGKILL)
        reader.kill()
    network.start()
    assert curl(link, "-d", "")[0] == 410
    with network.hub.store() as store:
        store.upkeep.release_dead_holders()
        assert store._database.row("SELECT count(*) FROM pins") == (0,)


def test_of_clients_that_race_one_wins_each_time(network: Network) -> None:
    device = network.device("device")
    device.kvass("set", "key", "value")
    for _ in range(5):
        link = address(device, "key", "--once")
        outcomes: list[tuple[int, bytes]] = []
        threads = [threading.Thread(target=lambda: outcomes.append(curl(link, "-d", ""))) for _ in range(4)]  # noqa: B023
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(status for status, _ in outcomes) == [200, 410, 410, 410]
        assert [body for status, body in outcomes if status == 200] == [b"value\n"]


def test_a_cut_download_is_resumed(network: Network, tmp_path: Path) -> None:
    device = network.device("device")
    value = os.urandom(8 * MIB)
    device.kvass("set", "key", stdin=value)
    url = address(device, "key")
    file = tmp_path / "file"
    file.write_bytes(value[: 3 * MIB + 17])
    assert curl(url, "-C", "-", "-o", str(file))[0] == 206
    assert file.read_bytes() == value
    assert curl(url, "-C", "-", "-o", str(file))[0] == 416
    assert file.read_bytes() == value
    assert curl(url, "-r", "-5") == (206, value[-5:])
