"""kvassfs_cli.commands.serve: options, what it says, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kvassfs.server import run
from kvassfs.server.run import ServeOptions
from kvassfs.store import Store
from kvassfs.supervisor import Supervisor
from kvassfs_cli import hub_database, process
from kvassfs_cli.commands.serve import describe_first_steps
from kvassfs_cli.serve_log import JsonLog, TextLog
from tests.unit.cli.conftest import GOLDEN, Kvass, Processes

SECONDS = 30.0

MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """Take back what a command in this process does to the log."""
    logger = logging.getLogger("kvassfs")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def served_with(monkeypatch: pytest.MonkeyPatch) -> list[ServeOptions]:
    """The options of each server; nothing is served."""
    calls: list[ServeOptions] = []

    def serve(
        options: ServeOptions,
        *,
        listening: Callable[[str], None],
        notice: Callable[[str], None],
        write: Callable[[str], None],
        supervisor: Supervisor,
    ) -> None:
        calls.append(options)
        notice("a word of the store's")
        listening("http://hub:1")

    monkeypatch.setattr(run, "serve", serve)
    return calls


def test_the_defaults_are_those_of_the_original(kvass: Kvass, database: Path, served_with: list[ServeOptions]) -> None:
    assert kvass("serve") == (0, b"", f"kvass: a word of the store's\nkvass: serving {database} on http://hub:1\n")
    assert served_with == [ServeOptions(str(database), "0.0.0.0:8000", max_body=256 * 1024 * 1024)]
    assert served_with == [ServeOptions(str(database))]


def test_blocks_go_where_it_is_told(kvass: Kvass, database: Path, served_with: list[ServeOptions]) -> None:
    assert (
        kvass("serve", "--database", "postgresql:///x", "--blocks", "s3://bucket/p", "--blocks-endpoint", "http://o:1")[
            0
        ]
        == 0
    )
    (options,) = served_with
    assert (options.stores, options.blocks, options.blocks_endpoint) == (
        "postgresql:///x",
        "s3://bucket/p",
        "http://o:1",
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--blocks s3://bucket", "--processes and --blocks need --database"),
        ("--database postgresql:///x --blocks-endpoint http://o", "--blocks-endpoint needs --blocks"),
        ("--database postgresql:///x --blocks b", "it names a bucket, as in s3://bucket or s3://bucket/prefix"),
    ],
)
def test_an_object_store_that_cannot_be_used_is_refused(
    kvass: Kvass, database: Path, served_with: list[ServeOptions], line: str, words: str
) -> None:
    status, _, err = kvass("serve", *line.split())
    assert (status, served_with) == (2, [])
    assert words in err


def test_without_boto3_it_is_said_how_to_install_it(
    kvass: Kvass, database: Path, served_with: list[ServeOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_database, "find_spec", lambda name: None if name == "boto3" else find_spec(name))
    status, _, err = kvass("serve", "--database", "postgresql:///x", "--blocks", "s3://bucket")
    assert status == 2
    assert "install kvassfs[s3]" in err


def test_serve_passes_its_options_on(kvass: Kvass, tmp_path: Path, served_with: list[ServeOptions]) -> None:
    line = f"serve --db={tmp_path}/other --bind [::1]:9 --tls-cert c.pem --tls-key k.pem --max-body 16 --body-memory 8"
    line += " --per-address 0"
    assert kvass(*line.split()).status == 0
    assert served_with == [ServeOptions(str(tmp_path / "other"), "[::1]:9", "c.pem", "k.pem", 16 * MIB, 8 * MIB, 0)]


def test_the_page_that_is_a_device_can_be_left_out(kvass: Kvass, served_with: list[ServeOptions]) -> None:
    assert kvass("serve", "--no-app").status == 0
    assert kvass("serve", "--database", "postgresql:///x", "--no-app").status == 0
    assert [options.app for options in served_with] == [False, False]


@pytest.mark.usefixtures("kathmandu")
def test_lines_about_requests_look_as_those_of_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    times = iter([1_704_067_199.9995, 1_704_067_200.0, 1_704_067_200.25])
    lines = TextLog(clock=lambda: next(times))
    for text in ("one", "two", "three 猫"):
        lines.write(text)
    assert capfd.readouterr().err.splitlines() == [
        "2024-01-01 05:44:59,999 one",
        "2024-01-01 05:45:00,000 two",
        "2024-01-01 05:45:00,250 three 猫",
    ]


def test_a_line_that_nobody_can_hear_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr(process, "STANDARD_ERROR", full)
    TextLog().write("one")
    os.close(full)


def test_a_log_of_objects_has_one_in_each_line(capfd: pytest.CaptureFixture[str]) -> None:
    log = JsonLog(clock=lambda: 1_704_067_199.9995)
    log.write('{"call": "/pull", "status": 200}')
    log.say("serving\nhere", "and so on")
    said = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    when = {"time": "2023-12-31T23:59:59.999Z", "level": "info"}
    assert said == [
        {**when, "call": "/pull", "status": 200},
        {**when, "message": "serving\nhere"},
        {**when, "message": "and so on"},
    ]


def test_what_else_is_logged_is_an_object_as_well(
    kvass: Kvass, served_with: list[ServeOptions], capfd: pytest.CaptureFixture[str]
) -> None:
    assert kvass("serve", "--log-format", "json").status == 0
    assert served_with[0].log_format == "json"
    formatter = logging.getLogger("kvassfs").handlers[-1].formatter
    assert formatter is not None
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        record = logging.LogRecord("kvassfs", logging.ERROR, "", 0, "failed: %s", ("x",), sys.exc_info())
    record.created = 0.0
    written = formatter.format(record)
    assert "\n" not in written
    found = json.loads(written)
    assert found.pop("traceback").endswith("ValueError: one\ntwo")
    assert found == {"time": "1970-01-01T00:00:00.000Z", "level": "error", "message": "failed: x"}


@pytest.mark.parametrize(("arguments", "level"), [((), logging.INFO), (("--quiet",), logging.WARNING)])
def test_quiet_leaves_the_requests_out(
    kvass: Kvass, served_with: list[ServeOptions], arguments: tuple[str, ...], level: int
) -> None:
    assert kvass("serve", *arguments).status == 0
    assert logging.getLogger("kvassfs.server.request_log").getEffectiveLevel() == level


@pytest.mark.parametrize(
    "line",
    [
        "serve now",
        "serve --nope",
        "serve --max-body 15",
        "serve --max-body much",
        "serve --per-address -1",
        "serve --tls-key k.pem",
    ],
)
def test_wrong_usage_exits_2(kvass: Kvass, served_with: list[ServeOptions], line: str) -> None:
    status, out, err = kvass(*line.split())
    assert (status, out) == (2, b"")
    assert err.startswith("kvass: ")
    assert err.endswith("(see `kvass serve --help`)\n")
    assert err.count("\n") == 1
    assert not served_with


@pytest.mark.parametrize("bind", ["nowhere", "host:99999", ""])
def test_what_is_no_address_is_said_in_one_line(kvass: Kvass, database: Path, bind: str) -> None:
    status, out, err = kvass("serve", "--bind", bind)
    assert (status, out) == (1, b"")
    assert err.startswith(f"kvass: cannot listen on {bind}: an address is HOST:PORT")
    assert err.count("\n") == 1
    assert not database.exists()


def test_a_port_in_use_is_said_in_one_line(kvass: Kvass) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        port = bind.partition(":")[2]
        expected = f"kvass: cannot listen on {bind}: port {port} is in use by another program\n"
        assert kvass("serve", "--bind", bind) == (1, b"", expected)


def test_a_bad_certificate_is_said_in_one_line(kvass: Kvass, tmp_path: Path) -> None:
    status, _, err = kvass("serve", "--bind", "127.0.0.1:0", "--tls-cert", str(tmp_path / "missing"))
    assert status == 1
    assert err.endswith(f"cannot read {tmp_path}/missing: No such file or directory\n")
    assert err.count("\n") == 1


def test_a_file_that_is_no_store_is_said_in_one_line(kvass: Kvass, database: Path) -> None:
    database.write_text("something else altogether")
    status, _, err = kvass("serve", "--bind", "127.0.0.1:0")
    assert status == 1
    assert "is not a kvass database" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("addresses", "where"),
    [
        (("10.0.0.3:8000", "[fd00::1]:8000"), "this machine is 10.0.0.3:8000 or [fd00::1]:8000"),
        (("127.0.0.1:8000",), "other machines do not reach this one, unless --bind names another address"),
    ],
)
def test_the_first_steps_name_the_addresses_of_this_machine(addresses: tuple[str, ...], where: str) -> None:
    assert describe_first_steps(addresses) == (
        f"no device has joined yet: `kvass pair` in another terminal here prints what to type there; {where}"
    )


def begin(processes: Processes, *arguments: str) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server at a free port; return what it said until it answered."""
    process = processes.start("serve", "--bind", "127.0.0.1:0", *arguments)
    assert process.stderr is not None
    said = process.stderr.readline().decode()
    while said and "serving" not in said:
        said += process.stderr.readline().decode()
    return process, said


def post(said: str, path: str) -> int:
    url = urlsplit(said.rsplit(maxsplit=1)[-1])
    connection = HTTPConnection(url.hostname or "", url.port, timeout=SECONDS)
    try:
        connection.request("POST", path, b"not sealed")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_logs_with_the_time(
    processes: Processes, database: Path, ending: signal.Signals
) -> None:
    process, said = begin(processes)
    with process:
        assert re.fullmatch(rf"kvass: serving {database} on http://127\.0\.0\.1:[0-9]+\n", said)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"kvass: no device has joined yet: `kvass pair` ")
        assert post(said, "/pull?SECRET") == 403
        process.send_signal(ending)
        out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out) == (0, b"")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} 127\.0\.0\.1 POST /pull 403 10 in 34 out \d+ ms\n", err.decode()
    )


def test_quietly_it_says_no_more_than_where(processes: Processes) -> None:
    process, said = begin(processes, "--quiet")
    with process:
        assert post(said, "/pull") == 403
        process.terminate()
        _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, b"")


def test_a_take_over_is_said_before_it_serves(processes: Processes, database: Path) -> None:
    database.write_bytes((GOLDEN / "hub-9009.sqlite").read_bytes())
    process, said = begin(processes)
    with process:
        process.terminate()
        process.communicate(timeout=SECONDS)
    notice, serving = said.splitlines()
    assert "kvass-go.bak" in notice
    assert serving.startswith("kvass: serving ")
    with Store.open(database) as store:
        assert list(store.keys())
