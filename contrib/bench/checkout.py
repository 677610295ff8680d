"""Imported for what it does: the rig of the tests, `tests.support`, can be imported from this checkout."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
