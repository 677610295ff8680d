"""The whole examination, one check after the other; none of them needs another to succeed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from ..clocks import WARNED_AHEAD
from ..errors import KvassError, NotAStore
from ..store import Profile, Store, list_users
from ..store.checkup import Checkup
from . import database, hub, mounts, pages, programs, salvaging, shell
from .finding import OK, WARNING, WRONG, Finding, find_error

PATIENCE: Final = Profile(patience=2)
"""How the store is opened: the doctor waits for nobody long."""


class Examination(NamedTuple):
    """What to look at.

    Attributes:
        path: of the database.
        full: look at all of the database, however long that takes.
        saves: what can be read is saved afterwards, so that what is lost is said then.
        offline: leave the hub alone.
        shell: the program that is the user's shell.
        folders: where the user's files are.
        search_path: where programs are.
        binding: of FUSE, see ``choose``.
        repair: mend the numbers that no device takes, before looking at them.
    """

    path: str
    full: bool
    offline: bool
    shell: str
    folders: shell.Folders
    search_path: str
    binding: str = "auto"
    repair: bool = False
    saves: bool = False


def examine(wanted: Examination, report: Callable[[int, int], None] = lambda _done, _total: None) -> Iterator[Finding]:
    """Yield what is found, as it is found; ``report`` is told how far the look over the database is."""
    yield from programs.judge_versions(programs.collect_versions())
    yield from programs.judge_fuse(programs.collect_fuse(wanted.binding))
    yield from mounts.judge_mounts(mounts.collect_mounts(), wanted.path)
    place = database.collect_place(wanted.path)
    yield from database.judge_place(place)
    yield from database.judge_users(wanted.path, list_users(wanted.path))
    if place.files and place.usable and not place.problem:
        yield from _examine_content(wanted, place, report)
    yield from shell.judge_shell(shell.collect_shell(wanted.shell, wanted.folders, path=wanted.search_path))


def _examine_content(
    wanted: Examination, place: database.Place, report: Callable[[int, int], None]
) -> Iterator[Finding]:
    found = database.collect_checkup(wanted.path, full=wanted.full, report=report)
    yield from database.judge_checkup(found, wanted.path, full=wanted.full)
    if wanted.full and not wanted.saves and database.is_damaged(found):
        yield from salvaging.judge_loss(wanted.path, now=time.time_ns(), report=report)
    if not isinstance(found, NotAStore):
        yield database.judge_permissions(place)
    # One that is to be taken over or brought to this version, or is damaged, is left as it is.
    if isinstance(found, Checkup) and found.kind == "kvassfs" and not found.faults:
        yield from _examine_store(wanted)


def _examine_store(wanted: Examination) -> Iterator[Finding]:
    try:
        with Store.open(wanted.path, profile=PATIENCE, create=False, alone_if_full=True) as store:
            if wanted.repair:
                yield Finding("repair", OK, database.describe_mended(store.numbers.mend()))
            yield from database.judge_oddities(database.collect_oddities(store))
            yield from mounts.judge_closed(mounts.collect_closed(store))
            found = hub.collect_hub(store, offline=wanted.offline or bool(store.obstacle))
            yield from hub.judge_hub(found)
            if found.version:  # it has just answered
                yield from pages.judge_pages(pages.collect_pages(store))
            yield from hub.judge_sealed(store.settings.kind(), store.sealed.refused())
            yield from database.judge_ahead(database.collect_ahead(store, WARNED_AHEAD))
            yield database.judge_room(store.upkeep.gives_back(), store.upkeep.space().free)
    except KvassError as error:
        yield find_error("database", error)


def find_worst(findings: Iterable[Finding]) -> str:
    """Return the worst level of all findings."""
    return max((finding.level for finding in findings), key=(OK, WARNING, WRONG).index, default=OK)
