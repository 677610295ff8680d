"""The schema: every table, column and sentinel, explained once."""

from __future__ import annotations

APPLICATION_ID = 0x4B565346
"""``PRAGMA application_id`` of a kvassfs database: "KVSF"."""

VERSION = 14
"""``PRAGMA user_version`` of this schema; a greater one was written by a later program."""

TABLES = """
-- This replica. Exactly one row.
CREATE TABLE replica (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    process_id     INTEGER NOT NULL,   -- 1 … 2^32 - 1, random when the store is made
    encryption_key BLOB    NOT NULL,   -- 32 bytes, AES-256-GCM
    remote         TEXT    NOT NULL,   -- the hub as configured; '' = none
    clock          INTEGER NOT NULL,   -- Lamport clock; the last sequence given out
    timestamp      INTEGER NOT NULL,   -- greatest timestamp of an own entry, µs since the epoch
    cursor         INTEGER NOT NULL    -- greatest sequence of the remote that was pulled
) STRICT;

-- Counted up by ``flush``: a commit that changes nothing would not wait for the disk. One row.
CREATE TABLE syncs (number INTEGER NOT NULL) STRICT;
INSERT INTO syncs VALUES (0);

-- What the user configured, by name; a missing row means the default.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The current state of every key that was ever seen, tombstones among them.
CREATE TABLE entries (
    key        TEXT PRIMARY KEY,
    timestamp  INTEGER NOT NULL,   -- µs since the epoch, hybrid logical clock
    counter    INTEGER NOT NULL,   -- the writer's Lamport clock; never changes
    process_id INTEGER NOT NULL,   -- the writer
    url_token  TEXT    NOT NULL,
    size       INTEGER NOT NULL,   -- of the value in bytes; 0 with mode NULL: a tombstone
    mode       INTEGER,            -- st_mode given by the mount that wrote it; NULL = none given
    content    INTEGER,            -- contents.id; NULL when size = 0. No two rows share one
    sequence   INTEGER NOT NULL,   -- this replica's clock when it merged the entry
    dirty      INTEGER NOT NULL,   -- 0 = the hub has acknowledged this version; 1 = it has not; 2 = nor that a mount
                                   -- made or removed the key, which waits a moment in case it goes or comes back
    handed     INTEGER NOT NULL,   -- 1 = some version of this key was handed to another device
    born       INTEGER NOT NULL,   -- µs: when the key came into being on this replica; 0 = taken over
    changed    INTEGER NOT NULL,   -- ns: st_ctime; local only
    mtime      INTEGER,            -- ns: st_mtime where it is not the timestamp; local only
    atime      INTEGER,            -- ns: st_atime where it is not st_mtime; local only
    live       INTEGER NOT NULL GENERATED ALWAYS AS (size > 0 OR mode IS NOT NULL) VIRTUAL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX entries_by_sequence ON entries (sequence);
CREATE INDEX entries_by_token ON entries (url_token);
CREATE INDEX entries_live ON entries (key) WHERE live;
CREATE INDEX entries_dirty ON entries (sequence) WHERE dirty;

-- Values that were overwritten, deleted or lost a merge. Empty ones leave no revision.
CREATE TABLE revisions (
    id         INTEGER PRIMARY KEY,
    key        TEXT    NOT NULL,
    timestamp  INTEGER NOT NULL,
    counter    INTEGER NOT NULL,
    process_id INTEGER NOT NULL,
    url_token  TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    mode       INTEGER,
    content    INTEGER NOT NULL,
    replaced   INTEGER NOT NULL    -- µs: when this replica replaced it
) STRICT;
CREATE INDEX revisions_by_key ON revisions (key, id);
CREATE INDEX revisions_by_age ON revisions (replaced);

-- Values. Each belongs to exactly one entry, revision or scratch file, and never changes.
CREATE TABLE contents (
    id   INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    data BLOB               -- up to 64 KiB; NULL = the value is a list of blocks
) STRICT;

-- A large value is a list of segments, a segment a list of up to 256 blocks of 256 KiB (the last
-- one of a value is shorter). Segments and blocks are shared: a changed block costs its segment's
-- list and the content's list of segments anew, not the list of all blocks.
CREATE TABLE content_segments (
    content  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0, 1, 2 …
    segment  INTEGER NOT NULL,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX content_segments_by_segment ON content_segments (segment);
CREATE TABLE segment_blocks (
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0 … 255
    block    INTEGER NOT NULL,
    PRIMARY KEY (segment, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_blocks_by_block ON segment_blocks (block);
CREATE TABLE blocks (
    id   INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,   -- SHA-256 of data
    data BLOB NOT NULL
) STRICT;

-- Open stores that hold contents and blocks which no entry names yet or any more; the id is random.
CREATE TABLE holders (
    id      INTEGER PRIMARY KEY,
    pid     INTEGER NOT NULL,    -- of the operating system
    started TEXT    NOT NULL     -- tells a process from a later one with the same pid
) STRICT;
-- Contents that open files read: kept although their entry has moved on.
CREATE TABLE pins (
    content INTEGER NOT NULL,
    holder  INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (content, holder)
) STRICT, WITHOUT ROWID;
-- Blocks of values that are still being written.
CREATE TABLE staged (
    block  INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (block, holder)
) STRICT, WITHOUT ROWID;
-- Contents and blocks to be looked at by the next clean-up.
CREATE TABLE dropped_contents (content INTEGER PRIMARY KEY) STRICT;
CREATE TABLE dropped_blocks (block INTEGER PRIMARY KEY) STRICT;

-- Directories of the mount that were made by mkdir, lost their last key, or carry attributes. The
-- directories above one that is here are here as well.
CREATE TABLE directories (
    prefix  TEXT PRIMARY KEY,    -- what the keys in it begin with: 'a/b/'; '' = the root
    mode    INTEGER NOT NULL,    -- st_mode
    changed INTEGER NOT NULL,    -- ns, as in entries
    mtime   INTEGER NOT NULL,    -- ns
    atime   INTEGER              -- ns; NULL = mtime
) STRICT, WITHOUT ROWID;

-- Scratch files of editors and tools: they belong to this machine alone.
CREATE TABLE scratch (
    key     TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    mode    INTEGER NOT NULL,
    content INTEGER,             -- as in entries
    changed INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,
    atime   INTEGER
) STRICT, WITHOUT ROWID;

-- Changes of directories and scratch files, for other mounts of this store. The newest are kept.
CREATE TABLE local_changes (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    key    TEXT    NOT NULL,     -- of a file, or the prefix of a directory
    writer INTEGER NOT NULL      -- tells the changes of one open store from those of others
) STRICT;
"""

SYNC_TABLES = """
-- What is known of the hub. Exactly one row; replica.cursor belongs to it.
CREATE TABLE hub (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    version    INTEGER NOT NULL,   -- of the protocol that it speaks; 0 = not known yet
    process_id INTEGER NOT NULL,   -- its own; 0 = not known yet
    reached    INTEGER NOT NULL,   -- µs: when the last exchange succeeded; 0 = none has
    difference INTEGER,            -- µs: its clock minus ours; NULL = not known
    epoch      INTEGER NOT NULL,   -- counts the hubs: what an exchange with an earlier one found is void
    incarnation INTEGER NOT NULL,  -- the mark of its latest one that is known; 0 = none
    told       INTEGER NOT NULL    -- the greatest clock that it told
) STRICT;
INSERT INTO hub VALUES (1, 0, 0, 0, NULL, 1, 0, 0);

-- Processes that served this store as the hub, the newest ones: by them a device knows a store that was set back to
-- a backup of it, and may lack what the device was told that it has.
CREATE TABLE incarnations (
    id      INTEGER PRIMARY KEY,
    mark    INTEGER NOT NULL,    -- random
    told    INTEGER NOT NULL,    -- the greatest clock that it told a device
    pid     INTEGER NOT NULL,    -- as in holders
    started TEXT    NOT NULL
) STRICT;

-- The open store that is pushing, so that no other pushes the same. At most one row.
CREATE TABLE pusher (
    writer  INTEGER NOT NULL,    -- tells one open store from another
    pid     INTEGER NOT NULL,    -- as in holders
    started TEXT    NOT NULL
) STRICT;

-- Processes that keep this store in step with the hub.
CREATE TABLE followers (
    pid     INTEGER PRIMARY KEY, -- as in holders
    started TEXT    NOT NULL,
    place   TEXT    NOT NULL,    -- directory of the mount; '' = there is none
    since   INTEGER NOT NULL,    -- µs: when it began
    reached INTEGER NOT NULL,    -- µs: when it last heard from the hub; 0 = it is not in touch
    error   TEXT    NOT NULL     -- why it is not in touch
) STRICT;

-- Replicas that have this one as their hub, or whose entries came here.
CREATE TABLE devices (
    process_id INTEGER PRIMARY KEY,
    seen       INTEGER NOT NULL, -- µs: when it last asked; 0 = it has not
    counter    INTEGER NOT NULL  -- the greatest of its counters that was pushed here
) STRICT;

-- Blocks that came from another replica, before the entry that names them could be merged.
CREATE TABLE received (
    block   INTEGER PRIMARY KEY,
    arrived INTEGER NOT NULL     -- µs
) STRICT;
CREATE INDEX received_by_age ON received (arrived);
"""

SHARING = """
CREATE INDEX revisions_by_token ON revisions (url_token);
"""

FEED = """
-- The open store that wrote this version of the key here, as in local_changes; 0 = not known. A mount need not tell
-- the kernel of its own changes.
ALTER TABLE entries ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
"""

TIME = """
-- The newest timestamp of this key that another device knows: of a version that came from one, or was in a message to
-- one. NULL = no other device knows of the key. The current version is final where the floor is its own timestamp.
ALTER TABLE entries ADD COLUMN floor INTEGER;
UPDATE entries SET timestamp = min(max(timestamp, 0), 9007194959773696) WHERE timestamp NOT BETWEEN 0 AND 9007194959773696;
UPDATE entries SET floor = timestamp WHERE handed;
ALTER TABLE entries DROP COLUMN handed;
-- An entry is dated by the clock and the version that it replaces, not by other keys.
ALTER TABLE replica DROP COLUMN timestamp;
-- µs: the hub's clock minus the uptime of this system, as measured in the boot that is named; NULL = it took too long.
ALTER TABLE hub ADD COLUMN clock_offset INTEGER;
ALTER TABLE hub ADD COLUMN boot TEXT NOT NULL DEFAULT '';
ALTER TABLE hub DROP COLUMN difference;
"""

HOLES = """
-- How often the block, and the segment, comes one after another: a hole is one row of each, however long it is. A
-- segment that comes more than once has all its blocks equal.
ALTER TABLE segment_blocks ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
ALTER TABLE content_segments ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
-- Whole blocks of zeros in the segment; of values from before, which may have some, 0.
ALTER TABLE content_segments ADD COLUMN holes INTEGER NOT NULL DEFAULT 0;
-- Bytes of the value that these make up.
ALTER TABLE contents ADD COLUMN holes INTEGER NOT NULL DEFAULT 0;
"""

XATTRS = """
-- Extended attributes that users gave to files and directories: they stay on this machine.
CREATE TABLE xattrs (
    key       TEXT    NOT NULL,   -- of a file, or the prefix of a directory
    directory INTEGER NOT NULL,   -- 1 = of the directory with this prefix, 0 = of the file with this key
    name      BLOB    NOT NULL,   -- with its namespace; not always UTF-8
    value     BLOB    NOT NULL,
    PRIMARY KEY (key, directory, name)
) STRICT;
"""

FILES = """
-- The number of the file, ``st_ino``: it stays with the file when that is saved, renamed, or changed elsewhere. Even
-- ones are twice the sequence with which the key came into being; odd ones, of what the mount made, are random.
ALTER TABLE entries ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
-- The sequence with which the key came into being, or did so again.
ALTER TABLE entries ADD COLUMN appeared INTEGER NOT NULL DEFAULT 0;
-- The sequence with which its value, its mode or its existence changed last.
ALTER TABLE entries ADD COLUMN shown INTEGER NOT NULL DEFAULT 0;
UPDATE entries SET inode = 2 * (sequence & 2305843009213693951), appeared = sequence, shown = sequence;
-- As in entries, and always odd.
ALTER TABLE scratch ADD COLUMN inode INTEGER NOT NULL DEFAULT 0;
UPDATE scratch SET inode = 2 * abs(random() >> 3) + 1;

-- Numbers of directories that do not follow from the name: of those that the mount made, of those that were renamed,
-- and of names from which one was renamed that took the number along.
CREATE TABLE directory_inodes (
    prefix TEXT PRIMARY KEY,     -- as in directories
    inode  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_inodes_by_inode ON directory_inodes (inode);
"""

MOD_TIME = """
-- ns: the st_mtime that somebody gave the file, which travels; NULL = none. It is shown before the mtime, which is the
-- time of the save.
ALTER TABLE entries ADD COLUMN mod_time INTEGER;
ALTER TABLE revisions ADD COLUMN mod_time INTEGER;
ALTER TABLE scratch ADD COLUMN mod_time INTEGER;
"""

DIRECTORIES = """
-- 1 = the key has a value, of no bytes maybe. A live entry that has none is that of a directory: its key ends in '/'.
ALTER TABLE entries ADD COLUMN is_file INTEGER GENERATED ALWAYS AS (live AND ifnull(mode & 61440, 0) <> 16384) VIRTUAL;
-- dirty = 3: a mount removed the last name in the directory, which this entry keeps; it waits as with 2.
-- A row of ``scratch`` may be that of a directory as well, by its mode; its key ends in '/'.

-- ``directories`` has what is local about them: their times, and the mode where no entry and no scratch row has it. A
-- directory is there as long as its entry, or a key or scratch file below it; with the last of them its row goes.
-- appeared: the clock when the row came. 0 = before there were such numbers.
ALTER TABLE directories ADD COLUMN appeared INTEGER NOT NULL DEFAULT 0;
-- What is there by its row alone stays on this machine until a mount publishes it.
INSERT INTO scratch (key, size, mode, content, changed, mtime, atime, inode)
    SELECT prefix, 0, mode, NULL, changed, mtime, atime, 2 * abs(random() >> 3) + 1 FROM directories
    WHERE prefix <> '' AND NOT EXISTS (SELECT 1 FROM entries INDEXED BY entries_live
        WHERE live AND key >= prefix AND key < substr(prefix, 1, length(prefix) - 1) || '0');
"""

HISTORY = """
-- The number under which a person names the version: 1, 2, 3 … for each key, as they became revisions.
ALTER TABLE revisions ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
-- This replica's clock when it got the version; 0 = before there were such numbers.
ALTER TABLE revisions ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
-- 0 = another value replaced it; 1 = the key was removed; 2 = it arrived, and lost to the version that was here.
ALTER TABLE revisions ADD COLUMN became INTEGER NOT NULL DEFAULT 0;
UPDATE revisions SET number = (
    SELECT count(*) FROM revisions AS r INDEXED BY revisions_by_key WHERE r.key = revisions.key AND r.id <= revisions.id);
CREATE INDEX revisions_by_sequence ON revisions (sequence, id);
CREATE INDEX revisions_removed ON revisions (key, id) WHERE became = 1;

-- What programs on this machine changed, in order, so that it can be undone; the oldest rows go.
CREATE TABLE own_changes (
    id       INTEGER PRIMARY KEY,
    change   INTEGER NOT NULL,    -- the id of the first row of what one program did in one go
    made     INTEGER NOT NULL,    -- µs
    writer   INTEGER NOT NULL,    -- the open store that wrote, as in entries
    pid      INTEGER NOT NULL,    -- of the program, where the open store is that of a mount; else 0
    key      TEXT    NOT NULL,
    before   TEXT,                -- the token of the version that was there; NULL = the key was not there
    size     INTEGER NOT NULL,    -- of its value
    mode     INTEGER,             -- its mode and mod_time
    mod_time INTEGER,
    after    TEXT,                -- the token of the version that is there since; NULL = the key is gone
    undone   INTEGER NOT NULL     -- 1 = it has been taken back
) STRICT;
"""

CONFLICTS = """
-- What the writer had seen of the key, see kvassfs/conflict.py; NULL = not known.
ALTER TABLE entries ADD COLUMN seen TEXT;
ALTER TABLE revisions ADD COLUMN seen TEXT;
-- The version that wrote the value, where this one changed something else; NULL = this one.
ALTER TABLE entries ADD COLUMN origin TEXT;
ALTER TABLE revisions ADD COLUMN origin TEXT;
-- This replica's clock when the file was first opened for writing here; NULL = it came in another way. Local only.
ALTER TABLE entries ADD COLUMN began INTEGER;
ALTER TABLE scratch ADD COLUMN began INTEGER;
-- Whose version this one lost to without having been seen, by the process id; NULL = it has not.
ALTER TABLE revisions ADD COLUMN winner INTEGER;
-- This replica's clock when that conflict was found; NULL = there is none, or it is settled.
ALTER TABLE revisions ADD COLUMN met INTEGER;
CREATE INDEX revisions_in_conflict ON revisions (key, id) WHERE met IS NOT NULL;
CREATE INDEX revisions_by_met ON revisions (met) WHERE met IS NOT NULL;
-- What the device is called; '' = not known.
ALTER TABLE devices ADD COLUMN name TEXT NOT NULL DEFAULT '';
"""

ECHO = """
-- The last echo that came back from a hub of the original program, see kvassfs/echo.py: whose turn it was, its token, and its
-- sequence there. Empty and 0 = none has.
ALTER TABLE hub ADD COLUMN echo_turn TEXT NOT NULL DEFAULT '';
ALTER TABLE hub ADD COLUMN echo TEXT NOT NULL DEFAULT '';
ALTER TABLE hub ADD COLUMN echo_sequence INTEGER NOT NULL DEFAULT 0;
"""

SEALED = """
-- What the full blocks of a sealed store are called at its hub, under the present key. A row goes with its block.
CREATE TABLE sealed_blocks (
    block INTEGER PRIMARY KEY,   -- blocks.id
    hash  BLOB NOT NULL          -- SHA-256 of the block as the hub has it
) STRICT;

-- What the hub of a sealed store has that was not taken. The latest rows are kept.
CREATE TABLE refused (
    name   TEXT PRIMARY KEY,     -- as the hub has it
    reason TEXT    NOT NULL,
    time   INTEGER NOT NULL      -- µs: when it was pulled
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS = {
    1: SYNC_TABLES,
    2: SHARING,
    3: FEED,
    4: TIME,
    5: HOLES,
    6: XATTRS,
    7: FILES,
    8: MOD_TIME,
    9: DIRECTORIES,
    10: HISTORY,
    11: CONFLICTS,
    12: ECHO,
    13: SEALED,
}
"""What to run on a store of an earlier version to bring it to the next one."""

LISTED = "(substr(key, -1) <> '/' OR EXISTS (SELECT 1 FROM entries AS own WHERE own.key = entries.key AND own.is_file))"
"""What live keys of files fulfil, and not those of directories; the index that finds them mostly suffices to tell."""

IN_TOUCH_TIME = 90 * 1_000_000
"""Microseconds after which a follower that has not said so again is not taken to be in touch."""
