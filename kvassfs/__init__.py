"""kvassfs: a personal key-value store that you mount as a directory.

The package is the library: entries, the store and the mount. The command line is a package of its own (kvassfs_cli).
"""

__version__ = "0.1.0"
