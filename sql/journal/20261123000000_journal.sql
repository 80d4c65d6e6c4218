-- migrate:up
--
-- What was accepted and is not committed in the store yet. One process at a time has this file open.

CREATE TABLE conversation_schema (
    version INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT,
    applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
) STRICT;

-- `entry_id` is the order in which things were accepted, which within a session is the order in which
-- they reach the store. `kind` turn: noted before the provider is asked, to be listed as interrupted
-- if the program dies; exchange: waits for the store; usage: a record that waits for the store; dead:
-- refused by the store for good, with its reason. `record` is described in src/saving/record.h.
CREATE TABLE journal (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('turn', 'exchange', 'usage', 'dead')),
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    item_id TEXT NOT NULL CHECK (length(item_id) = 36),
    compare_reply INTEGER NOT NULL DEFAULT 0 CHECK (compare_reply IN (0, 1)),
    record BLOB NOT NULL,
    sqlstate TEXT,
    reason TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_journal_item ON journal (item_id, session_id);
CREATE INDEX idx_journal_kind ON journal (kind, entry_id);

INSERT INTO conversation_schema (version, name)
VALUES (20261123000000, 'journal');

-- migrate:down
-- DROP TABLE journal;
-- DROP TABLE conversation_schema;
