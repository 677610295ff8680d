"""How the whole suite runs: hypothesis is deterministic unless `--hypothesis-profile=search` is given."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("fixed", derandomize=True, database=None, deadline=None, print_blob=True)
settings.register_profile("search", max_examples=2000, database=None, deadline=None, print_blob=True)
settings.load_profile("fixed")
