"""The store: one SQLite file, and the only SQL of the program.

What others may use is listed here, and ``.commits``. Each is loaded when it is first asked for: all of them together take longer
than most commands.
"""

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from ..block import BLOCK_SIZE
    from ..replica import HubState
    from .blocks import KEPT_TIME
    from .draft import Draft
    from .feed import Changes, Event, Position, Seen
    from .glance import GLANCE_FAILURES, Glance, explain_glance, take_glance
    from .history import Version
    from .hub_record import HubRecord, KnownDevice
    from .inodes import ROOT_INODE, directories_above, new_inode
    from .local import DIRECTORY_MODE, DirectoryRecord
    from .mailboxes import Mailbox
    from .merging import MAX_HUB_LEAP, MAX_LEAP, Merged
    from .names import flush
    from .nodes import Child, Found, Node
    from .numbers import Mended, Oddity
    from .opening import is_store
    from .outbox import Limit, Outgoing, Page
    from .peers import KEPT_INCARNATIONS, SEEN_INTERVAL, Device
    from .privacy import COMPANIONS
    from .processes import Follower, Upload
    from .profile import FOLLOWER, HUB, MOUNT, SEARCHES, SHARING, Profile
    from .revisions import Became, Revision
    from .rows import Row, Written
    from .sealed import RefusedEntry
    from .settings import Config
    from .share_links import Shared, choose_shared
    from .sizes import INLINE_LIMIT, Sizes
    from .store import Store
    from .survey import Contained, Totals
    from .tree import Tree
    from .undo import Plan, Way
    from .upkeep import Space
    from .users import User, list_users
    from .values import Reader, Snapshot, StoredValue
    from .xattrs import Bearer

_HOMES = {
    "..block": "BLOCK_SIZE",
    "..replica": "HubState",
    ".blocks": "KEPT_TIME",
    ".draft": "Draft",
    ".feed": "Changes Event Position Seen",
    ".glance": "GLANCE_FAILURES Glance explain_glance take_glance",
    ".history": "Version",
    ".hub_record": "HubRecord KnownDevice",
    ".inodes": "ROOT_INODE directories_above new_inode",
    ".local": "DIRECTORY_MODE DirectoryRecord",
    ".mailboxes": "Mailbox",
    ".merging": "MAX_HUB_LEAP MAX_LEAP Merged",
    ".names": "flush",
    ".nodes": "Child Found Node",
    ".numbers": "Mended Oddity",
    ".opening": "is_store",
    ".outbox": "Limit Outgoing Page",
    ".peers": "KEPT_INCARNATIONS SEEN_INTERVAL Device",
    ".privacy": "COMPANIONS",
    ".processes": "Follower Upload",
    ".profile": "FOLLOWER HUB MOUNT SEARCHES SHARING Profile",
    ".revisions": "Became Revision",
    ".rows": "Row Written",
    ".sealed": "RefusedEntry",
    ".settings": "Config",
    ".share_links": "Shared choose_shared",
    ".sizes": "INLINE_LIMIT Sizes",
    ".store": "Store",
    ".survey": "Contained Totals",
    ".tree": "Tree",
    ".undo": "Plan Way",
    ".upkeep": "Space",
    ".users": "User list_users",
    ".values": "Reader Snapshot StoredValue",
    ".xattrs": "Bearer",
}
"""The modules, and what others may use of each."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


if not TYPE_CHECKING:  # else every name would be one that there is

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        package, module = __name__.rpartition(".")[0], home.lstrip(".")
        path = f"{package}.{module}" if home.startswith("..") else f"{__name__}.{module}"
        value: object = getattr(__import__(path, fromlist=[name]), name)
        globals()[name] = value
        return value


__all__ = [
    "BLOCK_SIZE",
    "COMPANIONS",
    "DIRECTORY_MODE",
    "FOLLOWER",
    "GLANCE_FAILURES",
    "HUB",
    "INLINE_LIMIT",
    "KEPT_INCARNATIONS",
    "KEPT_TIME",
    "MAX_HUB_LEAP",
    "MAX_LEAP",
    "MOUNT",
    "ROOT_INODE",
    "SEARCHES",
    "SEEN_INTERVAL",
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
    "Glance",
    "HubRecord",
    "HubState",
    "KnownDevice",
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
    "RefusedEntry",
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
    "choose_shared",
    "directories_above",
    "explain_glance",
    "flush",
    "is_store",
    "list_users",
    "new_inode",
    "take_glance",
]
