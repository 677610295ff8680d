"""The mapping between keys and paths: pure, total and reversible.

``/`` in a key separates directories. A *component* is a part of a key between two ``/`` (it may be empty), a
*file name* is what the kernel sees of it. Almost every component is its own file name; three kinds are not:

- a row of ``%`` followed by nothing, ``.``, ``..`` or (after one ``%`` or more) ``@`` gets a ``%`` more, and so does
  one followed by ``.kvass`` if it is in the root;
- one whose file name would exceed 255 bytes is shown shortened, see `shortened`;
- one that looks shortened itself, and whose name is taken in that way, is shown shortened too.

The last depends on the siblings: `listed_name` and `resolve` take those that matter, which `search_prefix`
finds. A file name that a user creates is always listed back unchanged. Two components of a directory with the
same first 227 bytes and the same 64 bits of SHA-256 are taken not to exist.

A directory is named by the prefix of the keys below it: ``""`` is the root, ``"a/"`` is ``/a`` and ``"/"``
(below an empty component) is ``/%``. So no two directories are confused, though ``""`` itself is no key.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterable, Mapping

from .errors import KvassError

NAME_MAX = 255
"""Greatest length of a file name, in bytes of UTF-8."""

VALUE_NAME = "%@"
"""In the directory ``a``, the file with the value of the key ``a``; no component has this name."""

DOT_NAME = ".kvass"
"""In the root, the directory that is there without being listed; no component has this name there."""

_KEPT = 230  # bytes of a component that its shortened form keeps, at most
_LEAST_KEPT = _KEPT - 3  # a character of four bytes may straddle the end
_MARK = "%~"
_DIGITS = 16
_TAIL = len(_MARK) + _DIGITS

_ESCAPABLE = re.compile(r"%*\.{0,2}|%+@")
_ESCAPABLE_IN_ROOT = re.compile(rf"{_ESCAPABLE.pattern}|%*{re.escape(DOT_NAME)}")
_HASH = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")


class InvalidName(KvassError):
    """A file name that no component has; ``errno`` is what a call that would create it answers.

    ``EILSEQ``: not UTF-8. ``ENAMETOOLONG``: more than 255 bytes. ``EINVAL``: empty, ``.``, ``..``, ``%@``, or
    with a ``/`` or a NUL, or ``.kvass`` in the root.
    """

    def __init__(self, name: str, errno: int, reason: str) -> None:
        super().__init__(f"{name!r} cannot be a file name: {reason}")
        self.name = name
        self.errno = errno
        self.reason = reason


def file_name(component: str, *, in_root: bool = False) -> str:
    """Return the file name of a component whatever its siblings; `listed_name` heeds them.

    ``in_root``, here and below: it is the first component of its key.

    The two differ only where `is_shortened` holds for the component. Raises InvalidName for what cannot be
    part of a key: a ``/``, a NUL, a lone surrogate.
    """
    if _is_ordinary(component):
        return component
    _check_characters(component)
    escaped = f"%{component}" if _escapable(in_root).fullmatch(component) else component
    return escaped if len(_encoded(escaped)) <= NAME_MAX else shortened(component)


def component(file_name: str, *, in_root: bool = False) -> str:
    """Return the component that a file name stands for whatever its siblings; `resolve` heeds them.

    The two differ only where `is_shortened` holds for the file name. Raises InvalidName.
    """
    if _is_ordinary(file_name):
        return file_name
    _check_characters(file_name)
    if len(_encoded(file_name)) > NAME_MAX:
        raise InvalidName(file_name, errno.ENAMETOOLONG, f"it has more than {NAME_MAX} bytes")
    if file_name in ("", ".", "..", VALUE_NAME) or (in_root and file_name == DOT_NAME):
        raise InvalidName(file_name, errno.EINVAL, "it has a meaning of its own")
    if file_name[0] == "%" and _escapable(in_root).fullmatch(file_name, 1):
        return file_name[1:]
    return file_name


def shortened(component: str) -> str:
    """Return the shortened form of a component of any length.

    This is its longest prefix of at most 230 bytes that ends at a character, ``%~``, and the first 16 hex
    digits of its SHA-256.
    """
    digest = hashlib.sha256(_encoded(component)).hexdigest()
    return f"{_head(component, _KEPT)}{_MARK}{digest[:_DIGITS]}"


def is_shortened(name: str) -> bool:
    """Tell whether a file name, or a component, looks like a shortened form."""
    return (
        name[-_TAIL:-_DIGITS] == _MARK
        and _HASH.fullmatch(name, len(name) - _DIGITS) is not None
        and _LEAST_KEPT <= len(_encoded(name)) - _TAIL <= _KEPT
    )


def search_prefix(name: str) -> str:
    """Return what every sibling begins with that matters to `resolve` or `listed_name` for this name.

    ``name`` looks shortened. The prefix is less than the part before ``%~``, because a shortened form may be
    that of another one, with up to three bytes of its ``%~`` and hash.
    """
    return _head(name, _LEAST_KEPT)


def resolve(file_name: str, siblings: Iterable[str], *, in_root: bool = False) -> str:
    """Return the component that a file name stands for in a directory, whether that exists or not.

    ``siblings`` are the existing components of the directory, at least those that begin with `search_prefix`;
    they are looked at only if the name looks shortened. Raises InvalidName.
    """
    literal = component(file_name, in_root=in_root)
    return _shown_shortened(siblings, in_root).get(file_name, literal) if is_shortened(file_name) else literal


def listed_name(component: str, siblings: Iterable[str], *, in_root: bool = False) -> str:
    """Return the file name under which a directory lists a component; the inverse of `resolve`.

    ``siblings`` are as for `resolve`, and looked at only if the component looks shortened.
    """
    taken = is_shortened(component) and component in _shown_shortened(siblings, in_root)
    return shortened(component) if taken else file_name(component, in_root=in_root)


def listed_names(components: Iterable[str], *, in_root: bool = False) -> dict[str, str]:
    """Map the file names in a directory to its components, given all of them, in their order."""
    components = list(components)
    taken = _shown_shortened(components, in_root)
    return {shortened(each) if each in taken else file_name(each, in_root=in_root): each for each in components}


def split(key: str) -> list[str]:
    """Return the components of a key; ``"a/"`` has two, the second empty."""
    return key.split("/")


def join(components: Iterable[str]) -> str:
    """Return the key of these components, of which there is at least one."""
    return "/".join(components)


def key_of(path: str) -> str:
    """Return the key of an absolute path, each file name read by itself as by `component`.

    The root has no key, nor has a path with a `VALUE_NAME`, or one that begins with `DOT_NAME`: raises InvalidName.
    """
    if (
        path.isascii()
        and len(path) <= NAME_MAX
        and "%" not in path
        and "/." not in path
        and "//" not in path
        and "\0" not in path
        and path[-1] != "/"
    ):
        return path[1:]
    first, *rest = path[1:].split("/")
    return join([component(first, in_root=True), *map(component, rest)])


def path_of(key: str) -> str:
    """Return the absolute path of a key, each component shown by itself as by `file_name`."""
    first, *rest = split(key)
    return "/" + "/".join([file_name(first, in_root=True), *map(file_name, rest)])


def _escapable(in_root: bool) -> re.Pattern[str]:
    return _ESCAPABLE_IN_ROOT if in_root else _ESCAPABLE


def _is_ordinary(name: str) -> bool:
    """Tell quickly whether a name is both a component and its file name; False may mean "not sure"."""
    if not name.isascii() or not 0 < len(name) <= NAME_MAX:
        return False
    return name[0] not in "%." and "/" not in name and "\0" not in name


def _check_characters(name: str) -> None:
    if "/" in name or "\0" in name:
        raise InvalidName(name, errno.EINVAL, "it holds a '/' or a NUL")


def _encoded(name: str) -> bytes:
    try:
        return name.encode()
    except UnicodeEncodeError:
        raise InvalidName(name, errno.EILSEQ, "it is not UTF-8") from None


def _head(name: str, size: int) -> str:
    """Return the longest prefix of at most ``size`` bytes that ends at a character."""
    return _encoded(name)[:size].decode(errors="ignore")


def _shown_shortened(siblings: Iterable[str], in_root: bool) -> Mapping[str, str]:
    """Map each file name that stands for another component's shortened form to that component.

    A component that looks shortened is shown as it is unless its name is taken by one that must be shown
    shortened; then it must itself, which may take the name of a third.
    """
    shown: dict[str, str] = {}
    literal: set[str] = set()
    for sibling in siblings:
        if is_shortened(sibling):
            literal.add(sibling)
        elif (name := file_name(sibling, in_root=in_root)) != sibling and is_shortened(name):
            shown[name] = sibling
    pending = list(shown)
    while pending:
        taken = pending.pop()
        if taken in literal:
            literal.remove(taken)
            name = shortened(taken)
            shown[name] = taken
            pending.append(name)
    return shown
