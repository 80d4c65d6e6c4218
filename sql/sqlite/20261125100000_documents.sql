-- migrate:up
--
-- Documents, the mirror of the PostgreSQL schema. The row is the gate of a registration, and
-- `content_hash` is of all that was registered.

CREATE TABLE chat_documents (
    document_id TEXT NOT NULL CHECK (length(document_id) = 36),
    session_id TEXT NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'
        CHECK (length(session_id) = 36),
    external_id TEXT,
    external_session_id TEXT,
    user_id TEXT,
    name TEXT,
    media_type TEXT,
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    sha256 BLOB CHECK (length(sha256) = 32),
    content_hash BLOB NOT NULL CHECK (length(content_hash) = 16),
    metadata TEXT,
    last_operation TEXT NOT NULL,
    last_status TEXT NOT NULL CHECK (last_status IN ('complete', 'interrupted', 'failed')),
    originals BLOB,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (document_id, session_id)
) STRICT;
CREATE INDEX idx_chat_documents_created_at ON chat_documents (created_at, document_id, session_id);
CREATE INDEX idx_chat_documents_session_id ON chat_documents (session_id, created_at, document_id);
CREATE INDEX idx_chat_documents_user_id
    ON chat_documents (user_id, created_at, document_id, session_id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_chat_documents_sha256
    ON chat_documents (sha256, created_at, document_id, session_id) WHERE sha256 IS NOT NULL;

ALTER TABLE usage_logs ADD COLUMN document_id TEXT;
ALTER TABLE usage_logs ADD COLUMN processed_bytes INTEGER CHECK (processed_bytes >= 0);
CREATE INDEX idx_usage_logs_document_id ON usage_logs (document_id, created_at, log_id)
    WHERE document_id IS NOT NULL;

INSERT INTO conversation_schema (version, name)
VALUES (20261125100000, 'documents');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261125100000;
-- DROP INDEX idx_usage_logs_document_id;
-- ALTER TABLE usage_logs DROP COLUMN document_id;
-- ALTER TABLE usage_logs DROP COLUMN processed_bytes;
-- DROP TABLE chat_documents;
