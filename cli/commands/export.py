"""``kvass export``: write keys into files or an archive."""

from __future__ import annotations

import click

from kvassfs.errors import InvalidConfiguration
from kvassfs.scratch import ScratchNames
from kvassfs.store import Store
from kvassfs.transfer.exporting import Exported, Exporter
from kvassfs.transfer.forms import STANDARD, Form, find_form, open_sink
from kvassfs.transfer.items import LeftOut
from kvassfs.transfer.target import identify_database

from .. import hub, streams
from ..arguments import complete_key, parse_prefix
from ..database import DatabaseFile, pass_database, require_path
from ..formats import format_entry_count, format_size
from ..group import Command
from ..notices import explain_interrupt, print_notice
from ..offline import offline_option
from ..progress import show_progress

FAILED = 1
"""The exit status where something could not be written."""

BINARY = {Form.TAR, Form.TAR_GZ, Form.TAR_ZST, Form.ZIP}
"""Forms that are not for people to read."""

EXAMPLES = """
kvass export backup.tar.zst
kvass export --prefix notes/ --format tar - | ssh host tar x
"""


@click.command("export", cls=Command, options_metavar="[OPTIONS] [--]", example=EXAMPLES)
@click.argument("target", type=click.Path(readable=False), callback=require_path)
@click.option(
    "--prefix",
    default="",
    metavar="PREFIX/",
    type=parse_prefix,
    shell_complete=complete_key,
    help="only what is below this prefix",
)
@click.option("--format", "form", type=click.Choice([form.value for form in Form]), help="what to write, as for -")
@click.option("--force", is_flag=True, help="replace what is there and differs")
@click.option("-n", "--dry-run", is_flag=True, help="write nothing, and say how much it would be")
@offline_option
@click.pass_context
@pass_database
def command(
    database: DatabaseFile,
    context: click.Context,
    target: str,
    prefix: str,
    form: str | None,
    force: bool,
    dry_run: bool,
    offline: bool,
) -> None:
    """Write the keys into TARGET: a directory, a .tar, .tar.gz, .tar.zst, .zip or .json file, or - for standard output.

    They are named as in a mount, with modes and times, and `kvass import` reads it back. In a directory, what is there
    already is left alone, so an export that was ended is run again for the rest.
    """
    chosen = choose_form(target, form)
    with database.open_existing() as store:
        hub.pull_first(store, offline=offline)
        if dry_run:
            totals = store.survey.totals(prefix)
            print_notice(f"would export {format_entry_count(totals.entries)} ({format_size(totals.size)})")
            return
        done = run_export(store, chosen, target, prefix, force=force)
    if done.scratch and chosen is not Form.JSON:
        print_notice(f"{format_entry_count(done.scratch)} with names of scratch files: import with --scratch")
    if target != STANDARD:
        streams.write([f"{format_summary(done)}\n".encode()])
    if done.failures:
        context.exit(FAILED)


def choose_form(target: str, form: str | None) -> Form:
    """Return the form to write.

    Raises:
        UnknownForm, InvalidConfiguration
    """
    chosen = Form(form) if form else find_form(target, is_source=False)
    if target == STANDARD and chosen is Form.DIRECTORY:
        raise click.UsageError("a directory cannot be written to standard output")
    if target == STANDARD and chosen in BINARY and streams.output_is_terminal():
        raise InvalidConfiguration("an archive is not for terminals: send it into a pipe or a file")
    return chosen


def run_export(store: Store, form: Form, target: str, prefix: str, *, force: bool) -> Exported:
    """Export into ``target``, name what cannot be written, and show how far it is."""
    is_terminal = target == STANDARD and streams.output_is_terminal()
    with show_progress(hidden=is_terminal) as bar:

        def leave(left_out: LeftOut) -> None:
            bar.clear()
            print_notice(str(left_out))

        def report(done: Exported) -> None:
            bar.update(done.size, totals.size)

        def explain() -> str:
            bar.clear()
            return describe_rest(form, target, exporter.done)

        is_scratch = ScratchNames(store.settings.scratch_patterns()).matches
        exporter = Exporter(store, prefix, is_scratch=is_scratch, leave=leave, report=report)
        totals = exporter.count()
        with (
            explain_interrupt(explain),
            streams.standard_output() as stdout,
            open_sink(form, target, stdout, force=force, never_replace=identify_database(store.path)) as sink,
        ):
            return exporter.export(sink)


def describe_rest(form: Form, target: str, done: Exported) -> str:
    """Return what an interrupt leaves."""
    if form is Form.DIRECTORY:
        return f"{format_entry_count(done.entries)} in {target} and complete; run it again for the rest"
    return "the output is not complete" if target == STANDARD else f"{target} was not written"


def format_summary(done: Exported) -> str:
    """Return what came of an export, in words."""
    parts = [f"exported {format_entry_count(done.entries)} ({format_size(done.size)})"]
    parts += [f"{done.unchanged} of them unchanged"] if done.unchanged else []
    parts += [f"{done.failures} failed"] if done.failures else []
    return ", ".join(parts)
