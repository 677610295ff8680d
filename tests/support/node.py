"""Node, and the checker of types for its language, as `contrib/test` installs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def find_npm_program(name: str) -> str:
    """Return a program of contrib/requirements/npm; ``contrib/test`` has put it into the environment of the tests."""
    folder = Path(sys.prefix) / "npm/node_modules/.bin"
    found = shutil.which(name, path=str(folder)) or shutil.which(name)
    assert found is not None, f"{name} is missing: contrib/test installs it"
    return found


def find_npm_file(path: str) -> Path:
    """Return a file of a package of contrib/requirements/npm; ``NODE_PATH`` names other folders of packages."""
    folders = [Path(sys.prefix) / "npm/node_modules", *map(Path, os.environ.get("NODE_PATH", "").split(os.pathsep))]
    found = next((folder / path for folder in folders if (folder / path).is_file()), None)
    assert found is not None, f"{path} is missing: contrib/test installs it"
    return found


def run_module(module: Path, *arguments: str | Path) -> Any:
    """Run a module in node, and return what it prints as JSON."""
    command = ["node", "--no-warnings", str(module), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)
