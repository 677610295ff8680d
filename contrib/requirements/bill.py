"""Print the bill of materials of the wheel, in the form of CycloneDX: what `contrib/run` installs, with its hashes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

PIN = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[\w.!+-]+)(?: ; (?P<marker>.*?))?(?= \\)(?P<hashes>(?: \\\s+--hash=\S+)*)"
)


def read_components(text: str) -> list[dict[str, Any]]:
    """Return the packages of a file of requirements, as a bill lists them."""
    return [_describe(**found.groupdict()) for found in PIN.finditer(text)]


def _describe(name: str, version: str, marker: str | None, hashes: str) -> dict[str, Any]:
    package = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
        "properties": [{"name": "hash", "value": each} for each in re.findall(r"--hash=(\S+)", hashes)],
    }
    if marker:
        package["properties"].append({"name": "marker", "value": marker})
    return package


def build_bill() -> dict[str, Any]:
    """Return the bill of this version."""
    version = re.findall(r'__version__ = "(.*)"', (ROOT / "kvassfs/__init__.py").read_text())[0]
    components = read_components((ROOT / "contrib/requirements/run.txt").read_text())
    ref = f"pkg:pypi/kvassfs@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": ref, "name": "kvassfs", "version": version, "purl": ref}
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": [each["bom-ref"] for each in components]}],
    }


if __name__ == "__main__":
    print(json.dumps(build_bill(), indent=1))
