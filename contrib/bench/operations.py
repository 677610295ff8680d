"""The rows of the benchmark: what is done, on which peers, and what is wanted of kvassfs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import workload
from wanted import MEASURED, AtLeast, Wanted, cpu_milliseconds, kilobytes_written, milliseconds
from workload import Action, Amounts, Directory


@dataclass(frozen=True)
class Operation:
    """One row of the table.

    Args:
        unit: what is counted.
        amount: the field of `Amounts` that says how much is done.
        prepare: does what is not timed and returns what is.
        cold: the kernel's caches are dropped between the two.
        check: looks at the result afterwards; raises ValueError.
        after: the operation that makes the files which this one uses.
        without: peers that it is not done on.
    """

    name: str
    unit: str
    amount: str
    prepare: Callable[[Directory], Action]
    wanted: tuple[Wanted, ...] = ()
    cold: bool = False
    check: Callable[[Directory], None] | None = None
    after: str = ""
    without: tuple[str, ...] = ()


CREATE = "create+write+close 1 KiB"
LIST = "list with stat"
WRITE = "write large"
UNTAR = "untar"

BARE = ("plain",)
"""It lacks what tar, git and a move need."""

SLOW_TO_FILL = ("plain", "rclone", "tmpfs")
"""Where many files are made first: rclone would take minutes to carry them to its directory. Time is better spent."""

TREES = (AtLeast(2, "rclone"), AtLeast(0.5, "bindfs"))
WRITES = (AtLeast(1, "rclone"), AtLeast(0.6, "bindfs"), cpu_milliseconds(1.5))
SAVED = kilobytes_written(8)

OPERATIONS = (
    Operation(
        CREATE,
        "files",
        "files",
        workload.create,
        (AtLeast(0.6, "plain"), AtLeast(0.55, "bindfs"), AtLeast(3.3, "rclone"), SAVED),
    ),
    Operation(
        "open+read+close 1 KiB",
        "files",
        "files",
        workload.open_read,
        (AtLeast(1, "plain"), AtLeast(1.2, "bindfs")),
        cold=True,
        after=CREATE,
    ),
    Operation("save 1 KiB over another", "files", "files", workload.save_over, (SAVED,), after=CREATE),
    Operation(LIST, "entries", "entries", workload.listing, (AtLeast(3, "plain"), AtLeast(2, "bindfs")), cold=True),
    Operation(
        "list more with stat",
        "entries",
        "many",
        workload.listing_many,
        (AtLeast(0.9, MEASURED, LIST),),
        cold=True,
        after=LIST,
        without=SLOW_TO_FILL,
    ),
    Operation(WRITE, "MB", "mebibytes", workload.write_large, WRITES),
    Operation("read large", "MB", "mebibytes", workload.read_large, (AtLeast(1, "bindfs"),), cold=True, after=WRITE),
    Operation(
        "random reads of 4 KiB",
        "reads",
        "reads",
        workload.random_reads,
        (AtLeast(0.5, "bindfs"),),
        cold=True,
        after=WRITE,
    ),
    Operation(
        "read large again",
        "MB",
        "mebibytes",
        workload.read_again,
        (AtLeast(0.8, "disk"),),
        check=workload.check_large,
        after=WRITE,
    ),
    Operation(
        "append 4 KiB to large",
        "appends",
        "appends",
        workload.append,
        (milliseconds(5),),
        check=workload.check_appended,
        after=WRITE,
    ),
    Operation(UNTAR, "files", "tree", workload.untar, TREES, without=BARE),
    Operation("git status", "files", "tree", workload.git_status, TREES, cold=True, after=UNTAR, without=BARE),
    Operation("grep -r", "files", "tree", workload.grep, TREES, cold=True, after=UNTAR, without=BARE),
    Operation("mv directory", "moves", "moved", workload.move, (milliseconds(1000),), without=SLOW_TO_FILL),
    Operation(
        "write largest",
        "MB",
        "largest",
        workload.write_largest,
        WRITES,
        check=workload.remove_largest,
        without=("plain", "tmpfs"),
    ),
)


def choose(parts: list[str], amounts: Amounts) -> list[Operation]:
    """Return the operations whose name has one of the parts and that have something to do, with those they come after."""
    names = {row.name for row in OPERATIONS if getattr(amounts, row.amount) and any(part in row.name for part in parts)}
    names |= {row.after for row in OPERATIONS if row.name in names}
    return [row for row in OPERATIONS if row.name in names]


def amount_of(operation: Operation, amounts: Amounts) -> str:
    """Say how much it does in one measurement."""
    noun = next(field.metadata["noun"] for field in fields(Amounts) if field.name == operation.amount)
    return f"{getattr(amounts, operation.amount):,} {noun}"
