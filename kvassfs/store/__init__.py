"""The store: one SQLite file, and the only SQL of the program."""

from ..entry import BLOCK_SIZE
from .contacts import Device, Follower, HubState
from .contents import INLINE_LIMIT, Value
from .draft import Draft
from .entries import Revision, Row, Written
from .exchange import Limit, Outgoing, Page
from .links import Shared
from .local import DIRECTORY_MODE, DirectoryRecord
from .merging import Merged
from .store import Config, Store
from .tree import Child, Found, Node, Tree

__all__ = [
    "BLOCK_SIZE",
    "DIRECTORY_MODE",
    "INLINE_LIMIT",
    "Child",
    "Config",
    "Device",
    "DirectoryRecord",
    "Draft",
    "Follower",
    "Found",
    "HubState",
    "Limit",
    "Merged",
    "Node",
    "Outgoing",
    "Page",
    "Revision",
    "Row",
    "Shared",
    "Store",
    "Tree",
    "Value",
    "Written",
]
