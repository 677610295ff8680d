"""The command ``kvass``: its commands, and how each of its ends looks to the shell."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from kvassfs import __version__
from kvassfs.errors import KvassError

from . import streams, suggestions
from .cheat_sheet import COMMANDS, DESCRIPTION, VERSION_HELP
from .file_limit import allow_enough_files
from .group import Group
from .notices import print_notice
from .process import COMPLETION

_INTERRUPTED = 128 + signal.SIGINT


def _show_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        streams.write([f"kvass {__version__}\n".encode()])
        context.exit()


kvass = Group(
    "kvass",
    help=DESCRIPTION,
    modules=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
kvass.params.append(
    click.Option(["-V", "--version"], is_flag=True, expose_value=False, callback=_show_version, help=VERSION_HELP)
)


def main() -> NoReturn:
    """Run the command line of this process, which ``start`` has left to this, and end it."""
    try:
        allow_enough_files()
    except KvassError as error:
        _end(report_failure(error))
    instruction = os.environ.get(COMPLETION)
    if instruction:
        _end(complete(instruction), at_once=True)
    _end(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``; return the exit status, as a shell counts it.

    What is expected to fail is one line on standard error; only a bug raises an exception.
    """
    try:
        with kvass.make_context("kvass", list(arguments)) as context:
            kvass.invoke(context)
    except click.exceptions.Exit as exited:
        return exited.exit_code
    except click.ClickException as error:
        return report_usage(error)
    except (KvassError, MemoryError, KeyboardInterrupt, click.Abort) as error:
        return report(error)
    return 0


def report(error: BaseException) -> int:
    """Say what ended a command, if it is expected to; return the exit status. What is not is raised again."""
    if isinstance(error, KvassError):
        return report_failure(error)
    if isinstance(error, MemoryError):
        print_notice("out of memory: end some programs and try again; what is stored is as it was, or whole")
        return KvassError.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return _INTERRUPTED
    raise error


def end_after(error: BaseException) -> NoReturn:
    """End this process after what ended a command of ``start``."""
    _end(report(error))


def end_output(error: BaseException, path: str, key: str) -> NoReturn:
    """End this process after what ended the output of a command of ``start``, from the database at ``path``."""
    from kvassfs.store import GLANCE_FAILURES, explain_glance

    if isinstance(error, KeyboardInterrupt) and key:
        print_notice(f"interrupted: {key} is not written to its end")
    if isinstance(error, OSError):
        error = streams.describe_failure(error)
    elif isinstance(error, GLANCE_FAILURES):
        error = explain_glance(error, path)
    end_after(error)


def report_usage(error: click.ClickException) -> int:
    """Say in one line what is wrong with the command line, and where help is; return the exit status."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "kvass"
    message = re.sub(r"\s*\n\s*", " ", error.format_message())  # a choice is told in several lines
    if isinstance(error, click.NoSuchOption):
        options = context.command.get_params(context) if context else []
        message = suggestions.no_such_option(error.option_name, [name for each in options for name in each.opts])
    print_notice(f"{message[:1].lower()}{message[1:].removesuffix('.')} (see `{path} --help`)")
    return error.exit_code


def report_failure(error: KvassError) -> int:
    """Say what failed, unless nobody is left to hear it; return the exit status."""
    if not isinstance(error, streams.OutputClosed):
        print_notice(str(error))
    return error.exit_code


def complete(instruction: str) -> int:
    """Respond to the shell, which sets ``COMPLETION`` to ``instruction`` when Tab is pressed."""
    from . import shells

    try:
        return shells.complete(kvass, "kvass", COMPLETION, instruction)
    except (KeyboardInterrupt, BrokenPipeError):  # the line was given up
        return _INTERRUPTED


def _end(status: int, *, at_once: bool = False) -> NoReturn:
    """Exit; after an interrupt or a broken pipe by that very signal, as shells and their loops expect.

    With ``at_once`` without taking Python down in order, for which Tab would wait.
    """
    streams.drop_unwritten()
    if status in (streams.OutputClosed.exit_code, _INTERRUPTED):
        number = status - 128
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    if at_once:
        os._exit(status)
    sys.exit(status)
