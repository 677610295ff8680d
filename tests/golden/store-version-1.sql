-- A store of version 1 of the schema, with some of everything in it. The statements are those of kvassfs/store/schema.py
-- in commit dbf3caa, the last one before stores knew what they exchange with others; they are never changed.

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

-- Counted up by ``sync``: a commit that changes nothing would not wait for the disk. One row.
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
    dirty      INTEGER NOT NULL,   -- 1 = the hub has not acknowledged this version
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

-- Processes that hold contents and blocks which no entry names yet or any more.
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

PRAGMA application_id = 1263948614;
PRAGMA user_version = 1;

INSERT INTO replica VALUES (1, 4711, x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f', 'hub.example:8000', 12, 1704067200000009, 7);
INSERT INTO settings VALUES ('scratch', '["*.bak"]');
INSERT INTO contents VALUES (1, 5, x'76616c7565'), (2, 3, x'6f6c64');
INSERT INTO entries (key, timestamp, counter, process_id, url_token, size, mode, content, sequence, dirty, handed, born,
    changed, mtime, atime) VALUES
    ('known', 1704067200000001, 3, 4711, 'token-of-known', 0, 33188, NULL, 3, 0, 1, 1704067200000001, 1704067200000001000, NULL, NULL),
    ('waits', 1704067200000009, 12, 4711, 'token-of-waits', 5, NULL, 1, 12, 1, 0, 1704067200000005, 1704067200000009000, NULL, NULL),
    ('gone', 1704067200000007, 6, 99, 'token-of-gone', 0, NULL, NULL, 7, 0, 1, 0, 1704067200000007000, NULL, NULL);
INSERT INTO revisions (key, timestamp, counter, process_id, url_token, size, mode, content, replaced) VALUES
    ('waits', 1704067200000005, 10, 4711, 'token-of-old', 3, NULL, 2, 1704067200000009);
INSERT INTO directories VALUES ('', 16832, 1704067200000000000, 1704067200000000000, NULL);
