"""``kvass undo``: take the last change back."""

from __future__ import annotations

from collections.abc import Iterator

import click

from kvassfs.errors import KvassError
from kvassfs.store import Plan, Way

from .. import hub, streams
from ..database import DatabaseFile, pass_database
from ..formats import format_local_time
from ..group import Command
from ..notices import escape_controls, print_notice
from ..offline import offline_option

SHOWN = 10
"""Keys that are named before a question."""

_DONE = {Way.RESTORE: "restored", Way.REMOVE: "removed"}
_PLANNED = {Way.RESTORE: "restore", Way.REMOVE: "remove"}
_LEFT = {
    Way.CHANGED: "has changed again since, and stays; `kvass log` shows its versions",
    Way.FORGOTTEN: "is not kept any longer as it was before, and stays",
}


@click.command(
    "undo",
    cls=Command,
    example="""
kvass undo --dry-run
kvass undo --yes
""",
)
@click.option("-y", "--yes", is_flag=True, help="do not ask")
@click.option("--dry-run", is_flag=True, help="say what would be done, and change nothing")
@offline_option
@click.pass_context
@pass_database
def command(database: DatabaseFile, context: click.Context, yes: bool, dry_run: bool, offline: bool) -> None:
    """Take back the last change that was made on this device: a save, an `rm -r`, a renamed directory, a `restore`.

    Again, it goes further back. What one command, or one program in the mount, did in one go is one change. On a
    terminal it asks before it changes more than one key.
    """
    with database.open_existing() as store:
        plan = store.undo.plan()
        if dry_run:
            streams.write(f"{line}\n".encode() for line in describe_plan(plan, None))
            return
        if len(plan.keys) > 1 and not yes and streams.input_is_terminal() and not ask(plan):
            context.exit(KvassError.exit_code)
        done = store.undo.run(plan)
        streams.write(f"{line}\n".encode() for line in format_steps(done))
        left = list(describe_left(done))
        for line in left:
            print_notice(line)
        hub.push_after(store, offline=offline)
    if left:
        context.exit(KvassError.exit_code)


def ask(plan: Plan) -> bool:
    """Return whether the user agrees to a plan."""
    for line in describe_plan(plan, SHOWN):
        click.echo(line, err=True)
    return click.confirm("Take this back?", err=True)


def describe_plan(plan: Plan, most: int | None) -> Iterator[str]:
    """Yield what a plan would do; of more than ``most`` keys, the first."""
    yield f"the change of {format_local_time(plan.made)}:"
    steps = [(step, way) for step, way in plan.ways if way.acts]
    for step, way in steps[:most]:
        yield f"  {_PLANNED[way]} {escape_controls(step.key)}"
    if most is not None and len(steps) > most:
        yield f"  and {len(steps) - most} more"


def format_steps(plan: Plan) -> Iterator[str]:
    """Yield a line for each key that was changed."""
    for step, way in plan.ways:
        if way.acts:
            yield f"{_DONE[way]} {escape_controls(step.key)}"


def describe_left(plan: Plan) -> Iterator[str]:
    """Yield a line for each key that was left as it is."""
    for step, way in plan.ways:
        if not way.acts:
            yield f"{step.key} {_LEFT[way]}"
