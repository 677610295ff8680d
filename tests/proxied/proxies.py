"""A hub behind a proxy with TLS and a path prefix, as `contrib/proxy` configures it, and what reaches it: all real."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.certificates import Certificate, make
from tests.support.devices import Device, Hub
from tests.support.processes import HERE, end_process, peak_memory, start_logged
from tests.support.servers import plain_environment
from tests.support.waiting import within

PROXIES = ("nginx", "caddy")

CONFIGURATIONS = Path(__file__).parents[2] / "contrib" / "proxy"

SECONDS = 20.0
"""How long a proxy may take to answer, to end, and to answer a request."""

AROUND_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{}}
http {{
    sendfile on;
    tcp_nopush on;
    gzip on;
    default_type application/octet-stream;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/client_body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/kvass.conf;
}}
"""
"""What Debian's own file has around the site, and what keeps to a folder and to one process; it logs more."""

FOR_CADDY = """
	admin off
	auto_https disable_certs
	default_bind {here}
	http_port {http}
	https_port {https}
	storage file_system {folder}
	grace_period 1s
"""
"""Global options that keep to a folder and to the loopback, have no certificate fetched, and wait for nobody's end."""


class Ports(NamedTuple):
    """Where a proxy listens."""

    https: int
    http: int


class Answer(NamedTuple):
    """What curl was answered; the names of the headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Site:
    """A hub, a proxy in front of it that runs, and the folder with all their files."""

    name: str
    folder: Path
    hub: Hub
    ports: Ports
    certificate: Path
    process: subprocess.Popen[bytes]
    devices: int = 0
    """How many were made."""

    tokens: set[str] = field(default_factory=set)
    """Those of addresses that were shared here."""

    @property
    def url(self) -> str:
        """The address of the hub, for devices and for what is shared."""
        return f"https://localhost:{self.ports.https}/kvass"

    def device(self) -> Device:
        """Make a device, and give it the key and the address of the hub on its command line."""
        self.devices += 1
        made = Device(self.folder / f"device-{self.devices}")
        for arguments in (("key", self.hub.key.hex()), ("remote", self.url)):
            assert made.kvass("config", *arguments).status == 0
        return made

    def shared(self, printed: bytes) -> str:
        """Return the address that a command has printed, and remember its token."""
        url = printed.decode().removesuffix("\n")
        self.tokens.update(parse_qs(urlsplit(url).query)["q"])
        return url

    def fetch(self, url: str, *options: str | Path) -> Answer:
        """Run curl with a URL, which may also be a path below the prefix."""
        return finished(self.fetching(url, *options))

    def fetching(self, url: str, *options: str | Path) -> subprocess.Popen[bytes]:
        """Start curl."""
        usual = ("--silent", "--show-error", "--include", "--max-time", str(SECONDS), "--cacert", self.certificate)
        whole = url if "://" in url else f"{self.url}/{url}"
        command = [located("curl"), "-q", *usual, *options, whole]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def log(self) -> str:
        """Return what the proxy has logged, in all of its files."""
        return "".join(file.read_text() for file in sorted(self.folder.glob(f"{self.name}/*log")))

    def peak(self) -> int:
        """Return how many bytes of memory the proxy has taken at most."""
        return peak_memory(self.process.pid)

    def assert_no_token_is_logged(self) -> None:
        """Assert that nobody finds a token in any log."""
        logged = self.log() + self.hub.log.read_text()
        assert not [token for token in self.tokens if token in logged]


def finished(curl: subprocess.Popen[bytes]) -> Answer:
    """Wait for curl, and return what it was answered."""
    with curl:
        answer, error = curl.communicate()
    assert not curl.returncode, error
    return parsed(answer)


def parsed(answer: bytes) -> Answer:
    """Return what `curl --include` has printed; its head may follow one of `100 Continue`."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if status.split()[1] == "100":
        return parsed(body)
    pairs = [line.partition(": ") for line in lines]
    return Answer(int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


@contextmanager
def trusted(folder: Path) -> Iterator[Certificate]:
    """Make a certificate that commands trust which are started meanwhile, and that nothing else in them concerns."""
    with pytest.MonkeyPatch.context() as patch:
        certificate = make(folder / "certificate")
        plain_environment(patch, folder)
        patch.setenv("REQUESTS_CA_BUNDLE", str(certificate.certificate))
        yield certificate


@contextmanager
def serving(name: str, folder: Path, certificate: Certificate) -> Iterator[Site]:
    """Start a hub, and a proxy in front of it; in the end nothing was logged of a token."""
    folder.mkdir()
    hub = Hub(folder / "hub.sqlite")
    hub.start()
    try:
        with in_front_of(hub, name, folder, certificate) as site:
            yield site
            site.assert_no_token_is_logged()
    finally:
        hub.stop()


@contextmanager
def in_front_of(hub: Hub, name: str, folder: Path, certificate: Certificate) -> Iterator[Site]:
    """Start a proxy in front of a hub, and wait until it answers."""
    ports = free_ports()
    own = folder / name
    own.mkdir()
    command = {"nginx": nginx, "caddy": caddy}[name](own, ports, hub.port, certificate)
    environment = {"HOME": str(own), "XDG_CONFIG_HOME": str(own), "XDG_DATA_HOME": str(own)}
    process = start_logged(command, own / "log", environment)
    try:
        site = Site(name, folder, hub, ports, certificate.certificate, process)
        within(SECONDS, partial(answers, site), what=f"{name} answers")
        yield site
    finally:
        end_process(process)  # whom it serves at the time has to go without an answer


@contextmanager
def in_place_of_the_hub(site: Site) -> Iterator[socket.socket]:
    """Listen where the hub does, which is stopped meanwhile."""
    site.hub.stop()
    try:
        with socket.create_server(site.hub.place) as listening:
            listening.settimeout(SECONDS)
            yield listening
    finally:
        site.hub.start()


def answers(site: Site) -> bool:
    """Tell whether the proxy answers for the hub; fail where it has ended."""
    if site.process.poll() is not None:
        pytest.fail(f"{site.name} has ended: {site.log()}")
    try:
        return site.fetch("health").body == b"ok\n"
    except AssertionError:
        return False


def located(program: str) -> str:
    """Return the path of a program, servers included; fail with its name when it is missing."""
    path = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    return path or pytest.fail(f"not installed: {program}")


def free_ports() -> Ports:
    """Return ports that nobody listens at."""
    with socket.create_server((HERE, 0)) as https, socket.create_server((HERE, 0)) as http:
        return Ports(https.getsockname()[1], http.getsockname()[1])


def nginx(folder: Path, ports: Ports, hub: int, certificate: Certificate) -> list[str]:
    """Write the configuration of nginx into a folder, and return the command that runs it."""
    return nginx_before(f"server {HERE}:{hub};", folder, ports, certificate)


def nginx_before(servers: str, folder: Path, ports: Ports, certificate: Certificate) -> list[str]:
    """Do as ``nginx`` with these ``servers`` in place of the hub, as they stand in its configuration."""
    site = replaced(
        (CONFIGURATIONS / "nginx.conf").read_text(),
        {
            "example.org;": "localhost;",
            "server 127.0.0.1:8000;": servers,
            "listen [::]:80;\n": "\n",
            "listen [::]:443 ssl;\n": "\n",
            "listen 80;": f"listen {HERE}:{ports.http};",
            "listen 443 ssl;": f"listen {HERE}:{ports.https} ssl;",
            "/etc/letsencrypt/live/example.org/fullchain.pem": str(certificate.certificate),
            "/etc/letsencrypt/live/example.org/privkey.pem": str(certificate.key),
            "/var/log/nginx/kvass.log": f"{folder}/kvass.log",
        },
    )
    (folder / "kvass.conf").write_text(site)
    (folder / "nginx.conf").write_text(AROUND_NGINX.format(folder=folder))
    return [located("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]


def caddy(folder: Path, ports: Ports, hub: int, certificate: Certificate) -> list[str]:
    """Write the configuration of Caddy into a folder, and return the command that runs it."""
    options = FOR_CADDY.format(here=HERE, http=ports.http, https=ports.https, folder=folder)
    site = replaced(
        (CONFIGURATIONS / "Caddyfile").read_text(),
        {
            "example.org {": "localhost {",
            "reverse_proxy 127.0.0.1:8000": f"reverse_proxy {HERE}:{hub}",
            "\n{\n": f"\n{{{options}",
            "\t# log ": "\tlog # ",
            "\t# tls fullchain.pem privkey.pem": f"\ttls {certificate.certificate} {certificate.key}",
        },
    )
    (folder / "Caddyfile").write_text(site)
    return [located("caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def replaced(text: str, replacements: Mapping[str, str]) -> str:
    """Return a text with other words in it, each of which it must have had."""
    for old, new in replacements.items():
        assert old in text, old
        text = text.replace(old, new)
    return text
