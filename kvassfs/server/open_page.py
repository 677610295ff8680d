"""The page that opens what an address of a sealed store leads to: made once of the files in ``web``, and the same for everybody.

It is one document. Its policy names its script and its style by their hashes, so nothing else runs or is loaded there,
whatever is shared. It does nothing before its script runs, and that finds the key behind the ``#`` of the address alone.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cached_property
from importlib.resources import files
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.types import ASGIApp

from . import pages
from .conditions import Validators, decide
from .streaming import Headers, ShortResponse, encode_headers

Read = Callable[[str], str]
"""Returns the text of a file in ``web``, by its path there."""

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "(\.[^"]*)";$\n?', re.MULTILINE)
"""The one form of imports that modules here have; a name is not changed by it."""

_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)

_NAME: Final = re.compile(r"^(?:async )?(?:function\*?|class|const|let) ([A-Za-z_$][\w$]*)", re.MULTILINE)
"""What a module has at its top, where no line is indented."""

_OTHER: Final = re.compile(r"^(?:import|export)\b.*|\bimport\(.*|^(?:const|let) [\[{].*", re.MULTILINE)
"""What would have to be understood to join modules; none has it."""

_MARKUP: Final = re.compile(r"<!--|</?(?:script|style)", re.IGNORECASE)
"""What would end a script or style within the document, or have its end not be one."""

_POLICY: Final = (
    "default-src 'none'; script-src '{script}'; style-src '{style}'; img-src blob:; media-src blob:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


class _Made(NamedTuple):
    body: bytes
    tag: str
    headers: Headers


class OpenPage:
    """The page; ``read`` returns its parts."""

    def __init__(self, read: Read | None = None) -> None:
        self._read = read or read_part

    @cached_property
    def _made(self) -> _Made:
        """The page, made when somebody first asks for it: that takes longer than all else at the start of a hub."""
        document, policy = build_document(self._read)
        body = document.encode()
        tag = hashlib.sha256(body).hexdigest()[:32]
        headers = {
            **pages.PRIVATE,
            "Cache-Control": "no-cache",
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "ETag": f'"{tag}"',
        }
        return _Made(body, tag, encode_headers(headers))

    async def respond(self, request: Request) -> ASGIApp:
        """Return the response to a GET or HEAD, which has no effect, and is the same below the path of any store."""
        made = self._made
        known = {name: value for name, value in request.headers.items() if name == "if-none-match"}
        if decide(known, Validators(made.tag, 0, dated=False), len(made.body), ranges=False).status == 304:
            return ShortResponse(304, made.headers, b"")
        described = (
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(made.body)),
        )
        body = b"" if request.method == "HEAD" else made.body
        return ShortResponse(200, (*made.headers, *described), body)


def read_part(path: str) -> str:
    """Return the text of a file that is installed with this package."""
    return files(__package__).joinpath("web", path).read_text(encoding="utf-8")


def build_document(read: Read) -> tuple[str, str]:
    """Return the document, and the policy with which it is sent.

    Raises:
        ValueError: the files cannot be joined.
    """
    script, style = join_modules(read, "open/open.js"), read("open/open.css")
    for text in (script, style):
        if found := _MARKUP.search(text):
            raise ValueError(f"{found[0]!r} cannot stand in the script or style of a document")
    document = read("open/open.html").replace("{style}", style, 1).replace("{script}", script, 1)
    return document, _POLICY.format(script=_hash_source(script), style=_hash_source(style))


def _hash_source(text: str) -> str:
    """Return what a Content-Security-Policy has for an inline script or style."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def join_modules(read: Read, path: str) -> str:
    """Return a module and all that it imports as one script, each module after those that it imports.

    All share one scope then, so a name at the top of one may be there in no other.

    Raises:
        ValueError: two have the same name, import each other, or have something that this does not understand.
    """
    joined: dict[str, str] = {}
    names: dict[str, str] = {}

    def add(path: str, importing: tuple[str, ...]) -> None:
        if path in importing:
            raise ValueError(f"{path} imports itself, by {importing[-1]}")
        if path in joined:
            return
        source = read(path)
        for imported in _IMPORT.finditer(source):
            add(posixpath.normpath(posixpath.join(posixpath.dirname(path), imported[2])), (*importing, path))
        joined[path] = _strip_module(path, source)
        for name in _NAME.findall(joined[path]):
            if name in names:
                raise ValueError(f"{path} and {names[name]} both have {name}")
            names[name] = path

    add(path, ())
    return "\n".join(joined.values())


def _strip_module(path: str, source: str) -> str:
    """Return a module without what makes it one."""
    for imported in _IMPORT.finditer(source):
        if not re.fullmatch(r"[\w$\s,]*", imported[1]) or re.search(r"\bas\b", imported[1]):
            raise ValueError(f"{path} imports a name as another: {imported[0].strip()}")
    text = _EXPORT.sub("", _IMPORT.sub("", source)).strip()
    if found := _OTHER.search(text):
        raise ValueError(f"{path} has what cannot be joined: {found[0]}")
    return f"{text}\n"
