#!/usr/bin/env python3
"""Put libraries of others into the page of a phone: copies of what contrib/requirements/npm has locked, with licence and checksum.

    python contrib/vendor.py .venv-test/npm/node_modules

They become modules as those of the page are, which `kvassfs/server/web_files.py` can join: exports stand where things are made.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "kvassfs/server/web/vendor"

LIBRARIES: Final = {"uqr.js": ("uqr", "dist/index.mjs", ("encode",))}
"""By the names of the copies: the package, the file in it, and the names that the page uses."""


def make_copy(modules: Path, package: str, file: str, names: tuple[str, ...]) -> str:
    """Return a library as a module of the page."""
    source = (modules / package / file).read_text(encoding="utf-8")
    licence = (modules / package / "LICENSE").read_text(encoding="utf-8")
    version = json.loads((modules / package / "package.json").read_text(encoding="utf-8"))["version"]
    text = re.sub(r"^export \{[^}]*\};\n", "", source, flags=re.MULTILINE)
    for name in names:
        text, count = re.subn(rf"^(?=(?:function|class|const) {name}\b)", "export ", text, flags=re.MULTILINE)
        if count != 1:
            raise ValueError(f"{package} has no {name}")
    digest = hashlib.sha256(source.encode()).hexdigest()
    head = f"{package} {version}, {file}, SHA-256 {digest}; copied by contrib/vendor.py\n\n{licence.strip()}"
    lines = "\n".join(f" * {line}".rstrip() for line in head.splitlines())
    return f"// @ts-nocheck\n/*!\n{lines}\n */\n\n{text.strip()}\n"


def main() -> None:
    """Write the copies of what is below the folder that is named."""
    for name, library in LIBRARIES.items():
        (FOLDER / name).write_text(make_copy(Path(sys.argv[1]), *library), encoding="utf-8")


if __name__ == "__main__":
    main()
