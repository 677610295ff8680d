"""kvassfs.service.units: what is in the units, and what systemd says of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kvassfs.errors import CannotListen, ServiceError
from kvassfs.service.units import (
    MARK,
    Hub,
    Kvass,
    Unit,
    name_service,
    write_mount,
    write_serve,
    write_sync,
    write_system_serve,
)
from tests.support.processes import ROOT

KVASS = Kvass([sys.executable, "-P", "-m", "kvassfs_cli"], "/home/me/.kvassdb.sqlite")
ODD = "/tmp/a \"b' $HOME %h;\n\\ é\udcff"


def lines(units: list[Unit], number: int = 0) -> list[str]:
    return units[number].text.splitlines()


def test_a_mount() -> None:
    (unit,) = write_mount(Kvass(["/opt/k/python", "-m", "k"], "/h/db"), "/h/kvass", ["--read-only"])
    assert unit.name == "kvass-mount.service"
    assert unit.text == (
        f"{MARK} mount`, and by the next one anew: your own settings go into a drop-in (systemctl edit).\n"
        """[Unit]
Description=kvass mount on /h/kvass
Documentation=man:kvass(1)

[Service]
Type=notify
ExecStart=:/opt/k/python -m k --db /h/db mount --foreground --read-only -- /h/kvass
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
WatchdogSec=180
# It has nothing that implies NoNewPrivileges=: the program by which users mount runs as root.

[Install]
WantedBy=default.target
"""
    )


def test_odd_paths_are_written_in_one_line() -> None:
    (unit,) = write_mount(Kvass(["/opt/python"], ODD), ODD)
    written = r"/tmp/a \"b' $HOME %%h;\x0a\\ é\xff"
    assert f'ExecStart=:/opt/python --db "{written}" mount --foreground -- "{written}"' in lines([unit])
    assert "Description=kvass mount on /tmp/a \"b' $HOME %%h;?? é?" in lines([unit])
    unit.text.encode()


def test_what_follows_the_hub_is_not_watched() -> None:
    units = write_sync(KVASS)
    assert [unit.name for unit in units] == ["kvass-sync.service"]
    assert any(line.endswith(" sync --follow") for line in lines(units))
    assert not any(line.startswith("WatchdogSec") for line in lines(units))


def test_a_hub_of_a_user() -> None:
    units = write_serve(KVASS, Hub("[::1]:8001", "/c.pem", "/k.pem", quiet=True), name="work")
    assert [unit.name for unit in units] == ["kvass-work.service"]
    (command,) = [line for line in lines(units) if line.startswith("ExecStart=")]
    assert command.endswith(
        ' --db /home/me/.kvassdb.sqlite serve --bind "[::1]:8001" --tls-cert /c.pem --tls-key /k.pem --quiet'
    )


def test_a_hub_of_the_system_has_a_user_a_directory_and_a_socket_of_its_own() -> None:
    units = write_system_serve(KVASS, Hub("127.0.0.1:8001", "/etc/c 100%.pem", "/etc/k.pem"))
    assert [unit.name for unit in units] == ["kvass-serve.service", "kvass-serve.socket"]
    service = lines(units)
    assert {
        "DynamicUser=yes",
        "StateDirectory=kvass",
        "Requires=kvass-serve.socket",
        "LoadCredential=tls-cert:/etc/c 100%%.pem",
        "LoadCredential=tls-key:/etc/k.pem",
        "WantedBy=multi-user.target",
    } <= set(service)
    (command,) = [line for line in service if line.startswith("ExecStart=")]
    assert " --db /var/lib/kvass/kvassdb.sqlite " in command
    assert command.endswith(
        "--tls-cert /run/credentials/kvass-serve.service/tls-cert --tls-key /run/credentials/kvass-serve.service/tls-key"
    )
    assert {"ListenStream=127.0.0.1:8001", "WantedBy=sockets.target"} <= set(lines(units, 1))


@pytest.mark.parametrize(
    ("bind", "listen"),
    [
        ("0.0.0.0:8000", "0.0.0.0:8000"),
        (":8000", "8000"),
        ("8000", "8000"),
        ("[::]:8000", "8000"),
        ("[::1]:8000", "[::1]:8000"),
        ("192.0.2.1:80", "192.0.2.1:80"),
    ],
)
def test_a_socket_listens_where_the_hub_would(bind: str, listen: str) -> None:
    assert f"ListenStream={listen}" in lines(write_system_serve(KVASS, Hub(bind)), 1)


@pytest.mark.parametrize(
    ("bind", "said"), [("localhost:8000", "'localhost' is no IP address"), ("127.0.0.1:0", "leaves the port open")]
)
def test_what_a_socket_cannot_listen_at_is_refused(bind: str, said: str) -> None:
    with pytest.raises(ServiceError, match=re.escape(said)):
        write_system_serve(KVASS, Hub(bind))


def test_an_address_that_is_none_is_refused_before_anything_is_written() -> None:
    with pytest.raises(CannotListen):
        write_serve(KVASS, Hub("nonsense"))


@pytest.mark.parametrize("name", ["", "a b", "a/b", "é", "a\n", "x" * 101, "a@b"])
def test_odd_names_of_services_are_refused(name: str) -> None:
    with pytest.raises(ServiceError, match="cannot be a service's name"):
        name_service(name)


# What systemd says: systemd-analyze comes with the package systemd, which contrib/test installs


def write(units: list[Unit], folder: Path) -> list[str]:
    for unit in units:
        (folder / unit.name).write_text(unit.text)
    return [str(folder / unit.name) for unit in units]


def analyze(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "SYSTEMD_UNIT_PATH": f"{folder}:",
        "SYSTEMD_COLORS": "0",
        "XDG_RUNTIME_DIR": str(folder),
    }
    return subprocess.run(
        ["systemd-analyze", *arguments], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


ALL = {
    "mount": write_mount(KVASS, "/home/me/kvass"),
    "odd paths": write_mount(KVASS._replace(database=ODD), ODD),
    "sync": write_sync(KVASS),
    "serve": write_serve(KVASS, Hub(tls_cert="/a b.pem")),
    "system": write_system_serve(KVASS, Hub(tls_cert="/etc/a b.pem")),
}


@pytest.mark.parametrize("kind", ALL)
def test_systemd_finds_no_fault_in_a_unit(kind: str, tmp_path: Path) -> None:
    done = analyze("verify", "--man=no", *write(ALL[kind], tmp_path), folder=tmp_path)
    ours = [line for line in done.stderr.splitlines() if "kvass" in line]
    assert (done.returncode, ours) == (0, [])


def test_systemd_would_find_one(tmp_path: Path) -> None:
    (tmp_path / "kvass-bad.service").write_text("[Service]\nExecStart=relative\nNonsense=1\n")
    assert analyze("verify", "--man=no", str(tmp_path / "kvass-bad.service"), folder=tmp_path).returncode == 1


def test_the_hub_of_the_system_is_exposed_below_3(tmp_path: Path) -> None:
    service, _ = write(ALL["system"], tmp_path)
    done = analyze("security", "--offline=yes", "--threshold=30", service, folder=tmp_path)
    assert done.returncode == 0, done.stdout
    (exposure,) = re.findall(r"Overall exposure level for kvass-serve.service: ([0-9.]+)", done.stdout)
    assert float(exposure) < 3


@pytest.mark.parametrize(
    "name", ["systemd/kvass-mount.service", "systemd/kvass-serve.service", "litestream/kvass-litestream.service"]
)
def test_the_units_in_contrib_have_no_fault(name: str, tmp_path: Path) -> None:
    text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", (ROOT / "contrib" / name).read_text())
    path = tmp_path / Path(name).name
    path.write_text(text)
    done = analyze("verify", "--man=no", str(path), folder=tmp_path)
    assert (done.returncode, [line for line in done.stderr.splitlines() if path.name in line]) == (0, [])
