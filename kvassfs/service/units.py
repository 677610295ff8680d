"""The units of systemd under which mount, follower and hub run; nothing is read or written here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ..errors import ServiceError
from ..server.listen import parse_bind
from .words import write_command, write_path, write_text

MARK: Final = "# Written by `kvass service install"
"""How the first line of our units begins."""

STATE: Final = "kvass"
"""The directory of a system service below /var/lib, and its user."""

SYSTEM_DATABASE: Final = f"/var/lib/{STATE}/kvassdb.sqlite"

MOUNT_WATCHDOG: Final = 180
"""Seconds without an answer after which a mount is started anew: it may wait a minute for others' transactions."""

HUB_WATCHDOG: Final = 60
"""Seconds after which a hub is whose event loop does not turn."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")

_HARDENING: Final = """
DynamicUser=yes
User=kvass
StateDirectory=kvass
StateDirectoryMode=0700
UMask=0077
LimitNOFILE=65536
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
DevicePolicy=closed
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
# No ProtectProc=: what root's commands hold in the database is let go of when their processes are not seen.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""


class Unit(NamedTuple):
    """A file of systemd: its name and its text."""

    name: str
    text: str


class Kvass(NamedTuple):
    """The command of this installation, without arguments, and the absolute path of the database."""

    command: Sequence[str]
    database: str


class Hub(NamedTuple):
    """How a hub serves, as the options of ``kvass serve`` say; paths are absolute."""

    bind: str = "0.0.0.0:8000"
    tls_cert: str | None = None
    tls_key: str | None = None
    quiet: bool = False


def name_service(name: str) -> str:
    """Return the name of a service's unit.

    Raises:
        ServiceError: it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ServiceError(f"{name!r} cannot be a service's name; it has letters, digits, dots, dashes and underscores")
    return f"kvass-{name}.service"


def write_mount(kvass: Kvass, directory: str, options: Iterable[str] = (), *, name: str = "mount") -> list[Unit]:
    """Return the unit of a mount; ``options`` are those of ``kvass mount``."""
    command = [*kvass.command, "--db", kvass.database, "mount", "--foreground", *options, "--", directory]
    about = "# It has nothing that implies NoNewPrivileges=: the program by which users mount runs as root."
    service = [*_write_service(command, MOUNT_WATCHDOG), about]
    return [_write_unit("mount", name, f"kvass mount on {directory}", service)]


def write_sync(kvass: Kvass, *, name: str = "sync") -> list[Unit]:
    """Return the unit of what keeps a store in step with its hub where it is not mounted."""
    command = [*kvass.command, "--db", kvass.database, "sync", "--follow"]
    service = [*_write_service(command), "NoNewPrivileges=yes"]
    return [_write_unit("sync", name, f"kvass sync of {kvass.database}", service)]


def write_serve(kvass: Kvass, hub: Hub, *, name: str = "serve") -> list[Unit]:
    """Return the unit of a user's hub."""
    parse_bind(hub.bind)
    command = [*kvass.command, "--db", kvass.database, *_write_hub(hub, hub.tls_cert, hub.tls_key)]
    service = [*_write_service(command, HUB_WATCHDOG), "NoNewPrivileges=yes"]
    return [_write_unit("serve", name, f"kvass hub of {kvass.database}", service)]


def write_system_serve(kvass: Kvass, hub: Hub, *, name: str = "serve") -> list[Unit]:
    """Return the units of a hub that is the system's: the service, with a user of its own, and its socket.

    The database is in the service's directory, whatever ``kvass.database`` is. systemd hands over the files of TLS.
    """
    handed = [(each, path) for each, path in (("tls-cert", hub.tls_cert), ("tls-key", hub.tls_key)) if path]
    inside = {each: f"/run/credentials/{name_service(name)}/{each}" for each, _ in handed}
    command = [*kvass.command, "--db", SYSTEM_DATABASE, *_write_hub(hub, inside.get("tls-cert"), inside.get("tls-key"))]
    service = [
        *_write_service(command, HUB_WATCHDOG),
        *(f"LoadCredential={each}:{write_path(path)}" for each, path in handed),
        *_HARDENING.strip().splitlines(),
    ]
    socket_name = name_service(name).replace(".service", ".socket")
    order = [f"Requires={socket_name}", f"After={socket_name}"]
    socket = [f"ListenStream={_write_listen(hub.bind)}", "BindIPv6Only=both"]
    return [
        _write_unit("serve", name, "kvass hub", service, "multi-user.target", order),
        Unit(
            socket_name,
            _join_sections("serve", "kvass hub, its socket", [], ("Socket", socket), "sockets.target"),
        ),
    ]


def _write_hub(hub: Hub, tls_cert: str | None, tls_key: str | None) -> Iterator[str]:
    yield from ("serve", "--bind", hub.bind)
    yield from ("--tls-cert", tls_cert) if tls_cert else ()
    yield from ("--tls-key", tls_key) if tls_key else ()
    yield from ["--quiet"] if hub.quiet else []


def _write_listen(bind: str) -> str:
    host, port = parse_bind(bind)
    if not port:
        raise ServiceError(f"{bind!r} leaves the port open; a socket of systemd needs one")
    if not host or host == "::":
        return str(port)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ServiceError(f"{host!r} is no IP address, which a socket of systemd needs; name one in --bind") from None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _write_service(command: Sequence[str], watchdog: int = 0) -> list[str]:
    return [
        "Type=notify",
        f"ExecStart={write_command(command)}",
        "Restart=on-failure",
        "RestartSec=5",
        "RestartPreventExitStatus=2",  # wrong usage
        *([f"WatchdogSec={watchdog}"] if watchdog else []),
    ]


def _write_unit(
    kind: str,
    name: str,
    description: str,
    service: Sequence[str],
    wanted_by: str = "default.target",
    order: Sequence[str] = (),
) -> Unit:
    return Unit(name_service(name), _join_sections(kind, description, order, ("Service", service), wanted_by))


def _join_sections(
    kind: str, description: str, order: Sequence[str], body: tuple[str, Sequence[str]], wanted_by: str
) -> str:
    head = [f"Description={write_text(description)}", "Documentation=man:kvass(1)", *order]
    sections = [("Unit", head), body, ("Install", [f"WantedBy={wanted_by}"])]
    first = f"{MARK} {kind}`, and by the next one anew: your own settings go into a drop-in (systemctl edit).\n"
    return first + "\n".join(f"[{title}]\n" + "".join(f"{line}\n" for line in lines) for title, lines in sections)
