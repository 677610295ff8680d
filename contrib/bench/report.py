"""From samples to a table for people or JSON for machines."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rounds import Sample
    from workload import Operation

MEASURED = "kvassfs"


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

    def rates(self, operation: str, peer: str) -> dict[int, float]:
        """Return the units per second by round."""
        return {s.round: s.rate for s in self.of(operation, peer)}

    def of(self, operation: str, peer: str) -> list[Sample]:
        """Return the samples of one cell."""
        return [s for s in self.samples if (s.operation, s.peer) == (operation, peer)]

    def rate(self, operation: str, peer: str) -> float | None:
        """Return the median rate."""
        rates = self.rates(operation, peer).values()
        return median(rates) if rates else None

    def cpu(self, operation: str, peer: str) -> float | None:
        """Return the median processor time per unit, in microseconds."""
        values = [s.cpu for s in self.of(operation, peer)]
        return median(values) if values else None

    def ratio(self, operation: str, peer: str) -> Ratio | None:
        """Return the rate of kvassfs over the peer's."""
        ours, theirs = self.rates(operation, MEASURED), self.rates(operation, peer)
        pairs = [ours[number] / theirs[number] for number in ours if number in theirs]
        return Ratio(median(pairs), min(pairs), max(pairs)) if pairs else None


def table(samples: Samples, operations: Sequence[Operation], peers: Sequence[str]) -> str:
    """Return three tables: rates, ratios of kvassfs to each peer, and the server's processor time per unit."""
    others = [peer for peer in peers if peer != MEASURED]
    rates = [["median per second", "unit", *peers]]
    ratios = [["kvassfs / peer", *others, "wanted", "met"]]
    cpu = [["server CPU per unit, us", "unit", *peers]]
    for row in operations:
        rates.append([row.name, row.unit, *(number(samples.rate(row.name, peer)) for peer in peers)])
        cpu.append([row.name, row.unit[:-2], *(number(samples.cpu(row.name, peer)) for peer in peers)])
        found = (samples.ratio(row.name, peer) for peer in others)
        ratios.append([row.name, *(str(ratio or "-") for ratio in found), *verdict(samples, row)])
    return "\n\n".join(aligned(rows) for rows in (rates, ratios, cpu))


def verdict(samples: Samples, operation: Operation) -> tuple[str, str]:
    """Return what is wanted of an operation and whether it is met."""
    peer, least = operation.wanted
    ratio = samples.ratio(operation.name, peer)
    met = "-" if ratio is None else "yes" if ratio.middle >= least else "NO"
    return f">= {least:g} {peer}", met


def number(value: float | None) -> str:
    """Write a figure with three digits or more."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Set the first column to the left and the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def document(samples: Samples, operations: Sequence[Operation], peers: Sequence[str]) -> dict[str, Any]:
    """Return the same for machines: every sample, and medians, ratios and verdicts by operation."""
    return {
        "samples": [vars(sample) for sample in samples.samples],
        "operations": {row.name: described(samples, row, peers) for row in operations},
    }


def described(samples: Samples, operation: Operation, peers: Sequence[str]) -> dict[str, Any]:
    """Describe one operation's medians, ratios and verdict."""
    found = {peer: samples.ratio(operation.name, peer) for peer in peers if peer != MEASURED}
    wanted, met = verdict(samples, operation)
    return {
        "unit": operation.unit,
        "cold": operation.cold,
        "rate": {peer: samples.rate(operation.name, peer) for peer in peers},
        "cpu_us": {peer: samples.cpu(operation.name, peer) for peer in peers},
        "ratio": {peer: vars(ratio) for peer, ratio in found.items() if ratio},
        "wanted": wanted,
        "met": met,
    }
