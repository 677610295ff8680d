"""What an open store is made of: what every change needs, and what is made once it is asked for, as loading it takes time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from .blocks import Blocks
from .conflicts import Conflicts
from .contents import Contents
from .database import Database
from .entries import Entries
from .holds import Holds
from .hub_time import HubTime
from .inodes import DirectoryInodes
from .journal import Journal
from .local import Directories, Scratch
from .local_parts import LocalParts
from .machine import Machine
from .own_changes import OwnChanges
from .revisions import Revisions
from .sizes import Sizes
from .upkeep import Upkeep
from .xattrs import Xattrs

TYPE_CHECKING = False  # as in ``typing``, which takes time to load
if TYPE_CHECKING:
    from .feed import Feed
    from .history import History
    from .history import Parts as HistoryParts
    from .hub_record import HubRecords
    from .identity import Identity
    from .imports import Imports
    from .inbox import Inbox
    from .keys import Keys
    from .mailboxes import Mailboxes
    from .numbers import Numbers
    from .outbox import Outbox
    from .peers import Peers
    from .processes import Processes
    from .settings import Settings
    from .share_links import ShareLinks
    from .survey import Survey
    from .transfers import Transfers
    from .tree import Tree
    from .undo import Undo
    from .values import Values

# ruff: noqa: PLC0415  each is loaded when it is first used


class Parts:
    """The parts of one open store, wired to each other. See ``Store``."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        sizes: Sizes,
        machine: Machine,
    ) -> None:
        self._database, self._clock, self._random, self._sizes, self._machine = database, clock, random, sizes, machine
        self.path, self.obstacle, self.is_copy = database.path, database.obstacle, database.is_copy
        self.transaction = database.transaction
        self._writer = writer = int.from_bytes(random(6), "big")  # tells this open store from others
        self._contents = Contents(database, sizes)
        self._holds = Holds(database, writer, machine)
        self._revisions = Revisions(database, self._contents, clock)
        journal = Journal(database, writer)
        self.hub_time = HubTime(database, clock, machine)
        self.xattrs = Xattrs(database)
        inodes = DirectoryInodes(database, random)
        directories = Directories(database, journal, self.xattrs, inodes)
        scratch = Scratch(database, self._contents, journal, directories)
        self._local = LocalParts(directories, scratch, self.xattrs, inodes)
        self.own_changes = OwnChanges(database, writer)
        self.conflicts = Conflicts(database, self._contents)
        self._entries = Entries(
            database,
            self._contents,
            self._revisions,
            self._local,
            journal,
            self.own_changes,
            self.conflicts,
            self.hub_time,
            writer=writer,
            clock=clock,
            random=random,
        )
        self.blocks = Blocks(database, self._contents, clock)
        self.upkeep = Upkeep(database, self._contents, self._holds, self._revisions, self.blocks, self.own_changes)
        database.let_history_go = self.upkeep.let_history_go

    @cached_property
    def _keys(self) -> Keys:
        from .keys import Keys

        return Keys(self._database)

    @cached_property
    def feed(self) -> Feed:
        """What changed, for those that follow along."""
        from .feed import Feed

        return Feed(self._database, self._writer)

    @cached_property
    def settings(self) -> Settings:
        """What the user configures."""
        from .settings import Settings

        return Settings(self._database, self.peers)

    @cached_property
    def peers(self) -> Peers:
        """The replicas that this one exchanges entries with."""
        from .peers import Peers

        return Peers(self._database, self._clock, self._writer, self._machine)

    @cached_property
    def values(self) -> Values:
        """Values that are held while they are read."""
        from .values import Values

        return Values(self._database, self._contents, self._holds)

    @cached_property
    def processes(self) -> Processes:
        """What processes do with this store."""
        from .processes import Processes

        return Processes(self._database, self._clock, self._writer, self._machine)

    @cached_property
    def mailboxes(self) -> Mailboxes:
        """The mailboxes of devices that are being paired."""
        from .mailboxes import Mailboxes

        return Mailboxes(self._database)

    @cached_property
    def identity(self) -> Identity:
        """Whether this is the replica that it was."""
        from .identity import Identity

        return Identity(self._database, self.settings, self.peers, self._random, self._machine)

    @cached_property
    def numbers(self) -> Numbers:
        """Times and counters that no other device takes."""
        from .numbers import Numbers

        return Numbers(self._database, self.settings, self.peers, self.hub_time, self._random)

    @cached_property
    def share_links(self) -> ShareLinks:
        """The links that end by themselves."""
        from .share_links import ShareLinks

        return ShareLinks(self._database, self._entries, self._random)

    @cached_property
    def tree(self) -> Tree:
        """The keys as files in directories."""
        from .tree import Tree

        return Tree(
            self._database, self._contents, self._holds, self._entries, self._local, self.share_links, self._clock
        )

    @cached_property
    def imports(self) -> Imports:
        """What is taken in."""
        from .imports import Imports

        return Imports(self._database, self._entries, self.tree, self._clock)

    @cached_property
    def survey(self) -> Survey:
        """How much there is."""
        from .survey import Survey

        return Survey(self._database)

    @cached_property
    def transfers(self) -> Transfers:
        """Copies and renames of keys."""
        from .transfers import Transfers

        mover = self.tree.mover
        return Transfers(self._database, self._contents, self._entries, self._local, mover, self.upkeep.tidy_quietly)

    @cached_property
    def outbox(self) -> Outbox:
        """What is to be sent."""
        from .outbox import Outbox

        return Outbox(self._database, self._contents, self.values, self.blocks, self.hub_time, self._clock)

    @cached_property
    def hub_records(self) -> HubRecords:
        """What makes this store the hub that its devices know."""
        from .hub_record import HubRecords

        return HubRecords(self._database, self.inbox)

    @cached_property
    def inbox(self) -> Inbox:
        """What was received."""
        from .inbox import Inbox

        return Inbox(self._database, self._contents, self._entries, self._revisions, self.blocks, self._clock)

    @cached_property
    def history(self) -> History:
        """Earlier versions."""
        from .history import History

        return History(self._history_parts)

    @cached_property
    def undo(self) -> Undo:
        """Taking back what was changed here."""
        from .undo import Undo

        return Undo(self._history_parts, self.own_changes, self.share_links, self.tree)

    @cached_property
    def _history_parts(self) -> HistoryParts:
        from .history import Parts

        return Parts(self._database, self._contents, self._holds, self._entries, self._revisions)
