"""The options by which `kvass serve` is a hub for many, and is watched over."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce, wraps
from importlib.util import find_spec
from typing import Any, NamedTuple

import click

from .arguments import parse_text
from .hub_database import blocks_endpoint_option, blocks_option, check_blocks, parse_url


class Many(NamedTuple):
    """What they say, as ``ServeOptions`` has it: nothing, for the hub of one person."""

    stores: str
    processes: int
    metrics: str
    blocks: str
    blocks_endpoint: str
    log_format: str


_OPTIONS = (
    click.option(
        "--database",
        "stores",
        metavar="URL",
        type=parse_text,
        callback=parse_url,
        help="be a hub for many: serve the stores in this PostgreSQL database, see `kvass hub`, and not your own",
    ),
    blocks_option,
    blocks_endpoint_option,
    click.option(
        "--processes",
        metavar="N",
        type=click.IntRange(min=1, max=256),
        default=1,
        help="with --database, how many processes serve it (default: 1)",
    ),
    click.option(
        "--metrics",
        metavar="HOST:PORT",
        default="",
        type=parse_text,
        help="serve numbers for Prometheus there, each further process at the next port",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="how the log is written: lines of text, or a JSON object in each line (default: text)",
    ),
)


def many_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options, and what they say as ``many``."""

    @wraps(command)
    def run(
        *arguments: Any,
        stores: str | None,
        blocks: str,
        blocks_endpoint: str,
        processes: int,
        metrics: str,
        log_format: str,
        **others: Any,
    ) -> None:
        many = Many(stores or "", processes, metrics, blocks, blocks_endpoint, log_format)
        check(many)
        command(*arguments, many=many, **others)

    return reduce(lambda made, option: option(made), reversed(_OPTIONS), run)


def check(many: Many) -> None:
    """Return if the options go together."""
    if not many.stores and (many.processes > 1 or many.blocks):
        raise click.UsageError("--processes and --blocks need --database.")
    check_blocks(many.blocks, many.blocks_endpoint)
    if many.metrics and find_spec("prometheus_client") is None:
        raise click.UsageError("--metrics needs prometheus-client; install kvassfs[postgres].")
