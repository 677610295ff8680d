"""``python -m kvassfs_cli`` is ``kvass``."""

from .main import main

main()
