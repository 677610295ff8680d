"""A plot with two logarithmic axes as an SVG picture: lines with their names beside them, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 860
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 56, 84
"""Around the lines: for the figures of an axis, the names, the title, and the caption."""

DECADE = 80
"""Pixels for a factor of ten upwards."""

LABEL_HEIGHT = 36
"""Of a name and what is below it."""

COLOURS = (
    ("#0b63c4", "#6cb0ff"),
    ("#b3470b", "#ff9d5c"),
    ("#0b7a53", "#4fd09c"),
    ("#8a3ab9", "#d08fff"),
    ("#8a6100", "#e3b341"),
)
"""Of the lines, on a light and on a dark page: a contrast of 4.5 at least."""

STYLE = """
svg{font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif;font-size:13px}
.page{fill:#fff;stroke:#d0d7de}.ink{fill:#1f2328}.soft{fill:#59636e}.grid{stroke:#d8dee4}
path{fill:none;stroke-width:2.5;stroke-linejoin:round}.lead{stroke-width:1;stroke-dasharray:2 3}
"""
DARK = ".page{fill:#0d1117;stroke:#30363d}.ink{fill:#e6edf3}.soft{fill:#9198a1}.grid{stroke:#262c34}"


@dataclass(frozen=True)
class Line:
    """Seconds by number of keys, in order, and what they are of."""

    name: str
    points: Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Plot:
    """What is drawn: a title, the name of the lower axis, the lines, and a caption."""

    title: str
    axis: str
    lines: Sequence[Line]
    caption: str


@dataclass(frozen=True)
class Scale:
    """Where numbers of keys and seconds are in the picture. Bounds are powers of ten."""

    first: int
    last: int
    least: int
    most: int

    @classmethod
    def over(cls, lines: Sequence[Line]) -> Scale:
        """Return one that has room for all points."""
        counts = [math.log10(count) for line in lines for count, _ in line.points]
        seconds = [math.log10(value) for line in lines for _, value in line.points]
        last = max(math.ceil(max(counts)), math.floor(min(counts)) + 1)
        return cls(math.floor(min(counts)), last, math.floor(min(seconds)), math.ceil(max(seconds)))

    @property
    def bottom(self) -> float:
        """Return where the lower axis is."""
        return TOP + (self.most - self.least) * DECADE

    @property
    def right(self) -> float:
        """Return where the lower axis ends."""
        return WIDTH - RIGHT

    def x(self, count: float) -> float:
        """Place a number of keys."""
        return LEFT + (math.log10(count) - self.first) / (self.last - self.first) * (self.right - LEFT)

    def y(self, seconds: float) -> float:
        """Place seconds."""
        return self.bottom - (math.log10(seconds) - self.least) * DECADE


def draw(plot: Plot) -> str:
    """Return the picture."""
    scale = Scale.over(plot.lines)
    height = scale.bottom + BOTTOM
    light, dark = (
        "".join(
            f".l{number}{{fill:{pair[at]}}}path.l{number}{{fill:none;stroke:{pair[at]}}}"
            for number, pair in enumerate(COLOURS)
        )
        for at in (0, 1)
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" height="{height:.0f}" role="img">',
            f"<title>{escape(plot.title)}</title><desc>{escape(describe(plot))}</desc>",
            f"<style>{STYLE.strip()}\n{light}\n@media (prefers-color-scheme:dark){{{DARK}\n{dark}}}</style>",
            f'<rect class="page" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6"/>',
            words(LEFT - 50, 32, plot.title, "ink", size=16, weight=600),
            *axes(scale, plot.axis),
            *drawn_lines(scale, plot.lines),
            words(LEFT - 50, height - 16, plot.caption, "soft", size=11),
            "</svg>\n",
        ]
    )


def describe(plot: Plot) -> str:
    """Say in words what it shows."""
    return " ".join(f"{line.name}: {range_of(line)}." for line in plot.lines)


def range_of(line: Line) -> str:
    """Say where a line begins and ends."""
    (first, at_first), (last, at_last) = line.points[0], line.points[-1]
    return f"{text_of_duration(at_first)} with {first:,} keys, {text_of_duration(at_last)} with {last:,}"


def axes(scale: Scale, name: str) -> Iterator[str]:
    """Draw the grid and its figures."""
    for power in range(scale.least, scale.most + 1):
        y = scale.y(10.0**power)
        yield f'<line class="grid" x1="{LEFT}" x2="{scale.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield words(LEFT - 10, y + 4, text_of_duration(10.0**power), "soft", anchor="end", size=12)
    for power in range(scale.first, scale.last + 1):
        x = scale.x(10.0**power)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{scale.bottom}"/>'
        yield words(x, scale.bottom + 20, f"{10**power:,}", "soft", anchor="middle", size=12)
    yield words((LEFT + scale.right) / 2, scale.bottom + 40, name, "soft", anchor="middle", size=12)


def drawn_lines(scale: Scale, lines: Sequence[Line]) -> Iterator[str]:
    """Draw each line, its points, and its name beside its end."""
    ends = [scale.y(line.points[-1][1]) for line in lines]
    counts = (lines[0].points[end][0] for end in (0, -1))
    yield words(scale.right + 18, 32, " → ".join(f"{count:,}" for count in counts) + " keys", "soft", size=12)
    for number, (line, y) in enumerate(zip(lines, spread(ends, LABEL_HEIGHT), strict=True)):
        mark = f"l{number % len(COLOURS)}"
        at = [(scale.x(count), scale.y(seconds)) for count, seconds in line.points]
        yield f'<path class="{mark}" d="M{" ".join(f"{x:.1f},{y:.1f}" for x, y in at)}"/>'
        yield from (f'<circle class="{mark}" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in at)
        yield f'<path class="{mark} lead" d="M{at[-1][0] + 6:.1f},{at[-1][1]:.1f} {scale.right + 14},{y:.1f}"/>'
        first, last = (text_of_duration(line.points[end][1]) for end in (0, -1))
        yield words(scale.right + 18, y, line.name, mark, weight=600)
        yield words(scale.right + 18, y + 15, f"{first} → {last}", "soft", size=12)


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Return places as near to the wanted ones as they can be without two of them being nearer than the gap.

    Places that would be too near are moved apart around their middle.
    """
    groups: list[list[float]] = []  # of each: the middle that its members want, and how many they are
    for place in sorted(wanted):
        groups.append([place, 1])
        while len(groups) > 1 and groups[-1][0] - groups[-2][0] < gap * (groups[-1][1] + groups[-2][1]) / 2:
            middle, members = groups.pop()
            other, others = groups[-1]
            groups[-1] = [(other * others + middle * members) / (others + members), others + members]
    places = iter(
        middle + gap * (member - (members - 1) / 2) for middle, members in groups for member in range(int(members))
    )
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed = dict(zip(order, places, strict=True))
    return [placed[at] for at in range(len(wanted))]


def words(x: float, y: float, text: str, mark: str, *, anchor: str = "start", size: int = 13, weight: int = 400) -> str:
    """Write a line of text."""
    style = f' font-weight="{weight}"' if weight != 400 else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{mark}" {place} font-size="{size}"{style}>{escape(text)}</text>'


def text_of_duration(seconds: float) -> str:
    """Write seconds with two digits or three, in the unit that fits."""
    for unit, length in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= length * 0.9995:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"
