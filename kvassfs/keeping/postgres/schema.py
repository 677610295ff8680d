"""The schema in PostgreSQL: every table and column, explained once.

A store has the current version of each key and the blocks of large values, and no history: devices keep their own.
Every table is keyed by the store first and partitioned by its hash. So all that one request touches lies together, also on
engines that speak PostgreSQL's protocol and spread tables over machines by a key.
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 2
"""The version of this schema; a greater one was made by a later program."""

PARTITIONS: Final = 8
"""Partitions of each table. They part what one vacuum has to do, and each can lie on a disk of its own."""

LOCK: Final = 0x6B76617373
"""The advisory lock under which the schema is made and changed."""

VERSIONS: Final = """
CREATE TABLE IF NOT EXISTS hub_schema (version integer NOT NULL)
"""

TABLES: Final = {
    "stores": """
    store        uuid PRIMARY KEY,         -- made of the SHA-256 of its name
    name         text NOT NULL,            -- as in the path of its address
    made         bigint NOT NULL,          -- µs
    key          bytea,                    -- that messages are sealed with; NULL = nobody has claimed the store
    claim        bytea,                    -- SHA-256 of the code that claims it; NULL = there is none
    claim_ends   bigint NOT NULL,          -- µs
    process_id   bigint NOT NULL,          -- 1 … 2^32 - 1, random
    clock        bigint NOT NULL,          -- Lamport clock; the last sequence given out
    mark         bigint NOT NULL,          -- random: names this incarnation of the store as a hub
    timeline     text NOT NULL,            -- of the database server when the mark was drawn; '' = none is known
    entries      bigint NOT NULL,          -- tombstones among them
    bytes        bigint NOT NULL,          -- of values and blocks
    most_entries bigint,                   -- the store's quota; NULL = it may have any number
    most_bytes   bigint,
    most_requests bigint,                  -- a second, of its devices and for what it shares
    mailboxes    text NOT NULL,            -- of pairings, JSON
    closed       bigint NOT NULL           -- µs: when the store moved elsewhere; 0 = it has not
""",
    "entries": """
    store      uuid NOT NULL,
    name       bytea NOT NULL,             -- SHA-256 of the key, which may be longer than what an index takes
    key        text NOT NULL,
    timestamp  bigint NOT NULL,            -- µs since the epoch
    counter    bigint NOT NULL,            -- the writer's Lamport clock
    process_id bigint NOT NULL,            -- the writer
    url_token  bytea NOT NULL,             -- UTF-8, as it may hold a NUL
    token      bytea NOT NULL,             -- the first half of its SHA-256
    size       bigint NOT NULL,            -- of the value in bytes; 0 with mode NULL: a tombstone
    mode       integer,
    mod_time   bigint,
    seen       text,
    origin     text,
    sequence   bigint NOT NULL,            -- the store's clock when it got the version, or handed it out anew
    data       bytea,                      -- the value, if it is short
    content    bigint,                     -- else names its list of blocks; the sequence with which that came
    PRIMARY KEY (store, name)
""",
    "content_blocks": """
    store    uuid NOT NULL,
    content  bigint NOT NULL,
    position bigint NOT NULL,              -- of the block within the value: 0, 1, 2 …
    hash     bytea NOT NULL,
    count    bigint NOT NULL,              -- how often it comes one after another
    PRIMARY KEY (store, content, position)
""",
    "blocks": """
    store   uuid NOT NULL,
    hash    bytea NOT NULL,                -- SHA-256 of the data
    size    integer NOT NULL,
    data    bytea,                         -- NULL = it is in an object
    object  text,                          -- the name of that; NULL = it is in data
    arrived bigint NOT NULL,               -- µs: when a device last sent it
    named   boolean NOT NULL,              -- false = no list names it (yet, or any more)
    PRIMARY KEY (store, hash)
""",
    "loose_objects": """
    store uuid NOT NULL,
    name  text NOT NULL,                   -- of an object that no block names (yet, or any more), and that may be there
    due   bigint NOT NULL,                 -- µs: when it is to be deleted, if no block has named it by then
    PRIMARY KEY (store, name)
""",
    "dropped_contents": """
    store   uuid NOT NULL,
    content bigint NOT NULL,
    dropped bigint NOT NULL,               -- µs: when its entry moved on; who reads it has some time yet
    PRIMARY KEY (store, content)
""",
    "ended_tokens": """
    store uuid NOT NULL,
    token bytea NOT NULL,                  -- as in entries
    ended bigint NOT NULL,                 -- µs
    PRIMARY KEY (store, token)
""",
    "devices": """
    store      uuid NOT NULL,
    process_id bigint NOT NULL,
    seen       bigint NOT NULL,            -- µs: when it last asked; 0 = it has not
    counter    bigint NOT NULL,            -- the greatest of its counters that was pushed
    name       text NOT NULL,
    PRIMARY KEY (store, process_id)
""",
    "incarnations": """
    store uuid NOT NULL,
    mark  bigint NOT NULL,
    told  bigint NOT NULL,                 -- the greatest clock that it can have told, as this server knows
    ended bigint NOT NULL,                 -- µs
    PRIMARY KEY (store, mark)
""",
}

INDEXES: Final = (
    "CREATE UNIQUE INDEX entries_by_sequence ON entries (store, sequence)",
    "CREATE INDEX entries_by_token ON entries (store, token)",
    "CREATE INDEX content_blocks_by_hash ON content_blocks (store, hash)",
    "CREATE INDEX blocks_unnamed ON blocks (arrived) WHERE NOT named",
    "CREATE INDEX loose_objects_by_age ON loose_objects (due)",
    "CREATE INDEX dropped_contents_by_age ON dropped_contents (dropped)",
    "CREATE INDEX ended_tokens_by_age ON ended_tokens (ended)",
)


def list_statements() -> list[str]:
    """Return the statements that make the schema in an empty database."""
    statements = []
    for table, columns in TABLES.items():
        statements.append(f"CREATE TABLE {table} ({columns}) PARTITION BY HASH (store)")
        statements += [
            f"CREATE TABLE {table}_{number} PARTITION OF {table}"
            f" FOR VALUES WITH (MODULUS {PARTITIONS}, REMAINDER {number})"
            for number in range(PARTITIONS)
        ]
    return [*statements, *INDEXES]


MIGRATIONS: Final[dict[int, tuple[str, ...]]] = {
    1: ("ALTER TABLE stores ADD COLUMN most_requests bigint",),
}
"""What to run on a schema of an earlier version to bring it to the next one."""
