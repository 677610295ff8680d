"""Which kinds of file system a test is for, where it is not for all."""

from __future__ import annotations

import pytest

on_kernel = pytest.mark.parametrize("filesystem", ["plain", "mount-mfusepy", "mount-fusepy"], indirect=True)
"""For what only the kernel offers (mmap, locks, …); the driver is an OsDriver."""

on_kvassfs = pytest.mark.parametrize("filesystem", ["direct", "mount-mfusepy", "mount-fusepy"], indirect=True)
"""For what a plain directory does differently."""
