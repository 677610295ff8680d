"""Where the program says something: the texts in its code, with `…` for what is filled in."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import kvassfs
import kvassfs_cli
from kvassfs.errors import KvassError

ROOT = Path(__file__).parents[2]

USAGE = {"UsageError": 2, "BadParameter": 2}
"""What click knows of wrong usage, and the exit status of it."""

NOTICE, QUESTION, FINDING, PART = "notice", "question", "finding", "part"
"""What is said on standard error while the command goes on, what it asks, what `kvass doctor` finds (with 1 where that is
wrong), and what functions named `describe_…` put into other messages."""

SPEAKING = {
    **dict.fromkeys(("print_notice", "notice", "_notice", "say", "_say", "_say_once"), NOTICE),
    **dict.fromkeys(("confirm", "prompt"), QUESTION),
}
"""The functions that say and ask it."""

Names = dict[str, list[ast.expr]]
"""What is assigned to each name."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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


@cache
def all_modules() -> list[ast.Module]:
    """Return the code of the program."""
    paths = [path for top in ("kvassfs", "cli") for path in sorted((ROOT / top).rglob("*.py"))]
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def find_messages() -> set[Message]:
    """Return what the code says: in errors, where they are raised, in errors of usage, notices, questions and findings."""
    trees = all_modules()
    makers = {name: kind for tree in trees for name, kind in find_makers(tree)}
    return {message for tree in trees for message in messages_in(tree, makers)}


def find_varying() -> Iterator[str]:
    """Yield the classes of errors of which each has an exit status of its own."""
    for tree in all_modules():
        for node in (each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)):
            targets = (target for each in ast.walk(node) if isinstance(each, ast.Assign) for target in each.targets)
            if any(isinstance(target, ast.Attribute) and target.attr == "exit_code" for target in targets):
                yield node.name


def find_makers(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each function that makes an error, by what it says that it returns, and the name of the error's class."""
    for node in functions_in(tree):
        kind = node.returns.id if isinstance(node.returns, ast.Name) else ""
        if kind in error_classes():
            yield node.name, kind


def messages_in(tree: ast.AST, makers: Mapping[str, str], known: Names | None = None) -> Iterator[Message]:
    """Yield the messages of a module; ``makers`` are the functions that make errors, ``known`` the names around it."""
    known = names_in(tree) if known is None else known
    for node in ast.iter_child_nodes(tree):
        here = {**known, **names_in(node)} if isinstance(node, FUNCTIONS) else known
        said = message_of(node, makers, here)
        if said is not None:
            yield from (said._replace(text=text) for text in texts_in(node, here))
        yield from messages_in(node, makers, here)


def message_of(node: ast.AST, makers: Mapping[str, str], known: Names) -> Message | None:
    """Return as what a piece of code speaks, without the text; nothing for one that does not."""
    if isinstance(node, FUNCTIONS) and node.name.lstrip("_").startswith("describe_"):
        return Message(PART, 0, "")
    name = node.name if isinstance(node, ast.ClassDef) else name_called(node)
    name = makers.get(name, name)
    if name in error_classes() or name in USAGE:
        return Message(name, status_of(name), "")
    if name == "Finding" and isinstance(node, ast.Call):
        return Message(FINDING, int("WRONG" in set(names_used(node, known))), "")
    return Message(SPEAKING[name], 0, "") if name in SPEAKING else None


def name_called(node: ast.AST) -> str:
    """Return the name of what a call calls, without what it belongs to."""
    called = node.func if isinstance(node, ast.Call) else None
    return called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")


def status_of(kind: str) -> int:
    """Return the exit status of a command that ends with the error."""
    return USAGE.get(kind) or error_classes()[kind].exit_code


def functions_in(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield all functions of a module, also those of classes."""
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def names_in(scope: ast.AST) -> Names:
    """Return what is assigned to names in a function, but for what others return; in a module, to constants."""
    found: Names = {}
    is_module = isinstance(scope, ast.Module)
    for node in ast.iter_child_nodes(scope) if is_module else ast.walk(scope):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        first = value.value if isinstance(value, ast.Subscript) else value
        if value is None or isinstance(first, ast.Call):
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            if isinstance(target, ast.Name) and (target.id.isupper() or not is_module):
                found.setdefault(target.id, []).append(value)
    return found


def names_used(node: ast.AST, known: Names) -> Iterator[str]:
    """Yield the names in a piece of code, and in what is assigned to them."""
    for name in (each.id for each in ast.walk(node) if isinstance(each, ast.Name)):
        yield name
        yield from (each for value in known.get(name, ()) for each in names_used(value, {}))


def texts_in(node: ast.AST, known: Names) -> Iterator[str]:
    """Yield the texts of several words in a piece of code, but for its documentation, and what other calls there say.

    Those of a name that is ``known`` are what is said where it is used.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Name):
            yield from (text for value in known.get(child.id, ()) for text in texts_in(ast.Tuple([value]), {}))
        elif text := template(child):
            if " " in text.strip("… "):
                yield text
            yield from (text for value in filled_in(child) for text in texts_in(value, known))
        elif message_of(child, {}, {}) is None:
            yield from texts_in(child, known)


def filled_in(text: ast.AST) -> Iterator[ast.FormattedValue]:
    """Yield what is filled into a text."""
    return (each for each in ast.walk(text) if isinstance(each, ast.FormattedValue))


def template(node: ast.AST) -> str:
    """Return a literal text with `…` for each value that is filled in; nothing for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return template(node.left) + template(node.right)
    return ""
