"""Numbers of bytes in words."""

from __future__ import annotations


def format_size(amount: int) -> str:
    """Return a number of bytes in the decimal units that disks and networks are sold in."""
    if amount < 1000:
        return f"{amount} B"
    value = float(amount)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"
