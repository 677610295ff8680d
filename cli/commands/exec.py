"""``kvass exec``: run a command with values as variables of its environment."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

import click

from kvassfs.errors import KvassError
from kvassfs.tools.variables import read_variables

from .. import hub
from ..arguments import parse_key
from ..completions import complete_directory, complete_file
from ..database import DatabaseFile, pass_database
from ..group import Command
from ..notices import print_notice
from ..offline import offline_option
from ..process import core_dumps
from ..running import cannot_run

FAILED = 125
"""The exit status of env(1) where it fails itself."""


@click.command(
    "exec",
    cls=Command,
    options_metavar="--env PREFIX [OPTIONS] [--]",
    context_settings={"allow_interspersed_args": False},  # what follows the command is its own
    example="kvass exec --env secrets/app -- ./app --verbose",
)
@click.argument("command", metavar="COMMAND [ARGUMENT]...", nargs=-1, required=True, shell_complete=complete_file)
@click.option(
    "--env",
    "prefixes",
    metavar="PREFIX",
    multiple=True,
    required=True,
    type=parse_key,
    shell_complete=complete_directory,
    help="the keys below PREFIX/ are the variables; of several prefixes the last counts",
)
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile,
    context: click.Context,
    /,
    command: tuple[str, ...],
    prefixes: tuple[str, ...],
    offline: bool,
) -> None:
    """Run COMMAND, with values in its environment: that of PREFIX/db-url is DB_URL, without a newline at its end.

    The exit status is that of COMMAND; 125 where kvass fails, 126 where COMMAND cannot be run, 127 where it is missing.
    """
    variables: dict[str, bytes] = {}
    try:
        with database.open_existing() as store:
            hub.pull_first(store, offline=offline)
            for prefix in prefixes:
                variables |= read_variables(store, prefix)
    except KvassError as error:
        print_notice(str(error))
        context.exit(FAILED)
    become(command, variables)


def become(command: tuple[str, ...], variables: dict[str, bytes]) -> NoReturn:
    """Run a command in the place of this process, with these variables beside those that there are.

    Raises:
        CannotRun
    """
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and so would the command
        signal.signal(number, signal.SIG_DFL)
    environment = os.environb | {name.encode(): value for name, value in variables.items()}
    try:
        with core_dumps():
            os.execvpe(command[0], command, environment)  # noqa: S606  it is what the command is for
    except OSError as error:
        raise cannot_run(command, error) from error
