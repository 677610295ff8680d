"""``kvass import``: take in files, an archive, or what another program keeps."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from typing import NamedTuple

import click

from kvassfs.errors import DiskFull, KvassError
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from kvassfs.transfer.forms import Form, find_form, open_input, open_source
from kvassfs.transfer.importing import Imported, Importer
from kvassfs.transfer.items import LeftOut, Source
from kvassfs.transfer.naming import make_siblings
from kvassfs.transfer.target import identify_database
from kvassfs.transfer_errors import ImportStopped, TargetUnwritable

from .. import config_values, hub, streams
from ..arguments import complete_key, parse_prefix, parse_text
from ..database import DatabaseFile, pass_database
from ..formats import format_entry_count, format_size
from ..group import Command
from ..locations import expand_home
from ..notices import escape_controls, explain_interrupt, print_notice
from ..offline import offline_option
from ..progress import Bar, describe, show_progress, update_exchange

PASSWORD_STORE = "PASSWORD_STORE_DIR"  # noqa: S105  a name
"""The variable in which pass is told where its passwords are, and so are we."""

FAILED = 1
"""The exit status where something was left out that should not have been."""


class Wanted(NamedTuple):
    """What is to be imported, as the command line says it."""

    source: str | None
    program: str | None
    form: str | None
    remote: str | None
    key_file: str | None


HELP = """Take in SOURCE: a directory, a .tar, .tar.gz, .tar.zst, .zip or .json file, or - for standard input.

Modes and times are kept. What is there already with the same value, mode and time is left alone, so an import that was
ended is run again for the rest. With --from skate, SOURCE is @DATABASE or a file with what `skate list` printed, with
--from pass its directory; both have defaults.
"""

EXAMPLES = """
kvass import ~/notes --prefix notes/
kvass import --from pass --prefix passwords/
"""


@click.command("import", cls=Command, options_metavar="[OPTIONS] [--]", help=HELP, example=EXAMPLES)
@click.argument("source", required=False, type=click.Path(readable=False))
@click.option("--from", "program", type=click.Choice(["skate", "pass", "kvass"]), help="what another program keeps")
@click.option(
    "--prefix",
    default="",
    metavar="PREFIX/",
    type=parse_prefix,
    shell_complete=complete_key,
    help="put all below this prefix",
)
@click.option("--format", "form", type=click.Choice([form.value for form in Form]), help="what SOURCE is, as for -")
@click.option("-n", "--dry-run", is_flag=True, help="change nothing, and print the keys that would be set")
@click.option("--scratch", is_flag=True, help="take in files with the names of scratch files as well")
@click.option("--remote", metavar="HOST", help="with --from kvass: the address of the hub")
@click.option("--key-file", metavar="FILE", help="with --from kvass: the file with its key, instead of asking")
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile,
    context: click.Context,
    source: str | None,
    program: str | None,
    prefix: str,
    form: str | None,
    dry_run: bool,
    scratch: bool,
    remote: str | None,
    key_file: str | None,
    offline: bool,
) -> None:
    """Take in what the command line says."""
    wanted = Wanted(source, program, form, remote, key_file)
    check_usage(wanted)
    with (
        open_store(database, dry_run=dry_run) as store,
        show_progress() as bar,
        make_source(wanted, database.path, bar) as opened,
    ):
        done = run_import(store, opened, bar, prefix, dry_run=dry_run, scratch=scratch)
        if not dry_run:
            bar.clear()
            streams.write([f"{format_summary(done, 'imported')}\n".encode()])
            hub.push_after(store, offline=offline)
    if dry_run:
        print_notice(format_summary(done, "would import"))
    if done.failures:
        context.exit(FAILED)


def check_usage(wanted: Wanted) -> None:
    """Refuse options that do not go together."""
    if wanted.program is None and wanted.source is None:
        raise click.UsageError("Missing argument 'SOURCE'.")
    if wanted.program is not None and wanted.form is not None:
        raise click.UsageError("--format goes without --from.")
    if wanted.program == "kvass":
        if wanted.remote is None or wanted.source is not None:
            raise click.UsageError("--from kvass takes --remote HOST and no SOURCE.")
    elif wanted.remote is not None or wanted.key_file is not None:
        raise click.UsageError("--remote and --key-file go with --from kvass.")


@contextmanager
def open_store(database: DatabaseFile, *, dry_run: bool) -> Iterator[Store]:
    """``with`` the store; a dry run makes none where there is none, and has an empty one in its place."""
    if not dry_run or os.path.exists(database.path):
        with database.open_to_write() as store:
            yield store
    else:
        with ExitStack() as stack:
            try:
                directory = stack.enter_context(tempfile.TemporaryDirectory())
            except OSError as error:
                raise TargetUnwritable("a temporary directory", (error.strerror or str(error)).lower()) from error
            yield stack.enter_context(Store.open(os.path.join(directory, "empty.sqlite")))


@contextmanager
def make_source(wanted: Wanted, database: str, bar: Bar) -> Iterator[Source]:
    """``with`` the source that is ``wanted``."""
    source = wanted.source or ""
    if wanted.program == "kvass":
        with _open_hub(wanted, database, bar) as opened:
            yield opened
    elif wanted.program == "pass":
        from kvassfs.transfer.password_store import PasswordStoreSource

        where = source or os.environ.get(PASSWORD_STORE) or "~/.password-store"
        with PasswordStoreSource(expand_home(where)) as opened:
            yield opened
    elif wanted.program == "skate" and (not source or source.startswith("@")):
        from kvassfs.transfer.skate import SkateSource

        with SkateSource(source) as opened:
            yield opened
    else:
        with _open_files(wanted, source, database) as opened:
            yield opened


@contextmanager
def _open_files(wanted: Wanted, source: str, database: str) -> Iterator[Source]:
    never_open = identify_database(database)
    if wanted.program == "skate":
        from kvassfs.transfer.skate import SkateListSource

        with open_input(source, streams.standard_input, never_open) as file:
            yield SkateListSource(file, source)
        return
    form = Form(wanted.form) if wanted.form else find_form(source, is_source=True)
    with open_source(form, source, streams.standard_input, never_open) as opened:
        yield opened


def _open_hub(wanted: Wanted, database: str, bar: Bar) -> AbstractContextManager[Source]:
    from kvassfs.transfer.running_hub import HubSource

    from ..encryption_key import ask_for_key, parse_line

    if wanted.key_file is None:
        key = ask_for_key()
    else:
        with open_input(wanted.key_file, streams.standard_input) as file:
            key = parse_line(file.read(1024).partition(b"\n")[0])

    remote = config_values.check_remote(parse_text(wanted.remote or ""))
    return HubSource(remote, key.key, os.path.dirname(database), partial(update_exchange, bar), kind=key.kind)


def run_import(store: Store, source: Source, bar: Bar, prefix: str, *, dry_run: bool, scratch: bool) -> Imported:
    """Import ``source``, name what is left out, and show how far it is.

    Raises:
        KvassError: it failed; where something was imported before, it says so.
    """
    is_scratch = choose_scratch(store, wanted=source.has_file_names and not scratch)
    source.resolve_with(make_siblings(store.tree.siblings, prefix))

    def leave(left_out: LeftOut) -> None:
        bar.clear()
        print_notice(str(left_out))

    def report(done: Imported) -> None:
        if bar.is_due():
            position = source.position()
            bar.update(*position, text=f"{format_entry_count(done.total)}, {describe(*position)}")

    importer = Importer(
        store,
        prefix,
        is_scratch=is_scratch,
        leave=leave,
        tell=tell if dry_run else lambda _: None,
        report=report,
        dry_run=dry_run,
    )

    def explain() -> str:
        bar.clear()
        return f"{describe_kept(importer.done)}; run it again for the rest"

    with explain_interrupt(explain):
        return _run(importer, source, dry_run=dry_run)


def _run(importer: Importer, source: Source, *, dry_run: bool) -> Imported:
    try:
        return importer.run(source.items())
    except streams.OutputClosed:
        raise
    except KvassError as error:
        if dry_run or not importer.done.total:
            raise
        reason = str(error).removesuffix("; nothing was changed") if isinstance(error, DiskFull) else str(error)
        raise ImportStopped(reason, describe_kept(importer.done)) from error


def choose_scratch(store: Store, *, wanted: bool) -> Callable[[str], bool]:
    """Return what tells the keys of scratch files, if they are told at all."""
    return ScratchNames(store.settings.scratch_patterns() if wanted else []).matches


def describe_kept(done: Imported) -> str:
    """Return what is imported already."""
    number = done.total
    return (
        f"{format_entry_count(number)} {'is' if number == 1 else 'are'} imported and stay{'s' if number == 1 else ''}"
    )


def tell(key: str) -> None:
    """Print a key that would be set."""
    line = escape_controls(key) if streams.output_is_terminal() else key
    streams.write([f"{line}\n".encode("utf-8", "surrogateescape")])


def format_summary(done: Imported, verb: str) -> str:
    """Return what came of an import, in words."""
    parts = [f"{verb} {format_entry_count(done.entries)} ({format_size(done.size)})"]
    parts += [f"{done.unchanged} unchanged"] if done.unchanged else []
    parts += [f"{done.left_out} left out"] if done.left_out else []
    parts += [f"{done.failures} failed"] if done.failures else []
    return ", ".join(parts)
