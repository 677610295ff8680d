"""``kvass serve``: be the hub of one's devices."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from kvassfs.errors import KvassError

from ..database import DatabaseFile, pass_database
from ..group import Command
from ..many_options import Many, many_options
from ..supervision import take_sockets, take_supervisor

if TYPE_CHECKING:
    from kvassfs.server.run import ServeOptions

MIB = 1024 * 1024

SMALLEST_MESSAGE = 16
"""MiB below which the pages of other devices could be refused."""


_TLS_FILE = click.Path(readable=False)  # whether it can be read is said where it is


@click.command(
    "serve",
    cls=Command,
    example="""
kvass serve --bind :8000
kvass serve --database postgresql:///kvass --bind 127.0.0.1:8000
""",
)
@click.option(
    "--bind",
    metavar="HOST:PORT",
    default="0.0.0.0:8000",
    help="the address to serve at, :PORT for all those of this machine (default: 0.0.0.0:8000, all of IPv4)",
)
@click.option("--tls-cert", metavar="FILE", type=_TLS_FILE, help="speak TLS with the certificate in FILE (PEM)")
@click.option("--tls-key", metavar="FILE", type=_TLS_FILE, help="the key of the certificate, if it is in another file")
@click.option(
    "--max-body",
    metavar="MB",
    type=click.IntRange(min=SMALLEST_MESSAGE),
    default=256,
    help="the longest message taken (default: 256)",
)
@click.option(
    "--body-memory",
    metavar="MB",
    type=click.IntRange(min=1),
    default=64,
    help="memory for what others are sending, which then waits in files (default: 64)",
)
@click.option(
    "--per-address",
    metavar="N",
    type=click.IntRange(min=0),
    help="connections that one client address may have, 0 for any number, as for a proxy on another machine"
    " (default: 64, and any number for addresses of this machine)",
)
@click.option("--no-app", is_flag=True, help="leave out /app, the page that makes a browser a device")
@many_options
@click.option("--quiet", is_flag=True, help="do not log requests")
@pass_database
def command(
    database: DatabaseFile,
    bind: str,
    tls_cert: str | None,
    tls_key: str | None,
    max_body: int,
    body_memory: int,
    per_address: int | None,
    no_app: bool,
    many: Many,
    quiet: bool,
) -> None:
    """Be the hub of your devices, until an interrupt or SIGTERM.

    `kvass pair` here prints what to type on a device that is to join. (With the original kvass there, `kvass config
    remote` names this machine's address and port, and `kvass config key` sets the key that `kvass config show` prints here.)

    Where systemd hands over sockets (ListenStream=), they are served, and --bind is left aside.
    """
    _require_certificate(tls_cert, tls_key)
    from kvassfs.server.run import ServeOptions

    options = ServeOptions(
        database.path,
        bind,
        tls_cert,
        tls_key,
        max_body * MIB,
        body_memory * MIB,
        per_address,
        take_sockets(),
        *many,
        app=not no_app,
    )
    run_server(database, options, quiet=quiet)


def _require_certificate(tls_cert: str | None, tls_key: str | None) -> None:
    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key needs --tls-cert.")


def run_server(database: DatabaseFile, options: ServeOptions, *, quiet: bool) -> None:
    """Serve until a signal, and log what is asked for; ``quiet`` leaves out what is no trouble."""
    from kvassfs.server.run import serve

    from ..serve_log import JsonLog, Log, TextLog, log_to_standard_error

    log: Log = JsonLog() if options.log_format == "json" else TextLog()
    log_to_standard_error(log.formatter, quiet=quiet)
    serve(
        options,
        listening=lambda url: log.say(
            *(describe_many(url) if options.stores else describe_served(database, url, quiet=quiet))
        ),
        notice=log.say,
        write=(lambda _: None) if quiet else log.write,
        supervisor=take_supervisor(),
    )


def describe_served(database: DatabaseFile, url: str, *, quiet: bool) -> list[str]:
    """Return where the store is served, and how devices join as long as there is none."""
    from kvassfs.pairing.addresses import list_addresses

    first_steps = []
    if not quiet:
        with contextlib.suppress(KvassError), database.open_existing() as store:
            if not store.settings.config().remote and not store.peers.devices():
                first_steps.append(describe_first_steps(list_addresses(url)))
    return [f"serving {database.path} on {url}", *first_steps]


def describe_many(url: str) -> list[str]:
    """Return where the stores of a hub for many are served."""
    return [f"serving the stores of the database on {url}"]


def describe_first_steps(addresses: Sequence[str]) -> str:
    """Return how the first device joins a hub that it reaches under one of these addresses."""
    from kvassfs.pairing.addresses import is_local

    where = f"this machine is {' or '.join(addresses)}"
    if is_local(addresses[0]):
        where = "other machines do not reach this one, unless --bind names another address"
    return f"no device has joined yet: `kvass pair` in another terminal here prints what to type there; {where}"
