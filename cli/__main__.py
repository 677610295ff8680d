"""``python -m kvassfs_cli`` is ``kvass``."""

from .start import main

main()
