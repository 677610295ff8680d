"""The store: one SQLite file, and the only SQL of the program.

What others may use is listed here, and ``.commits``, which few need and which takes time to load.
"""

from ..block import BLOCK_SIZE
from ..replica import HubState
from .draft import Draft
from .feed import Changes, Event, Position, Seen
from .history import Version
from .inodes import ROOT_INODE, directories_above, new_inode
from .local import DIRECTORY_MODE, DirectoryRecord
from .mailboxes import Mailbox
from .merging import MAX_HUB_LEAP, Merged
from .names import flush
from .nodes import Child, Found, Node
from .numbers import Mended, Oddity
from .opening import is_store
from .outbox import Limit, Outgoing, Page
from .peers import Device
from .presence import User, list_users
from .privacy import COMPANIONS
from .processes import Follower, Upload
from .profile import FOLLOWER, HUB, MOUNT, SEARCHES, SHARING, Profile
from .revisions import Became, Revision
from .rows import Row, Written
from .settings import Config
from .share_links import Shared
from .sizes import INLINE_LIMIT, Sizes
from .store import Store
from .survey import Contained, Totals
from .tree import Tree
from .undo import Plan, Way
from .upkeep import Space
from .values import Reader, Snapshot, StoredValue
from .xattrs import Bearer

__all__ = [
    "BLOCK_SIZE",
    "COMPANIONS",
    "DIRECTORY_MODE",
    "FOLLOWER",
    "HUB",
    "INLINE_LIMIT",
    "MAX_HUB_LEAP",
    "MOUNT",
    "ROOT_INODE",
    "SEARCHES",
    "SHARING",
    "Bearer",
    "Became",
    "Changes",
    "Child",
    "Config",
    "Contained",
    "Device",
    "DirectoryRecord",
    "Draft",
    "Event",
    "Follower",
    "Found",
    "HubState",
    "Limit",
    "Mailbox",
    "Mended",
    "Merged",
    "Node",
    "Oddity",
    "Outgoing",
    "Page",
    "Plan",
    "Position",
    "Profile",
    "Reader",
    "Revision",
    "Row",
    "Seen",
    "Shared",
    "Sizes",
    "Snapshot",
    "Space",
    "Store",
    "StoredValue",
    "Totals",
    "Tree",
    "Upload",
    "User",
    "Version",
    "Way",
    "Written",
    "directories_above",
    "flush",
    "is_store",
    "list_users",
    "new_inode",
]
