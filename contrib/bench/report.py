"""From samples to a table for people or JSON for machines."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from measured import met
from operations import amount_of
from wanted import MEASURED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from operations import Operation
    from rounds import Sample
    from workload import Amounts


@dataclass(frozen=True)
class Ratio:
    """The rate of kvassfs over a peer's, pair by pair within a round: median, least and greatest."""

    middle: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.least:.2f}-{self.greatest:.2f})"


class Samples:
    """All samples of a run, with what is computed from them."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.samples = list(samples)

    def among(self, operations: Iterable[Operation]) -> list[Operation]:
        """Return those of the operations that were measured."""
        names = {sample.operation for sample in self.samples}
        return [row for row in operations if row.name in names]

    def of(self, operation: str, peer: str) -> list[Sample]:
        """Return the samples of one cell."""
        return [s for s in self.samples if (s.operation, s.peer) == (operation, peer)]

    def median(self, figure: str, operation: str, peer: str) -> float | None:
        """Return the median of a figure of the samples of one cell."""
        values = [getattr(sample, figure) for sample in self.of(operation, peer)]
        return median(values) if values else None

    def ratio(self, operation: str, peer: str, other: str) -> Ratio | None:
        """Return the rate of kvassfs over the peer's in the other operation, which may be the same."""
        theirs = {sample.round: sample.rate for sample in self.of(other, peer)}
        pairs = [s.rate / theirs[s.round] for s in self.of(operation, MEASURED) if s.round in theirs]
        return Ratio(median(pairs), min(pairs), max(pairs)) if pairs else None


@dataclass(frozen=True)
class Verdict:
    """One figure that is wanted of an operation, what was found, and whether that is enough; None: not measured."""

    operation: str
    wanted: str
    found: str
    met: bool | None


def verdicts(samples: Samples, operations: Sequence[Operation]) -> list[Verdict]:
    """Return everything that is wanted of the operations."""
    found = [(row.name, str(wanted), wanted.find(samples, row.name)) for row in operations for wanted in row.wanted]
    return [
        Verdict(name, wanted, each.text if each else "-", each.met if each else None) for name, wanted, each in found
    ]


def tables(samples: Samples, operations: Sequence[Operation], peers: Sequence[str]) -> str:
    """Return rates, ratios of kvassfs to each peer, what servers spend per unit, and what is wanted."""
    others = [peer for peer in peers if peer != MEASURED]
    head = ["unit", *peers]
    found = [rates, cpu, written] = [
        [["median per second", *head]],
        [["server CPU per unit, us", *head]],
        [["written by the server per unit, bytes", *head]],
    ]
    ratios = [["kvassfs / peer, median (least-greatest)", "rounds", *others]]
    for row in operations:
        for figure, rows in zip(("rate", "cpu", "written"), found, strict=True):
            rows.append([row.name, row.unit, *(number(samples.median(figure, row.name, peer)) for peer in peers)])
        times = str(len(samples.of(row.name, MEASURED)))
        ratios.append([row.name, times, *(str(samples.ratio(row.name, peer, row.name) or "-") for peer in others)])
    wanted = [["wanted of kvassfs", "", "found", ""]]
    wanted += [
        [each.operation, each.wanted, each.found, "-" if each.met is None else met(each.met)]
        for each in verdicts(samples, operations)
    ]
    return "\n\n".join(aligned(rows) for rows in (rates, ratios, cpu, written, wanted))


def markdown(samples: Samples, operations: Sequence[Operation], amounts: Amounts) -> str:
    """Return one table for a document: rates, ratios to the file systems beside it, and what is wanted."""
    beside = ("plain", "bindfs", "rclone")
    rows = [["what", "kvassfs", *(f"× {peer}" for peer in beside), "wanted"], ["---"] * (len(beside) + 3)]
    for row in operations:
        ratios = (samples.ratio(row.name, peer, row.name) for peer in beside)
        rate = f"{number(samples.median('rate', row.name, MEASURED))} {row.unit}/s"
        wanted = ", ".join(map(emphasised, verdicts(samples, [row])))
        name = f"{row.name}, {amount_of(row, amounts)}"
        rows.append([name, rate, *(f"{ratio.middle:.2f}" if ratio else "–" for ratio in ratios), wanted])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def emphasised(verdict: Verdict) -> str:
    """Write what is wanted, in italics where it is not met; of a limit with what was found."""
    words = verdict.wanted.replace(">=", "≥").replace("<=", "≤").replace(" x ", " × ")
    if words.startswith("≤"):
        words += f" ({verdict.found.split()[0]})"
    return words if verdict.met in {True, None} else f"*{words}*"


def number(value: float | None) -> str:
    """Write a figure with three digits or more."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Set the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def document(samples: Samples, operations: Sequence[Operation], peers: Sequence[str]) -> dict[str, Any]:
    """Return the same for machines: every sample, medians and ratios by operation, and what is wanted."""
    return {
        "samples": [asdict(sample) for sample in samples.samples],
        "operations": {row.name: described(samples, row, peers) for row in operations},
        "wanted": [asdict(each) for each in verdicts(samples, operations)],
    }


def described(samples: Samples, operation: Operation, peers: Sequence[str]) -> dict[str, Any]:
    """Describe one operation's medians and ratios."""
    name = operation.name
    ratios = {peer: samples.ratio(name, peer, name) for peer in peers if peer != MEASURED}
    return {
        "unit": operation.unit,
        "cold": operation.cold,
        "rate": {peer: samples.median("rate", name, peer) for peer in peers},
        "cpu_us": {peer: samples.median("cpu", name, peer) for peer in peers},
        "written": {peer: samples.median("written", name, peer) for peer in peers},
        "ratio": {peer: asdict(ratio) for peer, ratio in ratios.items() if ratio},
    }
