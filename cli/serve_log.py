"""What ``kvass serve`` writes to standard error: a line for each request, and what else there is to say, as text or as JSON."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from typing import Protocol

from . import process
from .notices import print_notice

LOG_FORMAT = "%(asctime)s %(message)s"


class Log(Protocol):
    """A form of the log."""

    formatter: logging.Formatter
    """Of what is logged beside requests."""

    def write(self, line: str) -> None:
        """Write what was said of a request; if nobody can hear it, nothing is lost."""

    def say(self, *texts: str) -> None:
        """Write notices."""


class TextLog:
    """Lines of text. Those about requests have the form of the log, but are made four times as fast."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.formatter = logging.Formatter(LOG_FORMAT)
        self.say = print_notice
        self._clock = clock
        self._second = -1
        self._beginning = ""

    def write(self, line: str) -> None:
        """Write a line behind the time."""
        now = self._clock()
        if int(now) != self._second:
            self._second = int(now)
            self._beginning = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        _write(f"{self._beginning},{int(now % 1 * 1000):03} {line}")


class JsonLog:
    """A JSON object in each line, with the time in UTC (RFC 3339) and a level."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.formatter: logging.Formatter = _JsonFormatter()
        self._clock = clock

    def write(self, line: str) -> None:
        """Write the members of an object behind the time and the level."""
        _write(f'{{"time": "{format_time(self._clock())}", "level": "info", {line.removeprefix("{")}')

    def say(self, *texts: str) -> None:
        """Write notices, an object for each."""
        for text in texts:
            self.write(json.dumps({"message": text}))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        members = {
            "time": format_time(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            members["traceback"] = self.formatException(record.exc_info)
        return json.dumps(members)


def format_time(seconds: float) -> str:
    """Return a time in UTC, to the millisecond."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03}Z"


def log_to_standard_error(formatter: logging.Formatter, *, quiet: bool) -> None:
    """Send the log to standard error; ``quiet`` leaves out what is no trouble."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logger = logging.getLogger("kvassfs")
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING if quiet else logging.INFO)


def _write(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(process.STANDARD_ERROR, f"{line}\n".encode())
