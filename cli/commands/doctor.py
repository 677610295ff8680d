"""``kvass doctor``: look whether all that the program needs is there and sound."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import click

from kvassfs.doctor import salvaging
from kvassfs.doctor.examination import Examination, examine, find_worst
from kvassfs.doctor.finding import WRONG, Finding
from kvassfs.doctor.shell import Folders
from kvassfs.transfer.target import identify_database, new_file

from .. import streams
from ..database import DatabaseFile, pass_database, require_path
from ..group import Command
from ..locations import expand_home
from ..notices import escape_controls, explain_interrupt
from ..offline import offline_option
from ..progress import follow_check, show_progress

BINDING = "KVASS_FUSE"

EXAMPLES = """
kvass doctor --full
kvass doctor --salvage ~/saved.sqlite
"""


def _require_file(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    return None if path is None else require_path(context, parameter, path)


@click.command("doctor", cls=Command, example=EXAMPLES)
@click.option(
    "--full", is_flag=True, help="look at all of the database and the hash of every block, which may take long"
)
@click.option("--repair", is_flag=True, help="mend times and counters that no other device takes; no value is lost")
@click.option(
    "--salvage",
    metavar="FILE",
    type=click.Path(readable=False),
    callback=_require_file,
    help="save all that can be read of a damaged database into the new file FILE, and say what is lost",
)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object, for programs")
@offline_option
@pass_database
@click.pass_context
def command(
    context: click.Context,
    database: DatabaseFile,
    full: bool,
    repair: bool,
    salvage: str | None,
    as_json: bool,
    offline: bool,
) -> None:
    """Look whether all that kvass needs is there and sound: one line each, with what to do.

    Each line begins with ok, warning or wrong. Exit with status 1 if something is wrong. Nothing is changed
    without --repair, and the database is not either by --salvage.
    """
    if repair and salvage is not None:
        raise click.UsageError("--repair and --salvage exclude each other.")
    wanted = Examination(
        database.path,
        full or salvage is not None,
        offline,
        os.environ.get("SHELL", ""),
        find_folders(),
        os.environ.get("PATH") or os.defpath,
        os.environ.get(BINDING) or "auto",
        repair,
        saves=salvage is not None,
    )
    findings = _find(wanted, salvage, show=not as_json)
    if as_json:
        streams.write([(json.dumps(build_object(findings), indent=2) + "\n").encode()])
    if find_worst(findings) == WRONG:
        context.exit(1)


def _find(wanted: Examination, salvage: str | None, *, show: bool) -> list[Finding]:
    """Return what is found, and show each finding as it comes."""
    findings: list[Finding] = []
    with show_progress() as bar:
        found = examine(wanted, follow_check(bar))
        for finding in found if salvage is None else chain(found, save(wanted.path, salvage, bar.update)):
            findings.append(finding)
            bar.clear()
            if show:
                streams.write([f"{format_finding(finding)}\n".encode("utf-8", "surrogateescape")])
    return findings


def save(path: str, file: str, report: Callable[[int, int], None]) -> Iterator[Finding]:
    """Save what can be read of the database into a new file; yield what was, and what is lost.

    Raises:
        TargetExists, TargetUnwritable
        StoreError: nothing of it can be read.
    """
    with (
        explain_interrupt(lambda: f"nothing was saved, and {file} is as it was"),
        new_file(file, force=False, never_replace=identify_database(path)) as target,
    ):
        saved = salvaging.save(path, target, now=time.time_ns(), report=report)
    yield from salvaging.judge_salvage(saved, path, os.path.abspath(file))


def find_folders() -> Folders:
    """Return where the user's files are, as the environment says.

    Raises:
        InvalidConfiguration: nothing says where the home is.
    """
    home = expand_home("~")
    data = os.environ.get("XDG_DATA_HOME", "")
    config = os.environ.get("XDG_CONFIG_HOME", "")
    return Folders(
        home,
        data if os.path.isabs(data) else os.path.join(home, ".local/share"),
        config if os.path.isabs(config) else os.path.join(home, ".config"),
    )


def format_finding(finding: Finding) -> str:
    """Return the line that says what was found, and what to do."""
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return escape_controls(f"{finding.level:<8} {finding.check:<12} {finding.text}{remedy}")


def build_object(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for programs."""
    return {"level": find_worst(findings), "findings": [finding._asdict() for finding in findings]}
