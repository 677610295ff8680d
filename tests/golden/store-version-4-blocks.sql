-- A store of version 4 of the schema, made in commit c89744d with blocks of 64 bytes, segments of 4 and short values of up to
-- 16: a value with a hole, its revision, and a scratch file that is a hole. It is never changed.
BEGIN TRANSACTION;
CREATE TABLE blocks (
    id   INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,   -- SHA-256 of data
    data BLOB NOT NULL
) STRICT;
INSERT INTO "blocks" VALUES(1,X'60E05BD1B195AF2F94112FA7197A5C88289058840CE7C6DF9693756BC6250F55',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030');
INSERT INTO "blocks" VALUES(2,X'C386D8E8D07342F2E39E189C8E6C57BB205BB373FE4E3A6F69404A8BB767B417',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303031');
INSERT INTO "blocks" VALUES(3,X'68E4D75D23E31BD23F43266F769567B2588D9F3D3010FA7CACAE7EFD6F5CE0AD',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303032');
INSERT INTO "blocks" VALUES(4,X'AC7EDB97166F7D682720ACA18FEA15CDD5D15242DAD38297A48633A806236C4F',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303033');
INSERT INTO "blocks" VALUES(5,X'1FB497D126F59B0448178D04F0A33CA8FF9460874D90018821D3F5872BD9A735',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303034');
INSERT INTO "blocks" VALUES(6,X'F5A5FD42D16A20302798EF6ED309979B43003D2320D9F0E8EA9831A92759FB4B',X'00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000');
INSERT INTO "blocks" VALUES(7,X'F3CE024B388CDB11D0FA5F9F6981CEF239040B17B67CA2DD77847E15BCE5BC2F',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303035');
INSERT INTO "blocks" VALUES(8,X'7908E999D34F7DA8AA441B81BFF818A7C89D7DBCB754DEF7BB3F70744C557B11',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303036');
INSERT INTO "blocks" VALUES(9,X'77982011336D915790E77D8301A52DA5654857A870DE65FB16D0CB1A44820B9C',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303037');
INSERT INTO "blocks" VALUES(10,X'DB5A1EFDA6E8C581987BE91C9A48B94EE39BD299B34C1D781FF1F6774E81503E',X'30303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303030303038');
INSERT INTO "blocks" VALUES(11,X'361E48D0308F20E32DBA5FB56328BAF18D72EF0CCB43B84F5C262D2A6A1FC6C8',X'656E64');
CREATE TABLE content_segments (
    content  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0, 1, 2 …
    segment  INTEGER NOT NULL,
    PRIMARY KEY (content, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "content_segments" VALUES(1,0,1);
INSERT INTO "content_segments" VALUES(1,1,2);
INSERT INTO "content_segments" VALUES(1,2,3);
INSERT INTO "content_segments" VALUES(1,3,4);
INSERT INTO "content_segments" VALUES(1,4,5);
INSERT INTO "content_segments" VALUES(2,0,6);
INSERT INTO "content_segments" VALUES(2,1,7);
INSERT INTO "content_segments" VALUES(2,2,8);
INSERT INTO "content_segments" VALUES(2,3,9);
INSERT INTO "content_segments" VALUES(2,4,10);
INSERT INTO "content_segments" VALUES(2,5,11);
INSERT INTO "content_segments" VALUES(5,0,12);
INSERT INTO "content_segments" VALUES(5,1,13);
INSERT INTO "content_segments" VALUES(5,2,14);
INSERT INTO "content_segments" VALUES(5,3,15);
INSERT INTO "content_segments" VALUES(5,4,16);
CREATE TABLE contents (
    id   INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    data BLOB               -- up to 64 KiB; NULL = the value is a list of blocks
) STRICT;
INSERT INTO "contents" VALUES(1,1219,NULL);
INSERT INTO "contents" VALUES(2,1347,NULL);
INSERT INTO "contents" VALUES(3,5,X'76616C7565');
INSERT INTO "contents" VALUES(4,1,X'78');
INSERT INTO "contents" VALUES(5,1280,NULL);
CREATE TABLE devices (
    process_id INTEGER PRIMARY KEY,
    seen       INTEGER NOT NULL, -- µs: when it last asked; 0 = it has not
    counter    INTEGER NOT NULL  -- the greatest of its counters that was pushed here
) STRICT;
CREATE TABLE directories (
    prefix  TEXT PRIMARY KEY,    -- what the keys in it begin with: 'a/b/'; '' = the root
    mode    INTEGER NOT NULL,    -- st_mode
    changed INTEGER NOT NULL,    -- ns, as in entries
    mtime   INTEGER NOT NULL,    -- ns
    atime   INTEGER              -- ns; NULL = mtime
) STRICT, WITHOUT ROWID;
INSERT INTO "directories" VALUES('',16832,1704067200000017000,1704067200000017000,NULL);
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
    dirty      INTEGER NOT NULL,   -- 0 = the hub has acknowledged this version; 1 = it has not; 2 = nor that a mount
                                   -- made or removed the key, which waits a moment in case it goes or comes back
    handed     INTEGER NOT NULL,   -- 1 = some version of this key was handed to another device
    born       INTEGER NOT NULL,   -- µs: when the key came into being on this replica; 0 = taken over
    changed    INTEGER NOT NULL,   -- ns: st_ctime; local only
    mtime      INTEGER,            -- ns: st_mtime where it is not the timestamp; local only
    atime      INTEGER,            -- ns: st_atime where it is not st_mtime; local only
    live       INTEGER NOT NULL GENERATED ALWAYS AS (size > 0 OR mode IS NOT NULL) VIRTUAL
, writer INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
INSERT INTO "entries" VALUES('gone',1704067200000014,5,1988928185,'LThDTllkb3qFkJumsbzH0g',0,NULL,NULL,5,1,0,1704067200000011,1704067200000014000,NULL,NULL,122572017540006);
INSERT INTO "entries" VALUES('hole',1704067200000003,2,1988928185,'ucTP2uXwAAsWISw3Qk1YYw',1347,33152,2,2,2,0,1704067200000002,1704067200000003000,NULL,NULL,122572017540006);
INSERT INTO "entries" VALUES('short',1704067200000004,3,1988928185,'3un0BA8aJTA7RlFcZ3J9iA',5,NULL,3,3,1,0,1704067200000004,1704067200000004000,NULL,NULL,122572017540006);
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
    difference INTEGER,            -- µs: its clock minus ours; NULL = not known
    epoch      INTEGER NOT NULL,   -- counts the hubs: what an exchange with an earlier one found is void
    incarnation INTEGER NOT NULL,  -- the mark of its latest one that is known; 0 = none
    told       INTEGER NOT NULL    -- the greatest clock that it told
) STRICT;
INSERT INTO "hub" VALUES(1,0,0,0,NULL,3,0,0);
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
INSERT INTO "local_changes" VALUES(1,'scratch~',122572017540006);
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
    timestamp      INTEGER NOT NULL,   -- greatest timestamp of an own entry, µs since the epoch
    cursor         INTEGER NOT NULL    -- greatest sequence of the remote that was pulled
) STRICT;
INSERT INTO "replica" VALUES(1,1988928185,X'000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F','hub.example:8000',5,1704067200000014,0);
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
INSERT INTO "revisions" VALUES(1,'hole',1704067200000002,1,1988928185,'lJ-qtcDL1uHs9wcSHSgzPg',1219,33152,1,1704067200000003);
INSERT INTO "revisions" VALUES(2,'gone',1704067200000011,4,1988928185,'CBMeKTQ_SlVga3aBjJeirQ',1,NULL,4,1704067200000014);
CREATE TABLE scratch (
    key     TEXT PRIMARY KEY,
    size    INTEGER NOT NULL,
    mode    INTEGER NOT NULL,
    content INTEGER,             -- as in entries
    changed INTEGER NOT NULL,
    mtime   INTEGER NOT NULL,
    atime   INTEGER
) STRICT, WITHOUT ROWID;
INSERT INTO "scratch" VALUES('scratch~',1280,33152,5,1704067200000017000,1704067200000017000,NULL);
CREATE TABLE segment_blocks (
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,   -- 0 … 255
    block    INTEGER NOT NULL,
    PRIMARY KEY (segment, position)
) STRICT, WITHOUT ROWID;
INSERT INTO "segment_blocks" VALUES(1,0,1);
INSERT INTO "segment_blocks" VALUES(6,0,1);
INSERT INTO "segment_blocks" VALUES(1,1,2);
INSERT INTO "segment_blocks" VALUES(6,1,2);
INSERT INTO "segment_blocks" VALUES(1,2,3);
INSERT INTO "segment_blocks" VALUES(6,2,3);
INSERT INTO "segment_blocks" VALUES(1,3,4);
INSERT INTO "segment_blocks" VALUES(6,3,4);
INSERT INTO "segment_blocks" VALUES(2,0,5);
INSERT INTO "segment_blocks" VALUES(7,0,5);
INSERT INTO "segment_blocks" VALUES(2,1,6);
INSERT INTO "segment_blocks" VALUES(2,2,6);
INSERT INTO "segment_blocks" VALUES(2,3,6);
INSERT INTO "segment_blocks" VALUES(3,0,6);
INSERT INTO "segment_blocks" VALUES(3,1,6);
INSERT INTO "segment_blocks" VALUES(3,2,6);
INSERT INTO "segment_blocks" VALUES(3,3,6);
INSERT INTO "segment_blocks" VALUES(4,0,6);
INSERT INTO "segment_blocks" VALUES(4,1,6);
INSERT INTO "segment_blocks" VALUES(4,2,6);
INSERT INTO "segment_blocks" VALUES(7,1,6);
INSERT INTO "segment_blocks" VALUES(7,2,6);
INSERT INTO "segment_blocks" VALUES(7,3,6);
INSERT INTO "segment_blocks" VALUES(8,0,6);
INSERT INTO "segment_blocks" VALUES(8,1,6);
INSERT INTO "segment_blocks" VALUES(8,2,6);
INSERT INTO "segment_blocks" VALUES(8,3,6);
INSERT INTO "segment_blocks" VALUES(9,0,6);
INSERT INTO "segment_blocks" VALUES(9,1,6);
INSERT INTO "segment_blocks" VALUES(9,2,6);
INSERT INTO "segment_blocks" VALUES(9,3,6);
INSERT INTO "segment_blocks" VALUES(10,0,6);
INSERT INTO "segment_blocks" VALUES(12,0,6);
INSERT INTO "segment_blocks" VALUES(12,1,6);
INSERT INTO "segment_blocks" VALUES(12,2,6);
INSERT INTO "segment_blocks" VALUES(12,3,6);
INSERT INTO "segment_blocks" VALUES(13,0,6);
INSERT INTO "segment_blocks" VALUES(13,1,6);
INSERT INTO "segment_blocks" VALUES(13,2,6);
INSERT INTO "segment_blocks" VALUES(13,3,6);
INSERT INTO "segment_blocks" VALUES(14,0,6);
INSERT INTO "segment_blocks" VALUES(14,1,6);
INSERT INTO "segment_blocks" VALUES(14,2,6);
INSERT INTO "segment_blocks" VALUES(14,3,6);
INSERT INTO "segment_blocks" VALUES(15,0,6);
INSERT INTO "segment_blocks" VALUES(15,1,6);
INSERT INTO "segment_blocks" VALUES(15,2,6);
INSERT INTO "segment_blocks" VALUES(15,3,6);
INSERT INTO "segment_blocks" VALUES(16,0,6);
INSERT INTO "segment_blocks" VALUES(16,1,6);
INSERT INTO "segment_blocks" VALUES(16,2,6);
INSERT INTO "segment_blocks" VALUES(16,3,6);
INSERT INTO "segment_blocks" VALUES(4,3,7);
INSERT INTO "segment_blocks" VALUES(10,1,7);
INSERT INTO "segment_blocks" VALUES(5,0,8);
INSERT INTO "segment_blocks" VALUES(10,2,8);
INSERT INTO "segment_blocks" VALUES(5,1,9);
INSERT INTO "segment_blocks" VALUES(10,3,9);
INSERT INTO "segment_blocks" VALUES(5,2,10);
INSERT INTO "segment_blocks" VALUES(11,0,10);
INSERT INTO "segment_blocks" VALUES(5,3,11);
INSERT INTO "segment_blocks" VALUES(11,1,11);
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "settings" VALUES('place','3364313231396337633463353430346161613166366432613438616466646134:2150229');
CREATE TABLE staged (
    block  INTEGER NOT NULL,
    holder INTEGER NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (block, holder)
) STRICT, WITHOUT ROWID;
CREATE TABLE syncs (number INTEGER NOT NULL) STRICT;
INSERT INTO "syncs" VALUES(0);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('local_changes',1);
COMMIT;
PRAGMA application_id = 1263948614;
PRAGMA user_version = 4;
