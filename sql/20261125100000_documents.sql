-- migrate:up
--
-- Documents: what an application keeps elsewhere and works on, and what that work used. A document's
-- bytes are not here; its row says what they are. Names as in the first migration: unqualified, every
-- unique key holds session_id, and a document without a session has the nil UUID.

-- The row is the gate: whoever inserts it also writes the record of the upload; whoever finds it there
-- compares `content_hash` (of all that was registered) and writes nothing. `originals` keeps, exactly,
-- what a column can't. `last_operation` and `last_status` are of the newest operation on it, whose
-- time is `updated_at`.
CREATE TABLE chat_documents (
    document_id uuid NOT NULL,
    session_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    external_id text,
    external_session_id text,
    user_id uuid,
    name text,
    media_type text,
    size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
    sha256 bytea CHECK (octet_length(sha256) = 32),
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 16),
    metadata jsonb,
    last_operation text NOT NULL,
    last_status text NOT NULL CHECK (last_status IN ('complete', 'interrupted', 'failed')),
    originals bytea,
    created_at timestamptz NOT NULL CHECK (isfinite(created_at)),
    updated_at timestamptz NOT NULL CHECK (isfinite(updated_at)),
    PRIMARY KEY (document_id, session_id)
);
CREATE INDEX idx_chat_documents_created_at ON chat_documents (created_at, document_id, session_id);
CREATE INDEX idx_chat_documents_session_id ON chat_documents (session_id, created_at, document_id);
CREATE INDEX idx_chat_documents_user_id
    ON chat_documents (user_id, created_at, document_id, session_id) WHERE user_id IS NOT NULL;
CREATE INDEX idx_chat_documents_sha256
    ON chat_documents (sha256, created_at, document_id, session_id) WHERE sha256 IS NOT NULL;

-- Which document an operation was about (it may be gone: usage outlives it), and how many bytes it
-- read.
ALTER TABLE usage_logs
    ADD COLUMN document_id uuid,
    ADD COLUMN processed_bytes bigint CHECK (processed_bytes >= 0);
CREATE INDEX idx_usage_logs_document_id ON usage_logs (document_id, created_at, log_id)
    WHERE document_id IS NOT NULL;

INSERT INTO conversation_schema (version, name)
VALUES (20261125100000, 'documents');

-- migrate:down
-- DELETE FROM conversation_schema WHERE version = 20261125100000;
-- DROP INDEX idx_usage_logs_document_id;
-- ALTER TABLE usage_logs DROP COLUMN document_id, DROP COLUMN processed_bytes;
-- DROP TABLE chat_documents;
