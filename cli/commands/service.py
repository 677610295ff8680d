"""``kvass service``: have systemd run the mount, the follower or the hub."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from kvassfs.errors import KvassError, ServiceError
from kvassfs.service.installation import check_reachable, find_command
from kvassfs.service.systemd import SYSTEM_FOLDER, USER_FOLDER, State, Systemd
from kvassfs.service.units import (
    SYSTEM_DATABASE,
    Hub,
    Kvass,
    Unit,
    name_service,
    write_mount,
    write_serve,
    write_sync,
    write_system_serve,
)

from .. import streams
from ..completions import complete_folder
from ..database import DatabaseFile, pass_database, require_path
from ..group import Group
from ..locations import expand_home, make_absolute
from ..notices import escape_controls, print_notice

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

MOUNT_POINT = "~/kvass"


def complete_service(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the names of the services that are installed."""
    from click.shell_completion import CompletionItem

    manager = _system_manager() if context.params.get("system") else _user_manager()
    units = (name for name in manager.find_installed() if name.endswith(".service"))
    names = (name.removeprefix("kvass-").removesuffix(".service") for name in units)
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


_print_option = click.option("--print", "shown", is_flag=True, help="write the unit to standard output, and no more")


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _name_option(default: str) -> Decorator:
    return click.option(
        "--name", metavar="NAME", default=default, help=f"the unit is kvass-NAME.service (default: {default})"
    )


command = Group("service", help="start the mount, the follower or the hub by itself, with systemd")
install = Group("install", help="have one run now and after each login")
command.add_command(install)


@install.command(
    "mount",
    short_help="mount after login",
    example="""
kvass service install mount ~/notes
kvass --db ~/work.sqlite service install mount --name work ~/work
""",
)
@click.argument(
    "directory",
    default=MOUNT_POINT,
    type=click.Path(readable=False),
    callback=require_path,
    shell_complete=complete_folder,
)
@click.option("--read-only", is_flag=True, help="allow no change through the mount")
@click.option("--allow-other", is_flag=True, help="let other users in, as far as the files' modes allow")
@_name_option("mount")
@_print_option
@pass_database
def install_mount(
    database: DatabaseFile, directory: str, read_only: bool, allow_other: bool, name: str, shown: bool
) -> None:
    """Have the keys be shown in DIRECTORY, ~/kvass if none is given, now and after each login."""
    path = os.path.abspath(make_absolute(expand_home(directory)))
    flags = [flag for flag, given in (("--read-only", read_only), ("--allow-other", allow_other)) if given]
    units = write_mount(_find_kvass(database), path, flags, name=name)
    manager = _user_manager()
    if not shown:
        manager.check()
        _check_unmounted(manager, units[0].name, path)
    _install(units, manager, shown, f"{path} is mounted now, and after each login")


@install.command("sync", short_help="follow the hub without a mount", example="kvass service install sync")
@_name_option("sync")
@_print_option
@pass_database
def install_sync(database: DatabaseFile, name: str, shown: bool) -> None:
    """Have the database be kept in step with the hub, now and after each login; a mount does that by itself."""
    if not shown:
        _require_hub(database)
    units = write_sync(_find_kvass(database), name=name)
    _install(units, _user_manager(), shown, "the hub is followed now, and after each login")
    _advise_to_linger(shown)


@install.command(
    "serve",
    short_help="be the hub",
    example="""
kvass service install serve --bind :8000
sudo kvass service install serve --system
""",
)
@click.option(
    "--bind", metavar="HOST:PORT", default=Hub().bind, help=f"the address to serve at (default: {Hub().bind})"
)
@click.option(
    "--tls-cert", metavar="FILE", type=click.Path(readable=False), help="speak TLS with the certificate in FILE"
)
@click.option("--tls-key", metavar="FILE", type=click.Path(readable=False), help="the key of the certificate")
@click.option("--quiet", is_flag=True, help="do not log requests")
@click.option(
    "--system", is_flag=True, help=f"for the whole machine, with a user of its own and {SYSTEM_DATABASE}; for root"
)
@_name_option("serve")
@_print_option
@pass_database
def install_serve(
    database: DatabaseFile,
    bind: str,
    tls_cert: str | None,
    tls_key: str | None,
    quiet: bool,
    system: bool,
    name: str,
    shown: bool,
) -> None:
    """Have this machine be the hub of your devices, now and after each login, or with --system after each start."""
    if tls_key is not None and tls_cert is None:
        raise click.UsageError("--tls-key needs --tls-cert.")
    if system and name != "serve":
        raise click.UsageError("--name does not go with --system: a machine has one hub that is its own.")
    hub = Hub(bind, tls_cert and make_absolute(tls_cert), tls_key and make_absolute(tls_key), quiet)
    if not system:
        _install(
            write_serve(_find_kvass(database), hub, name=name), _user_manager(), shown, f"the hub serves on {bind}"
        )
        _advise_to_linger(shown)
        return
    _check_for_system(database, shown)
    _install(
        write_system_serve(_find_kvass(database), hub, name=name),
        _system_manager(),
        shown,
        f"the hub serves on {bind}; its key: kvass --db {SYSTEM_DATABASE} config show",
    )


@command.command("status", short_help="show the services that are installed", example="kvass service status")
@click.pass_context
def status(context: click.Context) -> None:
    """Show the services that kvass has installed, and how they are. Exit with status 1 if one does not run."""
    managers = [manager for manager in (_user_manager(), _system_manager()) if manager.find_installed()]
    states: list[State] = []
    for manager in managers:
        manager.check()
        states += manager.find_states()
    lines = [format_state(state) for state in states] or ["no service is installed; `kvass service install` does it"]
    streams.write(f"{line}\n".encode("utf-8", "surrogateescape") for line in lines)
    if not all(state.active.startswith("active") for state in states):
        context.exit(1)


@command.command("uninstall", short_help="stop services and remove them", example="kvass service uninstall mount")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_service)
@click.option("--system", is_flag=True, help="those of the whole machine; for root")
def uninstall(names: Sequence[str], system: bool) -> None:
    """Stop the services with these names (mount, sync, serve, or what --name was) and remove them; all without NAME."""
    manager = _system_manager() if system else _user_manager()
    chosen = [name_service(name) for name in names] or manager.find_installed()
    removed = manager.uninstall(chosen)
    streams.write(f"{name}: removed\n".encode() for name in removed)
    if not removed:
        print_notice("no service is installed")


def format_state(state: State) -> str:
    """Return a line on a service."""
    said = f": {state.status}" if state.status else ""
    return escape_controls(f"{state.name}  {state.active}, {state.enabled or 'not enabled'}{said}")


def _install(units: Sequence[Unit], manager: Systemd, shown: bool, done: str) -> None:
    if shown:
        heads = [f"# {unit.name}\n" if len(units) > 1 else "" for unit in units]
        text = "\n".join(head + unit.text for head, unit in zip(heads, units, strict=True))
        streams.write([text.encode("utf-8", "surrogateescape")])
        return
    manager.install(units)
    streams.write([escape_controls(f"{units[0].name}: {done}").encode("utf-8", "surrogateescape") + b"\n"])


def _find_kvass(database: DatabaseFile) -> Kvass:
    return Kvass(find_command(), database.path)


def _user_manager() -> Systemd:
    config = os.environ.get("XDG_CONFIG_HOME", "")
    folder = config if os.path.isabs(config) else os.path.join(expand_home("~"), ".config")
    return Systemd(shutil.which("systemctl"), os.path.join(folder, USER_FOLDER))


def _system_manager() -> Systemd:
    return Systemd(shutil.which("systemctl"), SYSTEM_FOLDER, system=True)


def _check_unmounted(manager: Systemd, name: str, directory: str) -> None:
    """Refuse where something else is mounted already: the service could not start."""
    from kvassfs.mount.mountpoint import find_mount

    if find_mount(os.path.realpath(directory)) is not None and not manager.is_active(name):
        remedy = f"kvass umount {shlex.quote(directory)}"
        raise ServiceError(f"{directory} is mounted already, and not by {name}; end that first: {remedy}")


def _require_hub(database: DatabaseFile) -> None:
    from kvassfs.sync.connection import hub_address

    with database.open_existing() as store:
        hub_address(store)


def _check_for_system(database: DatabaseFile, shown: bool) -> None:
    if database.is_chosen and database.path != SYSTEM_DATABASE:
        raise ServiceError(
            f"a service of the system has its database at {SYSTEM_DATABASE}; leave --db and KVASS_DB out, and copy yours"
            " there while nobody uses it"
        )
    try:
        check_reachable()
    except KvassError as error:
        if not shown:
            raise
        print_notice(f"warning: {error}")


def _advise_to_linger(shown: bool) -> None:
    if not shown:
        print_notice("it ends when you log out everywhere; `loginctl enable-linger` has it run always")
