"""Where the program says something: the texts in its code, with `…` for what is filled in."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import kvassfs
import kvassfs_cli
from kvassfs.errors import KvassError

ROOT = Path(__file__).parents[2]

USAGE = {"UsageError": 2, "BadParameter": 2}
"""What click knows of wrong usage, and the exit status of it."""

NOTICE = "notice"
"""What `print_notice` says; the command goes on."""


class Message(NamedTuple):
    """What says it, with which exit status, and the text."""

    kind: str
    status: int
    text: str


@cache
def error_classes() -> dict[str, type[KvassError]]:
    """Return all expected errors, of all modules, by their names."""
    for package in (kvassfs, kvassfs_cli):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)

    def below(kind: type[KvassError]) -> Iterator[type[KvassError]]:
        yield kind
        for each in kind.__subclasses__():
            yield from below(each)

    return {kind.__name__: kind for kind in below(KvassError) if kind.__module__.startswith("kvassfs")}


def find_messages() -> set[Message]:
    """Return what the code says: in the classes of errors, where they are raised, in errors of usage and in notices."""
    paths = [path for top in ("kvassfs", "cli") for path in sorted((ROOT / top).rglob("*.py"))]
    return {message for path in paths for message in messages_in(ast.parse(path.read_text(encoding="utf-8")))}


def messages_in(tree: ast.AST) -> Iterator[Message]:
    """Yield the messages of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in error_classes():
            kind = node.name
            for call in calls_in(node):
                if isinstance(call.func, ast.Attribute) and call.func.attr == "__init__":
                    yield from (Message(kind, status_of(kind), text) for text in texts_of(call))
            for given in (each.value for each in ast.walk(node) if isinstance(each, ast.Assign) and is_args(each)):
                yield from (
                    Message(kind, status_of(kind), text)
                    for part in ast.iter_child_nodes(given)
                    if (text := template_of(part))
                )
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in error_classes() or name in USAGE:
                yield from (Message(name, status_of(name), text) for text in texts_of(node))
            elif name == "print_notice":
                yield from (Message(NOTICE, 0, text) for text in texts_of(node))


def status_of(kind: str) -> int:
    """Return the exit status of a command that ends with the error."""
    return USAGE.get(kind) or error_classes()[kind].exit_code


def template_of(node: ast.AST) -> str:
    """Return the template of an expression."""
    return template(node) if isinstance(node, ast.expr) else ""


def is_args(assignment: ast.Assign) -> bool:
    """Return whether the message of an error is set anew."""
    target = assignment.targets[0]
    return isinstance(target, ast.Attribute) and target.attr == "args"


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    """Yield all calls below a node."""
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def texts_of(call: ast.Call) -> Iterator[str]:
    """Yield the arguments of a call that are texts of several words, and not just handed on."""
    for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
        choices = [argument.body, argument.orelse] if isinstance(argument, ast.IfExp) else [argument]
        yield from (text for choice in choices if " " in (text := template(choice)).strip("… "))


def template(node: ast.expr) -> str:
    """Return a literal text with `…` for each value that is filled in; nothing for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    return ""
