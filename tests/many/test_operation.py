"""What contrib/hub has for those who run a hub for many is sound, and takes options that there are."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kvassfs.keeping.postgres.database import Database
from kvassfs_cli.main import kvass
from tests.support.postgres import Server, find_port
from tests.support.processes import HERE, KVASS, end_process, start_logged, start_server
from tests.support.programs import need
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
HUB = ROOT / "contrib/hub"

AROUND = """
daemon off;
master_process off;
pid {folder}/pid;
events {{}}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/hub.conf;
}}
"""


def check_options(words: list[str]) -> None:
    """Return if `kvass` takes these arguments."""
    with kvass.make_context("kvass", words[:1], resilient_parsing=True) as context:
        command = kvass.get_command(context, words[0])
        assert command is not None
        known = {name for option in command.params for name in option.opts}
    assert {word for word in words[1:] if word.startswith("--")} <= known


def test_the_unit_is_sound_and_starts_what_there_is(tmp_path: Path) -> None:
    text = (HUB / "kvass-hub.service").read_text()
    command = re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)
    assert command
    check_options(shlex.split(command[1])[1:])
    unit = tmp_path / "kvass-hub.service"
    unit.write_text(text.replace("/usr/local/bin/kvass", "/bin/true"))
    need("systemd-analyze")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert [line for line in checked.stderr.splitlines() if "kvass-hub" in line] == []


def test_the_containers_start_what_there_is() -> None:
    text = (HUB / "compose.yaml").read_text()
    command = re.search(r"command: \[(.+)\]", text)
    assert command
    check_options([word.strip().strip('"') for word in command[1].split(",")])
    copied = re.findall(r"^COPY (.+) \S+$", (HUB / "Dockerfile").read_text(), re.MULTILINE)
    assert [name for names in copied for name in names.split() if not (ROOT / name).exists()] == []


@contextmanager
def behind_nginx(hub: int, folder: Path) -> Iterator[int]:
    """``with`` nginx before a hub, as it is configured; the value is its port."""
    port = find_port()
    text = (HUB / "nginx.conf").read_text().replace("127.0.0.1:8000 ", f"{HERE}:{hub} ")
    text = text.replace("listen 443 ssl;", f"listen {HERE}:{port};").replace("    listen [::]:443 ssl;\n", "")
    text = re.sub(r"\s+ssl_\w+ .+;", "", text).replace("/var/log/nginx", str(folder))
    (folder / "hub.conf").write_text(text)
    (folder / "nginx.conf").write_text(AROUND.format(folder=folder))
    nginx = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert nginx is not None, "nginx is missing: the system's package nginx has it"
    process = start_logged([nginx, "-c", str(folder / "nginx.conf")], folder / "nginx.log")
    try:
        wait_until(lambda: answers(port), what="nginx answers")
        yield port
    finally:
        end_process(process)


def answers(port: int) -> bool:
    """Return whether a hub is ready at a port."""
    try:
        with urllib.request.urlopen(f"http://{HERE}:{port}/ready") as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture
def hub(server: Server, database: Database, tmp_path: Path) -> Iterator[int]:
    command = [*KVASS, "serve", "--database", database._url, "--bind", f"{HERE}:0", "--per-address", "0"]
    process, port = start_server(command, tmp_path / "hub.log")
    yield port
    end_process(process)


def test_nginx_before_it_hands_on_and_logs_no_names(hub: int, tmp_path: Path) -> None:
    with behind_nginx(hub, tmp_path) as port:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{HERE}:{port}/s/family/get?q=token-that-nobody-has")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"http://{HERE}:{port}/s/family/push", b"x" * 40)
        log = tmp_path / "kvass-hub.log"  # a line is written after its response
        wait_until(lambda: "POST push 403" in log.read_text(), what="nginx has logged the push")
    logged = log.read_text()
    assert "GET get 404" in logged
    assert "family" not in logged
    assert "token" not in logged
