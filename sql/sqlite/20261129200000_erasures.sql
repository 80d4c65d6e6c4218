-- migrate:up
--
-- As on PostgreSQL: whether what was deleted was erased with its user, and which documents were.

ALTER TABLE chat_deletions ADD COLUMN erased_at TEXT;
UPDATE chat_deletions SET erased_at = deleted_at;

CREATE TABLE chat_erased_documents (
    document_id TEXT NOT NULL CHECK (length(document_id) = 36),
    session_id TEXT NOT NULL CHECK (length(session_id) = 36),
    erased_at TEXT NOT NULL,
    PRIMARY KEY (document_id, session_id)
) STRICT, WITHOUT ROWID;

INSERT INTO conversation_schema (version, name)
VALUES (20261129200000, 'erasures');

-- migrate:down
-- DROP TABLE chat_erased_documents;
-- ALTER TABLE chat_deletions DROP COLUMN erased_at;
-- DELETE FROM conversation_schema WHERE version = 20261129200000;
