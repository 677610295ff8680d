"""The files that a hub serves to browsers, made of those in ``web``, which are the same for everybody.

A page is one document. Its policy names its script and its style by their hashes, so nothing else runs or is loaded there,
whatever is shared. The script is all modules of the page one after another.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final, NamedTuple

Read = Callable[[str], str]
"""Returns the text of a file in ``web``, by its path there."""

Load = Callable[[str], bytes]
"""The same for one that is no text."""

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";$\n?', re.MULTILINE)
"""The one form of imports that modules here have; a name is not changed by it."""

_EXPORT: Final = re.compile(r"^export ((?:async )?(?:function\*?|class|const|let) ([A-Za-z_$][\w$]*))", re.MULTILINE)
"""The one form of exports, at the top of a module, where no line is indented."""

_COMMENT: Final = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
"""A comment that has lines of its own: types and explanations, a third of what would be sent."""

_OTHER: Final = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)
"""What would have to be understood to join modules; none has it."""

_MARKUP: Final = re.compile(r"<!--|</?(?:script|style)", re.IGNORECASE)
"""What would end a script or style within the document, or have its end not be one."""


class Page(NamedTuple):
    """A page: its files are ``NAME.html``, ``NAME.css`` and ``NAME.js`` in the folder ``name``.

    ``policy`` has places for the hashes of its ``{script}`` and ``{style}``; ``headers`` are its others.
    """

    name: str
    policy: str
    headers: Mapping[str, str] = {}


class WebFile(NamedTuple):
    """What a browser gets: the body, its media type, and header fields of its own."""

    body: bytes
    kind: str
    headers: Mapping[str, str]

    @property
    def digest(self) -> str:
        """SHA-256 of the body in hex."""
        return hashlib.sha256(self.body).hexdigest()


Make = Callable[[], WebFile]
"""Makes a file: joining modules takes longer than all else at the start of a hub, so it is called when somebody asks for it."""


def read_part(path: str) -> str:
    """Return the text of a file that is installed with this package."""
    return load_part(path).decode()


def load_part(path: str) -> bytes:
    """Return the bytes of a file that is installed with this package."""
    return files(__package__).joinpath("web", path).read_bytes()


def make_page(read: Read, page: Page) -> WebFile:
    """Return the document of a page.

    Raises:
        ValueError: its files cannot be joined.
    """
    document, policy = build_document(read, page)
    headers = {"Content-Security-Policy": policy, "Cross-Origin-Opener-Policy": "same-origin", **page.headers}
    return WebFile(document.encode(), "text/html; charset=utf-8", headers)


def build_document(read: Read, page: Page) -> tuple[str, str]:
    """Return the document of a page, and the policy with which it is sent.

    Raises:
        ValueError: the files cannot be joined.
    """
    path = f"{page.name}/{page.name}"
    script, style = join_modules(read, f"{path}.js"), read(f"{path}.css")
    for text in (script, style):
        if found := _MARKUP.search(text):
            raise ValueError(f"{found[0]!r} cannot stand in the script or style of a document")
    document = read(f"{path}.html").replace("{style}", style, 1).replace("{script}", script, 1)
    return document, page.policy.format(script=_hash_source(script), style=_hash_source(style))


def _hash_source(text: str) -> str:
    """Return what a Content-Security-Policy has for an inline script or style."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def join_modules(read: Read, path: str) -> str:
    """Return a module and all that it imports as one script, each module after those that it imports, in a scope of its own.

    Raises:
        ValueError: two import each other, or one has something that this does not understand.
    """
    joined: dict[str, str] = {}

    def add(path: str, importing: tuple[str, ...]) -> None:
        if path in importing:
            raise ValueError(f"{path} imports itself, by {importing[-1]}")
        if path in joined:
            return
        source = read(path)
        for imported in _IMPORT.finditer(source):
            add(_resolve(path, imported[2]), (*importing, path))
        joined[path] = _wrap_module(path, source)

    add(path, ())
    return "\n".join(joined.values())


def _resolve(path: str, imported: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), imported))


def _wrap_module(path: str, source: str) -> str:
    """Return a module as a function that is called at once, and what it exports as a constant that is named for its path.

    Comments are left out.
    """

    def import_names(imported: re.Match[str]) -> str:
        if not re.fullmatch(r"[\w$\s,]*", imported[1]) or re.search(r"\bas\b", imported[1]):
            raise ValueError(f"{path} imports a name as another: {imported[0].strip()}")
        return f"const {{{imported[1]}}} = {_name_module(_resolve(path, imported[2]))};\n"

    source = _COMMENT.sub("", source)
    exported = [found[2] for found in _EXPORT.finditer(source)]
    text = _EXPORT.sub(r"\1", _IMPORT.sub(import_names, source)).strip()
    if found := _OTHER.search(text):
        raise ValueError(f"{path} has what cannot be joined: {found[0]}")
    return f"const {_name_module(path)} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();\n"


def _name_module(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))
