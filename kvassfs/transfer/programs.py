"""Other programs that hold what is imported, run one call at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from ..transfer_errors import ProgramFailed

Run = Callable[[Sequence[str], bytes], bytes]
"""Runs a program with arguments, gives it a standard input and returns what it writes; raises ProgramFailed."""


def run(arguments: Sequence[str], stdin: bytes) -> bytes:
    """Run a program, which may ask at the terminal; return its standard output.

    Raises:
        ProgramFailed: it is missing, or fails; with the last line that it wrote to standard error.
    """
    try:
        done = subprocess.run(  # noqa: S603  skate or gpg, as the user has them
            list(arguments), input=stdin, capture_output=True, check=False
        )
    except OSError as error:
        raise ProgramFailed(arguments[0], f"it cannot be run ({(error.strerror or str(error)).lower()})") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise ProgramFailed(arguments[0], said or f"it ended with status {done.returncode}")
    return done.stdout
