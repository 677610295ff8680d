"""The store: one SQLite file, and the only SQL of the program."""

from .contents import BLOCK_SIZE, INLINE_LIMIT, Value
from .draft import Draft
from .entries import Revision, Row, Written
from .local import DIRECTORY_MODE, DirectoryRecord
from .store import Config, Store
from .tree import Child, Found, Node, Tree

__all__ = [
    "BLOCK_SIZE",
    "DIRECTORY_MODE",
    "INLINE_LIMIT",
    "Child",
    "Config",
    "DirectoryRecord",
    "Draft",
    "Found",
    "Node",
    "Revision",
    "Row",
    "Store",
    "Tree",
    "Value",
    "Written",
]
