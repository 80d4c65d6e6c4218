-- migrate:up
--
-- The mirror of the PostgreSQL migration. Needs an SQLite with FTS5, which distributions build in.

ALTER TABLE chat_sessions ADD COLUMN archived_at TEXT;
CREATE INDEX idx_chat_sessions_archived ON chat_sessions (updated_at, session_id)
    WHERE archived_at IS NOT NULL;

CREATE TABLE chat_session_tags (
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    tag TEXT NOT NULL CHECK (tag <> ''),
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    PRIMARY KEY (session_id, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX idx_chat_session_tags_tag ON chat_session_tags (tag, session_id);

CREATE TABLE chat_branches (
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    position INTEGER NOT NULL CHECK (position > 0),
    message_id TEXT NOT NULL CHECK (length(message_id) = 36),
    parent_id TEXT NOT NULL CHECK (length(parent_id) = 36),
    PRIMARY KEY (session_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE chat_search_queue (
    queue_id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    first_position INTEGER NOT NULL,
    message_count INTEGER NOT NULL
) STRICT;

CREATE TABLE chat_search (
    search_id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    position INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (session_id, position)
) STRICT;
CREATE INDEX idx_chat_search_created_at ON chat_search (created_at, session_id, position);

-- Holds the words alone; its rowid is the search_id. What is to be taken out needs the text that was
-- put in, which is why that is done before the message goes.
CREATE VIRTUAL TABLE chat_search_words USING fts5 (
    words, content = '', tokenize = "unicode61 remove_diacritics 0"
);

INSERT INTO chat_search_queue (session_id, first_position, message_count)
SELECT session_id, 1, last_position FROM chat_sessions WHERE message_count > 0 ORDER BY session_id;

CREATE TABLE chat_deletions (
    session_id TEXT NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
        CHECK (length(session_id) = 36),
    user_id TEXT NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
        CHECK (length(user_id) = 36),
    deleted_at TEXT NOT NULL,
    PRIMARY KEY (session_id, user_id)
) STRICT, WITHOUT ROWID;

INSERT INTO conversation_schema (version, name)
VALUES (20261126100000, 'sessions');

-- migrate:down
-- DROP TABLE chat_search_words;
-- DROP TABLE chat_search;
-- DROP TABLE chat_search_queue;
-- DROP TABLE chat_branches;
-- DROP TABLE chat_session_tags;
-- DROP TABLE chat_deletions;
-- DROP INDEX idx_chat_sessions_archived;
-- ALTER TABLE chat_sessions DROP COLUMN archived_at;
-- DELETE FROM conversation_schema WHERE version = 20261126100000;
