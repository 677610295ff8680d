"""What is wanted of an operation: a ratio to a peer in the same run, or a limit for kvassfs itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from report import Samples

MEASURED = "kvassfs"


@dataclass(frozen=True)
class Found:
    """What was found of a figure, as text, and whether that is enough."""

    text: str
    met: bool


class Wanted(Protocol):
    """One figure that is wanted of kvassfs; ``str`` of it is what the table says."""

    def find(self, samples: Samples, operation: str) -> Found | None:
        """Compare what was measured with it; None where that was not measured."""
        ...


@dataclass(frozen=True)
class AtLeast:
    """At least so many times the rate of a peer in the same round, perhaps in another operation."""

    times: float
    peer: str
    operation: str = ""

    def __str__(self) -> str:
        return f">= {self.times:g} x {self.peer}" + (f", {self.operation}" if self.operation else "")

    def find(self, samples: Samples, operation: str) -> Found | None:
        """Compare the median of the ratios with it."""
        ratio = samples.ratio(operation, self.peer, self.operation or operation)
        return None if ratio is None else Found(str(ratio), ratio.middle >= self.times)


@dataclass(frozen=True)
class AtMost:
    """At most so much of a figure of ``Sample``, which is shown in ``unit``: so many of that are one of the figure's."""

    most: float
    unit: str
    figure: str
    scale: float

    def __str__(self) -> str:
        return f"<= {self.most:g} {self.unit}"

    def find(self, samples: Samples, operation: str) -> Found | None:
        """Compare the median with it."""
        figure = samples.median(self.figure, operation, MEASURED)
        if figure is None:
            return None
        return Found(f"{figure * self.scale:.3g} {self.unit}", figure * self.scale <= self.most)


def milliseconds(most: float) -> AtMost:
    """Limit the time of one unit."""
    return AtMost(most, "ms", "seconds", 1e3)


def cpu_milliseconds(most: float) -> AtMost:
    """Limit the server's processor time for a megabyte."""
    return AtMost(most, "ms of server CPU a MB", "cpu", 1e-3)


def kilobytes_written(most: float) -> AtMost:
    """Limit what the server writes for one unit."""
    return AtMost(most, "KB written by the server", "written", 1e-3)
