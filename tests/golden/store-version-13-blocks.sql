-- A store of version 13 of the schema, before stores could be sealed: with a large value in small blocks, a share link, and what
-- version 11 had. Written by commit c659eff from store-version-11.sql; it is never changed.

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE blocks (
    id   INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,   -- SHA-256 of data
    data BLOB NOT NULL
) STRICT;
INSERT INTO blocks VALUES(1,X'fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108',X'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f');
INSERT INTO blocks VALUES(2,X'9afaeef005e286957ee9a18a2481a75c7fc7ba74bae8de50ffa6127b12a62cae',X'404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f');
INSERT INTO blocks VALUES(3,X'c39e13bbb05726a3c0747d3ca54c27e3f86bc10a1d3754cd031bd1ca7256c8ed',X'808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf');
INSERT INTO blocks VALUES(4,X'47f7e1441be49b5e4701d19e2af2c31a5ee056914c03bd8d6249bdb085bb374d',X'c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
CREATE TABLE content_segments (
    content  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0, 1, 2 …
    segment  INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1, holes INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;
INSERT INTO content_segments VALUES(15,0,1,1,0);
INSERT INTO content_segments VALUES(15,1,3,1,0);
CREATE TABLE contents (
    id   INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    data BLOB               -- up to 64 KiB; NULL = the value is a list of blocks
, holes INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO contents VALUES(1,5,X'76616c7565',0);
INSERT INTO contents VALUES(2,3,X'6f6c64',0);
INSERT INTO contents VALUES(3,5,X'6669727374',0);
INSERT INTO contents VALUES(4,6,X'7365636f6e64',0);
INSERT INTO contents VALUES(5,5,X'7468697264',0);
INSERT INTO contents VALUES(6,8,X'7761732068657265',0);
INSERT INTO contents VALUES(7,5,X'616761696e',0);
INSERT INTO contents VALUES(8,6,X'666f75727468',0);
INSERT INTO contents VALUES(9,3,X'6f6e65',0);
INSERT INTO contents VALUES(10,3,X'74776f',0);
INSERT INTO contents VALUES(11,5,X'76616c7565',0);
INSERT INTO contents VALUES(12,7,X'73637261746368',0);
INSERT INTO contents VALUES(13,4,X'6c6f7374',0);
INSERT INTO contents VALUES(15,512,NULL,0);
INSERT INTO contents VALUES(16,9,X'62792061206c696e6b',0);
CREATE TABLE devices (
    process_id INTEGER PRIMARY KEY,
    seen       INTEGER NOT NULL, -- µs: when it last asked; 0 = it has not
    counter    INTEGER NOT NULL  -- the greatest of its counters that was pushed here
, name TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO devices VALUES(4712,1704074400014000,0,'');
CREATE TABLE directories (
    prefix  TEXT PRIMARY KEY,    -- what the keys in it begin with: 'a/b/'; '' = the root
    mode    INTEGER NOT NULL,    -- st_mode
    changed INTEGER NOT NULL,    -- ns, as in entries
    mtime   INTEGER NOT NULL,    -- ns
    atime   INTEGER              -- ns; NULL = mtime
, appeared INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO directories VALUES('',16832,1704067200000006000,1704067200000006000,NULL,0);
INSERT INTO directories VALUES('empty/',16877,1795749881855123840,5,NULL,0);
INSERT INTO directories VALUES('empty/below/',16872,1795749881852347540,1795749881852347540,NULL,0);
INSERT INTO directories VALUES('history/',16832,1704070800019000000,1704070800019000000,NULL,13);
CREATE TABLE directory_inodes (
    prefix TEXT PRIMARY KEY,     -- as in directories
    inode  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO directory_inodes VALUES('empty/below/',8323172657055645285);
CREATE TABLE dropped_blocks (block INTEGER PRIMARY KEY) STRICT;
CREATE TABLE dropped_contents (content INTEGER PRIMARY KEY) STRICT;
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
    born       INTEGER NOT NULL,   -- µs: when the key came into being on this replica; 0 = taken over
    changed    INTEGER NOT NULL,   -- ns: st_ctime; local only
    mtime      INTEGER,            -- ns: st_mtime where it is not the timestamp; local only
    atime      INTEGER,            -- ns: st_atime where it is not st_mtime; local only
    live       INTEGER NOT NULL GENERATED ALWAYS AS (size > 0 OR mode IS NOT NULL) VIRTUAL
, writer INTEGER NOT NULL DEFAULT 0, floor INTEGER, inode INTEGER NOT NULL DEFAULT 0, appeared INTEGER NOT NULL DEFAULT 0, shown INTEGER NOT NULL DEFAULT 0, mod_time INTEGER, is_file INTEGER GENERATED ALWAYS AS (live AND ifnull(mode & 61440, 0) <> 16384) VIRTUAL, seen TEXT, origin TEXT, began INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO entries VALUES('link/nPtwrwvTKn0OCe6EOkV7oA/-/often/shared',1704067200000009,28,4711,'nPtwrwvTKn0OCe6EOkV7oA',0,NULL,NULL,28,1,1704067200000009,1704067200000009000,NULL,NULL,111069886388992,NULL,56,28,0,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('blocks',1704067200000001,26,4711,'Ld_n20YOxYfLtNr8NyB5CA',512,NULL,15,26,1,1704067200000001,1704067200000001000,NULL,NULL,111069886388992,NULL,52,26,26,NULL,'',NULL,NULL);
INSERT INTO entries VALUES('early',0,1,99,'token-of-early',0,NULL,NULL,1,1,0,0,NULL,NULL,0,0,2,1,1,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('gone',1704067200000007,6,99,'token-of-gone',0,NULL,NULL,7,1,0,1704067200000007000,NULL,NULL,0,1704067200000007,14,7,7,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('history/gone',1704070800019000,19,4711,'axOCdYakaZzhY0X96WAibg',0,NULL,NULL,19,1,1704070800010000,1704070800019000000,NULL,NULL,218462566231841,NULL,36,18,19,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('history/text',1704074400001000,20,4711,'07YNBe9TRm4MeTYJWib5hQ',6,NULL,8,25,1,1704070800001000,1704074400001000000,NULL,NULL,246446244261094,5,26,13,20,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('known',1704067200000001,3,4711,'token-of-known',0,33188,NULL,3,1,1704067200000001,1704067200000001000,NULL,NULL,0,1704067200000001,6,3,3,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('late',4611686018427387,2,99,'token-of-late',0,NULL,NULL,2,1,0,0,NULL,NULL,0,4611686018427387,4,2,2,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('later',9007194959773696,4,99,'token-of-later',0,NULL,NULL,4,1,0,0,NULL,NULL,0,9007194959773696,8,4,4,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('mode',1704074400010001,24,4711,'Odqr15xxj2n06O4qQnDuqA',5,33261,11,24,2,1704074400010000,1704074400011000000,1704074400010000000,NULL,246446244261094,NULL,46,23,24,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('new',1704074400007000,22,4711,'dm9XJ9VRQIhe52dawsAYkw',3,NULL,10,22,1,1704074400004000,1704074400007000000,NULL,NULL,246446244261094,NULL,42,21,22,NULL,NULL,NULL,NULL);
INSERT INTO entries VALUES('shared',1704067200000006,27,4711,'u5JYgSb7jJEOXx7Ra5gRQg',9,NULL,16,27,1,1704067200000006,1704067200000006000,NULL,NULL,111069886388992,NULL,54,27,27,NULL,'',NULL,NULL);
INSERT INTO entries VALUES('waits',1704067200000009,12,4711,'token-of-waits',5,NULL,1,12,1,1704067200000005,1704067200000009000,NULL,NULL,0,NULL,24,12,12,NULL,NULL,NULL,NULL);
CREATE TABLE followers (
    pid     INTEGER PRIMARY KEY, -- as in holders
    started TEXT    NOT NULL,
    place   TEXT    NOT NULL,    -- directory of the mount; '' = there is none
    since   INTEGER NOT NULL,    -- µs: when it began
    reached INTEGER NOT NULL,    -- µs: when it last heard from the hub; 0 = it is not in touch
    error   TEXT    NOT NULL     -- why it is not in touch
) STRICT;
CREATE TABLE holders (
    id      INTEGER PRIMARY KEY,
    pid     INTEGER NOT NULL,    -- of the operating system
    started TEXT    NOT NULL     -- tells a process from a later one with the same pid
) STRICT;
CREATE TABLE hub (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    version    INTEGER NOT NULL,   -- of the protocol that it speaks; 0 = not known yet
    process_id INTEGER NOT NULL,   -- its own; 0 = not known yet
    reached    INTEGER NOT NULL,   -- µs: when the last exchange succeeded; 0 = none has
    epoch      INTEGER NOT NULL,   -- counts the hubs: what an exchange with an earlier one found is void
    incarnation INTEGER NOT NULL,  -- the mark of its latest one that is known; 0 = none
    told       INTEGER NOT NULL    -- the greatest clock that it told
, clock_offset INTEGER, boot TEXT NOT NULL DEFAULT '', echo_turn TEXT NOT NULL DEFAULT '', echo TEXT NOT NULL DEFAULT '', echo_sequence INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO hub VALUES(1,0,0,0,2,0,0,NULL,'','','',0);
CREATE TABLE incarnations (
    id      INTEGER PRIMARY KEY,
    mark    INTEGER NOT NULL,    -- random
    told    INTEGER NOT NULL,    -- the greatest clock that it told a device
    pid     INTEGER NOT NULL,    -- as in holders
    started TEXT    NOT NULL
) STRICT;
CREATE TABLE local_changes (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    key    TEXT    NOT NULL,     -- of a file, or the prefix of a directory
    writer INTEGER NOT NULL      -- tells the changes of one open store from those of others
) STRICT;
INSERT INTO local_changes VALUES(1,'empty/below/',4001866239435);
INSERT INTO local_changes VALUES(2,'empty/',4001866239435);
INSERT INTO local_changes VALUES(3,'.draft.swp',246446244261094);
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
INSERT INTO own_changes VALUES(1,1,1704074400001000,246446244261094,0,'history/text','YvUKPIRMVNMXlLr6k1hx_A',5,NULL,NULL,'07YNBe9TRm4MeTYJWib5hQ',0);
INSERT INTO own_changes VALUES(2,1,1704074400004000,246446244261094,0,'new',NULL,0,NULL,NULL,'CgxaYZLFfuBTVPIYzOtTnQ',0);
INSERT INTO own_changes VALUES(3,1,1704074400007000,246446244261094,0,'new','CgxaYZLFfuBTVPIYzOtTnQ',3,NULL,NULL,'dm9XJ9VRQIhe52dawsAYkw',0);
INSERT INTO own_changes VALUES(4,1,1704074400010000,246446244261094,0,'mode',NULL,0,NULL,NULL,'Odqr15xxj2n06O4qQnDuqA',0);
INSERT INTO own_changes VALUES(5,5,1704067200000001,111069886388992,0,'blocks',NULL,0,NULL,NULL,'Ld_n20YOxYfLtNr8NyB5CA',0);
INSERT INTO own_changes VALUES(6,5,1704067200000006,111069886388992,0,'shared',NULL,0,NULL,NULL,'u5JYgSb7jJEOXx7Ra5gRQg',0);
CREATE TABLE pins (
    content INTEGER NOT NULL,
    holder  INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (content, holder)
) STRICT, WITHOUT ROWID;
CREATE TABLE pusher (
    writer  INTEGER NOT NULL,    -- tells one open store from another
    pid     INTEGER NOT NULL,    -- as in holders
    started TEXT    NOT NULL
) STRICT;
CREATE TABLE received (
    block   INTEGER PRIMARY KEY,
    arrived INTEGER NOT NULL     -- µs
) STRICT;
CREATE TABLE replica (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    process_id     INTEGER NOT NULL,   -- 1 … 2^32 - 1, random when the store is made
    encryption_key BLOB    NOT NULL,   -- 32 bytes, AES-256-GCM
    remote         TEXT    NOT NULL,   -- the hub as configured; '' = none
    clock          INTEGER NOT NULL,   -- Lamport clock; the last sequence given out
    cursor         INTEGER NOT NULL    -- greatest sequence of the remote that was pulled
) STRICT;
INSERT INTO replica VALUES(1,4711,X'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f','hub.example:8000',28,0);
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
, mod_time INTEGER, number INTEGER NOT NULL DEFAULT 0, sequence INTEGER NOT NULL DEFAULT 0, became INTEGER NOT NULL DEFAULT 0, seen TEXT, origin TEXT, winner INTEGER, met INTEGER) STRICT;
INSERT INTO revisions VALUES(1,'waits',1704067200000005,10,4711,'token-of-old',3,NULL,2,1704067200000009,NULL,1,0,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(2,'history/text',1704070800001000,13,4711,'plBp2jmNGVh7RZ-JKUET7Q',5,NULL,3,1704070800004000,NULL,1,0,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(3,'history/text',1704070800004000,14,4711,'AoHyC28vlTuYNwMp6qJWGg',6,NULL,4,1704070800007000,NULL,2,0,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(4,'history/gone',1704070800010000,16,4711,'Ndlanvx-3DXgjE0oCPVWCA',8,NULL,6,1704070800013000,NULL,1,0,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(5,'history/gone',1704070800016000,18,4711,'BK4krIIXtA5NFugNEY6Stw',5,NULL,7,1704070800019000,NULL,2,0,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(6,'history/text',1704070800007000,15,4711,'YvUKPIRMVNMXlLr6k1hx_A',5,NULL,5,1704074400001000,NULL,3,15,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(7,'new',1704074400004000,21,4711,'CgxaYZLFfuBTVPIYzOtTnQ',3,NULL,9,1704074400007000,NULL,1,21,0,NULL,NULL,NULL,NULL);
INSERT INTO revisions VALUES(8,'history/text',5,5,4712,'TTTTTTTTTTTTTTTTTTTTTT',4,NULL,13,1704074400013000,NULL,4,24,2,NULL,NULL,NULL,NULL);
CREATE TABLE scratch (
    key     TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    mode    INTEGER NOT NULL,
    content INTEGER,             -- as in entries
    changed INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,
    atime   INTEGER
, inode INTEGER NOT NULL DEFAULT 0, mod_time INTEGER, began INTEGER) STRICT, WITHOUT ROWID;
INSERT INTO scratch VALUES('.draft.swp',7,33152,12,1704074400012000000,1704074400012000000,NULL,781808125396782997,NULL,NULL);
INSERT INTO scratch VALUES('empty/',0,16877,NULL,1795749881855123840,5,NULL,506968214681153217,NULL,NULL);
INSERT INTO scratch VALUES('empty/below/',0,16872,NULL,1795749881852347540,1795749881852347540,NULL,165697622618654411,NULL,NULL);
CREATE TABLE segment_blocks (
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0 … 255
    block    INTEGER NOT NULL, count INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (segment, position)
) STRICT, WITHOUT ROWID;
INSERT INTO segment_blocks VALUES(1,0,1,1);
INSERT INTO segment_blocks VALUES(1,1,2,1);
INSERT INTO segment_blocks VALUES(1,2,3,1);
INSERT INTO segment_blocks VALUES(1,3,4,1);
INSERT INTO segment_blocks VALUES(3,0,1,1);
INSERT INTO segment_blocks VALUES(3,1,2,1);
INSERT INTO segment_blocks VALUES(3,2,3,1);
INSERT INTO segment_blocks VALUES(3,3,4,1);
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings VALUES('name','old');
INSERT INTO settings VALUES('scratch','["*.bak"]');
CREATE TABLE staged (
    block  INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (block, holder)
) STRICT, WITHOUT ROWID;
CREATE TABLE syncs (number INTEGER NOT NULL) STRICT;
INSERT INTO syncs VALUES(0);
CREATE TABLE xattrs (
    key       TEXT    NOT NULL,   -- of a file, or the prefix of a directory
    directory INTEGER NOT NULL,   -- 1 = of the directory with this prefix, 0 = of the file with this key
    name      BLOB    NOT NULL,   -- with its namespace; not always UTF-8
    value     BLOB    NOT NULL,
    PRIMARY KEY (key, directory, name)
) STRICT;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('local_changes',3);
CREATE UNIQUE INDEX entries_by_sequence ON entries (sequence);
CREATE INDEX entries_by_token ON entries (url_token);
CREATE INDEX entries_live ON entries (key) WHERE live;
CREATE INDEX entries_dirty ON entries (sequence) WHERE dirty;
CREATE INDEX revisions_by_key ON revisions (key, id);
CREATE INDEX revisions_by_age ON revisions (replaced);
CREATE INDEX content_segments_by_segment ON content_segments (segment);
CREATE INDEX segment_blocks_by_block ON segment_blocks (block);
CREATE INDEX received_by_age ON received (arrived);
CREATE INDEX revisions_by_token ON revisions (url_token);
CREATE INDEX directory_inodes_by_inode ON directory_inodes (inode);
CREATE INDEX revisions_by_sequence ON revisions (sequence, id);
CREATE INDEX revisions_removed ON revisions (key, id) WHERE became = 1;
CREATE INDEX revisions_in_conflict ON revisions (key, id) WHERE met IS NOT NULL;
CREATE INDEX revisions_by_met ON revisions (met) WHERE met IS NOT NULL;
COMMIT;
PRAGMA application_id = 1263948614;
PRAGMA user_version = 13;
